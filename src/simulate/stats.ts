/** What the simulator has seen: counts, requests that clients left, and the last requests word for word. */

/** Where a request was when its client left. */
export type Phase = "reading" | "waiting" | "prefill" | "answering" | "hanging";

/** A request whose client left before the answer had ended. Times are milliseconds since the epoch. */
export interface AbortRecord {
  readonly id: number;
  readonly path: string;
  readonly model: string;
  readonly phase: Phase;
  readonly startedAt: number;
  readonly abortedAt: number;
  readonly tokensSent: number;
}

export interface SimulatorStats {
  /** Requests to the APIs; `/simulate/…`, `/health` and `/metrics` do not count. */
  readonly hits: number;
  readonly hitsByPath: Readonly<Record<string, number>>;
  /** Hits by API key. */
  readonly hitsByKey: Readonly<Record<string, number>>;
  /** Requests open now, and most at once. */
  readonly live: number;
  readonly mostLive: number;
  /** Answers sent to their end, whatever their status. */
  readonly completed: number;
  /** Requests whose connection the simulator itself broke. */
  readonly broken: number;
  readonly aborted: number;
  readonly aborts: readonly AbortRecord[];
  /** Answers that were worked out to the end though nobody listened. */
  readonly finishedAfterAbort: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Requests in the engine, and waiting for it. */
  readonly running: number;
  readonly waiting: number;
  readonly connectionsOpen: number;
  readonly connectionsTotal: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** A request as it arrived. */
export interface RecordedRequest {
  readonly id: number;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  readonly httpVersion: string;
  /** Names and values in the order and spelling of the wire. */
  readonly rawHeaders: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** A number for each connection, in the order they were made. */
  readonly connection: number;
}

const MAX_ABORT_RECORDS = 1000;
/** Paths and keys counted by name; further ones are counted as "other". */
const MAX_NAMES = 1000;

/** Counters of one simulator; `reset` starts them again. */
export class StatsKeeper {
  readonly #recordLimit: number;
  #records: RecordedRequest[] = [];
  #aborts: AbortRecord[] = [];
  #hitsByPath: Record<string, number> = {};
  #hitsByKey: Record<string, number> = {};
  #faults: Record<string, number> = {};
  live = 0;
  hits = 0;
  mostLive = 0;
  completed = 0;
  broken = 0;
  aborted = 0;
  finishedAfterAbort = 0;
  promptTokens = 0;
  cachedTokens = 0;
  completionTokens = 0;

  constructor(recordLimit: number) {
    this.#recordLimit = recordLimit;
  }

  start(path: string): void {
    this.hits += 1;
    this.live += 1;
    this.mostLive = Math.max(this.mostLive, this.live);
    this.countPath(path);
  }

  countPath(path: string): void {
    count(this.#hitsByPath, path);
  }

  countKey(key: string): void {
    count(this.#hitsByKey, key);
  }

  countFault(name: string): void {
    count(this.#faults, name);
  }

  recordAbort(record: AbortRecord): void {
    this.aborted += 1;
    this.#aborts.push(record);
    if (this.#aborts.length > MAX_ABORT_RECORDS) this.#aborts.shift();
  }

  record(request: RecordedRequest): void {
    if (this.#recordLimit === 0) return;
    this.#records.push(request);
    if (this.#records.length > this.#recordLimit) this.#records.shift();
  }

  get records(): readonly RecordedRequest[] {
    return [...this.#records];
  }

  /** Open requests stay counted as live. */
  reset(): void {
    this.#records = [];
    this.#aborts = [];
    this.#hitsByPath = {};
    this.#hitsByKey = {};
    this.#faults = {};
    this.hits = 0;
    this.mostLive = this.live;
    this.completed = 0;
    this.broken = 0;
    this.aborted = 0;
    this.finishedAfterAbort = 0;
    this.promptTokens = 0;
    this.cachedTokens = 0;
    this.completionTokens = 0;
  }

  /** A copy of the counts, with what others know. */
  snapshot(
    others: Pick<SimulatorStats, "running" | "waiting" | "connectionsOpen" | "connectionsTotal">,
  ): SimulatorStats {
    return {
      hits: this.hits,
      hitsByPath: { ...this.#hitsByPath },
      hitsByKey: { ...this.#hitsByKey },
      live: this.live,
      mostLive: this.mostLive,
      completed: this.completed,
      broken: this.broken,
      aborted: this.aborted,
      aborts: [...this.#aborts],
      finishedAfterAbort: this.finishedAfterAbort,
      faults: { ...this.#faults },
      promptTokens: this.promptTokens,
      cachedTokens: this.cachedTokens,
      completionTokens: this.completionTokens,
      ...others,
    };
  }
}

function count(counts: Record<string, number>, name: string): void {
  const key = Object.hasOwn(counts, name) || Object.keys(counts).length < MAX_NAMES ? name : "other";
  counts[key] = (counts[key] ?? 0) + 1;
}
