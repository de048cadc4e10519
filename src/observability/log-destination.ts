import { writeSync } from "node:fs";
import type { DestinationStream } from "pino";
import { openStandardStream } from "./standard-stream.ts";

/** What may wait for a stalled reader or a full disk; further lines are dropped and counted. */
const MAX_WAITING_BYTES = 1_048_576;
const RETRY_MS = 200;
const EXIT_ATTEMPTS = 20;
const EXIT_PAUSE_MS = 10;

/**
 * Standard error as the process log's destination. Lines are few and are written at once, so that none is lost when
 * the process ends; a reader that stalls, is gone or has no room for them neither blocks nor ends the process.
 */
export class LogDestination implements DestinationStream {
  readonly #descriptor = openStandardStream(2);
  #waiting: Buffer = Buffer.alloc(0);
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    process.once("exit", () => this.#flushAtExit());
  }

  /** Takes one line. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waiting.length + bytes.length > MAX_WAITING_BYTES) {
      this.#dropped++;
      return;
    }
    this.#waiting = this.#waiting.length === 0 ? bytes : Buffer.concat([this.#waiting, bytes]);
    // While the timer runs the destination takes nothing: trying at every line would be in vain.
    if (this.#timer === undefined) this.#flush();
  }

  #flush(): void {
    this.#timer = undefined;
    try {
      while (this.#waiting.length > 0) {
        this.#waiting = this.#waiting.subarray(writeSync(this.#descriptor, this.#waiting));
        if (this.#waiting.length === 0) this.#reportDropped();
      }
    } catch {
      // There is no other place to say it; the lines wait.
      this.#timer = setTimeout(() => this.#flush(), RETRY_MS).unref();
    }
  }

  #reportDropped(): void {
    if (this.#dropped === 0) return;
    const msg = "lines of this log were dropped because they could not be written";
    const line = { level: "warn", time: new Date().toISOString(), pid: process.pid, dropped: this.#dropped, msg };
    this.#dropped = 0;
    this.#waiting = Buffer.from(`${JSON.stringify(line)}\n`);
  }

  #flushAtExit(): void {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let attempt = 0; this.#waiting.length > 0 && attempt < EXIT_ATTEMPTS; attempt++) {
      this.#flush();
      if (this.#waiting.length > 0) Atomics.wait(pause, 0, 0, EXIT_PAUSE_MS);
    }
  }
}
