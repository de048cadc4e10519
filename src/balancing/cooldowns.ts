/**
 * What rests, until when: nodes that fail, credentials that were told to wait. In memory shared by all workers, so
 * that what one worker learns the others know at once. Entries are named by name-table ids.
 */

/** Failures in a row after which a node rests. */
const FAILURES_TO_EJECT = 5;
const FIRST_EJECTION_MS = 30_000;
const LONGEST_EJECTION_MS = 300_000;
/** An upstream's Retry-After beyond this is not believed. */
const LONGEST_REST_MS = 3_600_000;
/** Name ids that can rest; ids beyond never do. Untouched memory costs nothing. */
const MAX_IDS = 1 << 20;

/** Shared memory of a `Cooldowns`; hand it to other threads. */
export interface CooldownsMemory {
  readonly restUntilMs: SharedArrayBuffer;
  readonly ejectedUntilMs: SharedArrayBuffer;
  readonly failures: SharedArrayBuffer;
  readonly breaks: SharedArrayBuffer;
}

export function createCooldownsMemory(): CooldownsMemory {
  return {
    restUntilMs: new SharedArrayBuffer(MAX_IDS * 8),
    ejectedUntilMs: new SharedArrayBuffer(MAX_IDS * 8),
    failures: new SharedArrayBuffer(MAX_IDS * 4),
    breaks: new SharedArrayBuffer(MAX_IDS * 4),
  };
}

/** One thread's view of the shared rests. Times are milliseconds of the shared clock: the wall clock may be set. */
export class Cooldowns {
  readonly #restUntilMs: Float64Array;
  readonly #ejectedUntilMs: Float64Array;
  /** Failures in a row; what exceeds FAILURES_TO_EJECT counts the ejections in a row. */
  readonly #failures: Int32Array;
  /** The same of answers that began and broke off: a node that always begins well would be forgiven each time. */
  readonly #breaks: Int32Array;

  constructor(memory: CooldownsMemory) {
    this.#restUntilMs = new Float64Array(memory.restUntilMs);
    this.#ejectedUntilMs = new Float64Array(memory.ejectedUntilMs);
    this.#failures = new Int32Array(memory.failures);
    this.#breaks = new Int32Array(memory.breaks);
  }

  /** When the rest of `id` ends, for whatever reason it rests; 0 if it never rested. */
  restsUntil(id: number): number {
    return Math.max(this.#restUntilMs[id] ?? 0, this.#ejectedUntilMs[id] ?? 0);
  }

  /** The same without ejections: what is ejected may be used where there is nothing else. */
  toldToRestUntil(id: number): number {
    return this.#restUntilMs[id] ?? 0;
  }

  /** Lets `id` rest for a given time; never shortens a rest. */
  rest(id: number, durationMs: number, now: number): void {
    const until = now + Math.min(durationMs, LONGEST_REST_MS);
    if (id < MAX_IDS && until > this.toldToRestUntil(id)) {
      this.#restUntilMs[id] = until;
    }
  }

  /** A node has begun to answer: what failed before is forgiven, but not what broke off. */
  answered(id: number): void {
    forgive(this.#failures, id);
  }

  /** A node has answered to the end: everything is forgiven. */
  completed(id: number): void {
    forgive(this.#breaks, id);
  }

  /**
   * A node failed. Returns true when it has failed often enough to be ejected; the caller decides
   * (never more than half of the endpoints) and calls `eject`.
   */
  failed(id: number): boolean {
    return countOne(this.#failures, id);
  }

  /** A node's answer began and broke off. Returns the same as `failed`. */
  brokeOff(id: number): boolean {
    return countOne(this.#breaks, id);
  }

  /** Ejects a node: 30 s, doubling with each failure that follows an ejection, up to 300 s. */
  eject(id: number, now: number): void {
    const inARow = Math.max(Atomics.load(this.#failures, id), Atomics.load(this.#breaks, id));
    const before = Math.max(0, inARow - FAILURES_TO_EJECT);
    this.#ejectedUntilMs[id] = now + Math.min(FIRST_EJECTION_MS * 2 ** Math.min(before, 10), LONGEST_EJECTION_MS);
  }
}

function forgive(counts: Int32Array, id: number): void {
  if (counts[id] !== 0 && id < MAX_IDS) {
    Atomics.store(counts, id, 0);
  }
}

function countOne(counts: Int32Array, id: number): boolean {
  return id < MAX_IDS && Atomics.add(counts, id, 1) + 1 >= FAILURES_TO_EJECT;
}
