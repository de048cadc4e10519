import { close, constants, fstat, open, stat, write } from "node:fs";
import { promisify } from "node:util";
import { APPEND_FLAGS, openStandardStream } from "./standard-stream.ts";

const openFile = promisify(open);
const closeFile = promisify(close);
const writeFile = promisify(write);
const statFile = promisify(stat);
const statDescriptor = promisify(fstat);

const STDOUT = 1;
const MODE = 0o640;

/** Where lines go: a file by its path or standard output. Every method may throw the system's error. */
export interface LineTarget {
  /** Opens it if it is not open, and once more if what its name means has changed (log rotation). True if it was opened now. */
  prepare(): Promise<boolean>;
  /** Writes what fits. @returns how many bytes were taken. */
  write(bytes: Uint8Array): Promise<number>;
  /** Closes it; `prepare` opens it again. */
  close(): Promise<void>;
}

/** A file that is opened by path, and again when the path means another file than the open one. */
export class FileTarget implements LineTarget {
  readonly #path: string;
  readonly #checkMs: number;
  #descriptor = -1;
  #identity = "";
  #checkedAt = 0;

  /** @param checkMs how often the path is compared with the open file. */
  constructor(path: string, checkMs: number) {
    this.#path = path;
    this.#checkMs = checkMs;
  }

  async prepare(): Promise<boolean> {
    const now = performance.now();
    if (this.#descriptor >= 0) {
      if (now - this.#checkedAt < this.#checkMs) return false;
      this.#checkedAt = now;
      if (await this.#isCurrent()) return false;
      await this.close();
    }
    const descriptor = await openFile(this.#path, APPEND_FLAGS | constants.O_CREAT, MODE);
    const { dev, ino } = await statDescriptor(descriptor);
    this.#descriptor = descriptor;
    this.#identity = `${dev}:${ino}`;
    this.#checkedAt = now;
    return true;
  }

  async write(bytes: Uint8Array): Promise<number> {
    return (await writeFile(this.#descriptor, bytes)).bytesWritten;
  }

  async close(): Promise<void> {
    const descriptor = this.#descriptor;
    this.#descriptor = -1;
    if (descriptor >= 0) await closeFile(descriptor);
  }

  async #isCurrent(): Promise<boolean> {
    try {
      const { dev, ino } = await statFile(this.#path);
      return this.#identity === `${dev}:${ino}`;
    } catch {
      return false;
    }
  }
}

/** Standard output. */
export class StdoutTarget implements LineTarget {
  #descriptor = -1;

  prepare(): Promise<boolean> {
    const opened = this.#descriptor < 0;
    if (opened) this.#descriptor = openStandardStream(STDOUT);
    return Promise.resolve(opened);
  }

  async write(bytes: Uint8Array): Promise<number> {
    return (await writeFile(this.#descriptor, bytes)).bytesWritten;
  }

  async close(): Promise<void> {
    const descriptor = this.#descriptor;
    this.#descriptor = -1;
    if (descriptor > STDOUT) await closeFile(descriptor);
  }
}
