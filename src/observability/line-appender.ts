import { ChunkQueue } from "./chunk-queue.ts";
import type { LineTarget } from "./line-target.ts";

/** Counts since the appender was made. */
export interface AppenderCounts {
  readonly writtenLines: number;
  readonly droppedLines: number;
  readonly bufferedBytes: number;
}

export interface LineAppenderOptions {
  readonly target: LineTarget;
  /** Told once when writing has become impossible or lines are dropped. */
  readonly onFault: (error: unknown) => void;
  /** Told once when writing works again, at the first write that shows it, with the number of lines dropped since. */
  readonly onRecovery: (droppedLines: number) => void;
  /** What may wait to be written; lines beyond it are dropped and counted. */
  readonly maxBufferedBytes?: number;
  /** Milliseconds that a line waits for company. */
  readonly flushMs?: number;
  /** Milliseconds until the second attempt after a failure; doubles up to `maxRetryMs`. */
  readonly retryMs?: number;
  readonly maxRetryMs?: number;
  /** Milliseconds without a drop before all is well again: a reader that is a bit too slow is said once, not each time. */
  readonly quietMs?: number;
}

/** So much, or a quarter of what may wait, is written without waiting for more. */
const EAGER_BYTES = 262_144;
const FULL_PIPE_WAIT_MS = 20;

/**
 * Appends lines to a target in batches, one write at a time, and never makes its caller wait or fail: while the
 * target cannot take lines (disk full, directory missing, reader stalled) they wait in a bounded buffer and the
 * rest is dropped and counted; it goes on by itself as soon as the target can.
 */
export class LineAppender {
  readonly #options: LineAppenderOptions;
  readonly #target: LineTarget;
  readonly #maxBufferedBytes: number;
  readonly #eagerBytes: number;
  readonly #retryMs: number;
  readonly #queue = new ChunkQueue();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #reopenWanted = false;
  #closing = false;
  #nextRetryMs: number;
  /** The last write failed: only the timer tries again. */
  #failing = false;
  /** `onFault` was told, and `onRecovery` not yet. */
  #faulty = false;
  #droppedSinceFault = 0;
  #droppedAt = Number.NEGATIVE_INFINITY;
  #dropped = 0;

  constructor(options: LineAppenderOptions) {
    this.#options = options;
    this.#target = options.target;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 8_388_608;
    this.#eagerBytes = Math.min(EAGER_BYTES, this.#maxBufferedBytes / 4);
    this.#retryMs = options.retryMs ?? 100;
    this.#nextRetryMs = this.#retryMs;
  }

  /** Takes a copy of one line: the first `length` bytes, its newline included. */
  append(bytes: Uint8Array, length: number): void {
    if (this.#closing || this.#queue.bytes + length > this.#maxBufferedBytes) {
      this.#drop(1);
      return;
    }
    this.#queue.push(bytes, length);
    if (this.#queue.bytes >= this.#eagerBytes && this.#running === undefined && !this.#failing) this.#start();
    else this.#schedule(this.#options.flushMs ?? 100);
  }

  /** Opens the target anew before the next write: after a rotation. */
  reopen(): void {
    this.#reopenWanted = true;
    if (this.#failing) this.#start();
  }

  /** Writes what is buffered, for at most `timeoutMs`, and closes the target. What is left then is dropped. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    const deadline = performance.now() + timeoutMs;
    while (this.#queue.bytes > 0 && performance.now() < deadline) {
      this.#start();
      await settledWithin(this.#running, deadline - performance.now());
      if (this.#queue.bytes > 0)
        await settledWithin(undefined, Math.min(FULL_PIPE_WAIT_MS, deadline - performance.now()));
    }
    clearTimeout(this.#timer);
    const left = this.#queue.clear();
    if (left > 0) this.#drop(left);
    const closed = this.#target.close().catch(this.#options.onFault);
    await settledWithin(closed, Math.max(FULL_PIPE_WAIT_MS, deadline - performance.now()));
  }

  counts(): AppenderCounts {
    return { writtenLines: this.#queue.takenLines, droppedLines: this.#dropped, bufferedBytes: this.#queue.bytes };
  }

  #schedule(delayMs: number): void {
    this.#timer ??= setTimeout(() => this.#start(), delayMs).unref();
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    try {
      while (this.#queue.bytes > 0) {
        await this.#prepare();
        const written = await this.#target.write(this.#queue.head());
        if (written === 0) throw new Error("the target took no bytes");
        this.#queue.take(written);
        this.#succeeded();
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  async #prepare(): Promise<void> {
    if (this.#reopenWanted) {
      this.#reopenWanted = false;
      await this.#target.close();
    }
    // A line that was begun in another file is written anew as a whole.
    if (await this.#target.prepare()) this.#queue.rewindToLine();
  }

  #failed(error: unknown): void {
    this.#failing = true;
    // A full pipe is not a fault: its reader is slow. It becomes one when lines are dropped.
    if (isFullPipe(error)) {
      this.#schedule(FULL_PIPE_WAIT_MS);
      return;
    }
    if (!this.#faulty) this.#options.onFault(error);
    this.#faulty = true;
    this.#schedule(this.#nextRetryMs);
    this.#nextRetryMs = Math.min(this.#nextRetryMs * 2, this.#options.maxRetryMs ?? 5_000);
  }

  #succeeded(): void {
    this.#failing = false;
    this.#nextRetryMs = this.#retryMs;
    if (!this.#faulty || this.#queue.bytes > this.#maxBufferedBytes / 2) return;
    if (performance.now() - this.#droppedAt < (this.#options.quietMs ?? 5_000)) return;
    this.#faulty = false;
    this.#options.onRecovery(this.#droppedSinceFault);
    this.#droppedSinceFault = 0;
  }

  #drop(count: number): void {
    this.#dropped += count;
    this.#droppedSinceFault += count;
    this.#droppedAt = performance.now();
    if (this.#faulty || this.#closing) return;
    this.#faulty = true;
    this.#options.onFault(new Error(`${this.#maxBufferedBytes} bytes are waiting: what takes them is too slow`));
  }
}

function isFullPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EAGAIN";
}

/** Resolves when the promise has settled or the time is over, whichever is first. */
function settledWithin(promise: Promise<void> | undefined, ms: number): Promise<void> {
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, ms));
  void promise?.finally(() => {
    clearTimeout(timer);
    resolve();
  });
  return done;
}
