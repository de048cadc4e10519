import { close, constants, fstat, open, stat, write } from "node:fs";
import { promisify } from "node:util";

const openFile = promisify(open);
const closeFile = promisify(close);
const writeFile = promisify(write);
const statFile = promisify(stat);
const statDescriptor = promisify(fstat);

const STDOUT = 1;
// Append, so that several writers and a rotation by copying get along; without blocking, so that a pipe nobody
// reads from costs a retry and not a thread.
const FLAGS = constants.O_WRONLY | constants.O_APPEND | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);
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
    const descriptor = await openFile(this.#path, FLAGS | constants.O_CREAT, MODE);
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

/** Standard output. A pipe or terminal is opened anew where the system allows it, to write to it without blocking. */
export class StdoutTarget implements LineTarget {
  #descriptor = -1;

  async prepare(): Promise<boolean> {
    if (this.#descriptor >= 0) return false;
    this.#descriptor = await openStdout();
    return true;
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

async function openStdout(): Promise<number> {
  const stats = await statDescriptor(STDOUT);
  // A file's position belongs to the descriptor that was inherited, and writing to a file does not block for long.
  if (!stats.isFIFO() && !stats.isCharacterDevice()) return STDOUT;
  try {
    return await openFile("/proc/self/fd/1", FLAGS);
  } catch {
    return STDOUT;
  }
}
