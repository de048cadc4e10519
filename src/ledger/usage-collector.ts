import type { UsageReader, UsageTableState } from "./usage-reader.ts";
import type { UsageRecord } from "./usage-record.ts";

/** Gets every usage record once, in the order of closing within a worker. Must be quick; what it throws is reported. */
export type UsageSink = (record: UsageRecord) => void;

export interface UsageCollectorOptions {
  readonly sinks: readonly UsageSink[];
  /** Told of what a sink threw; the record counts as delivered and the other sinks still get it. */
  readonly onSinkError: (error: unknown) => void;
  /** Milliseconds between looks at the tables. */
  readonly intervalMs?: number;
  /** Milliseconds of main-thread time that one look may take before it makes room for other work. */
  readonly sliceMs?: number;
}

const BATCH = 256;

/**
 * The main thread's loop over all workers' usage tables: reads what is done and hands it to the sinks (metrics,
 * access log, later the ledger's spool) in slices, so that the main thread stays responsive.
 */
export class UsageCollector {
  readonly #readers = new Set<UsageReader>();
  readonly #options: UsageCollectorOptions;
  readonly #sliceMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #visit: (record: UsageRecord) => void;
  #continuing: NodeJS.Immediate | undefined;

  constructor(options: UsageCollectorOptions) {
    this.#options = options;
    this.#sliceMs = options.sliceMs ?? 5;
    this.#visit = (record) => this.#deliver(record);
    this.#timer = setInterval(() => this.#slice(), options.intervalMs ?? 20).unref();
  }

  /** Reads this table from now on. */
  add(reader: UsageReader): void {
    this.#readers.add(reader);
  }

  /**
   * Accounts for what a dead worker left and stops reading its table, which may then be given to its successor.
   * Call only after the worker's `exit` event. @returns how many requests were lost open.
   */
  retire(reader: UsageReader): number {
    this.#readers.delete(reader);
    return reader.recover(this.#visit, Date.now());
  }

  /** Reads everything that is done now, however long it takes: for shutdown and tests. */
  flush(): number {
    let count = 0;
    for (const reader of this.#readers) count += reader.drain(this.#visit, Number.POSITIVE_INFINITY);
    return count;
  }

  /** Visits the requests that are open now on all workers. */
  visitOpen(visit: (record: UsageRecord) => void): void {
    for (const reader of this.#readers) reader.visitOpen(visit);
  }

  /** The tables' counts, one a worker. */
  states(): UsageTableState[] {
    return Array.from(this.#readers, (reader) => reader.state());
  }

  /** Ends the loop after a last flush. */
  stop(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#continuing);
    this.flush();
  }

  #slice(): void {
    if (this.#continuing !== undefined) return;
    const deadline = performance.now() + this.#sliceMs;
    let more = true;
    while (more) {
      more = false;
      for (const reader of this.#readers) {
        if (reader.drain(this.#visit, BATCH) === BATCH) more = true;
      }
      if (more && performance.now() >= deadline) {
        this.#continuing = setImmediate(() => {
          this.#continuing = undefined;
          this.#slice();
        });
        return;
      }
    }
  }

  #deliver(record: UsageRecord): void {
    for (const sink of this.#options.sinks) {
      try {
        sink(record);
      } catch (error) {
        this.#options.onSinkError(error);
      }
    }
  }
}
