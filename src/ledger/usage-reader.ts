import { IndexRing } from "../lib/index-ring.ts";
import {
  CLOSED_WORD,
  FLAG,
  FLAGS_WORD,
  HEADER_WORDS,
  HIGH_WATER_WORD,
  NUMBER_FIELD,
  OPENED_WORD,
  OUTCOME_INDEX,
  OUTCOME_WORD,
  REJECTED_WORD,
  SLOT_BYTES,
  SLOT_DOUBLES,
  SLOT_WORDS,
  STATE_DONE,
  STATE_FREE,
  STATE_OPEN,
  STATE_WORD,
  usageSlotCount,
  usageTableParts,
} from "./usage-layout.ts";
import { UsageRecord } from "./usage-record.ts";

/** What a table says about itself, for gauges. */
export interface UsageTableState {
  /** Requests open now. */
  readonly inFlight: number;
  /** Slots taken: open requests and closed ones that were not read yet. */
  readonly slotsInUse: number;
  readonly slots: number;
  /** Requests refused because no slot was free, since the table was made. */
  readonly rejected: number;
}

/** The main thread's side of one worker's usage table. */
export class UsageReader {
  readonly buffer: SharedArrayBuffer;
  readonly #header: Int32Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #record: UsageRecord;
  readonly #slotCount: number;
  readonly #done: IndexRing;
  readonly #returned: IndexRing;

  /** @param buffer from `createUsageBuffer`; the writer wraps the same one. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#slotCount = usageSlotCount(buffer);
    const parts = usageTableParts(this.#slotCount);
    this.#header = new Int32Array(buffer, 0, HEADER_WORDS);
    this.#words = new Int32Array(buffer, parts.slots, this.#slotCount * SLOT_WORDS);
    this.#doubles = new Float64Array(buffer, parts.slots, this.#slotCount * SLOT_DOUBLES);
    this.#record = new UsageRecord(
      this.#words,
      this.#doubles,
      Buffer.from(buffer, parts.slots, this.#slotCount * SLOT_BYTES),
    );
    this.#done = new IndexRing(buffer, parts.doneRing, this.#slotCount);
    this.#returned = new IndexRing(buffer, parts.returnedRing, this.#slotCount);
  }

  /**
   * Visits up to `max` closed requests, oldest first, and gives their slots back to the worker. A visit that throws
   * ends the drain after its record counts as read.
   * @returns how many were visited; less than `max` means that none is left.
   */
  drain(visit: (record: UsageRecord) => void, max: number): number {
    let count = 0;
    while (count < max) {
      const slot = this.#done.shift();
      if (slot < 0) break;
      count++;
      try {
        this.#record.moveTo(slot);
        visit(this.#record);
      } finally {
        Atomics.store(this.#words, slot * SLOT_WORDS + STATE_WORD, STATE_FREE);
        this.#returned.push(slot);
      }
    }
    return count;
  }

  /** Visits the requests that are open now. Their fields may change meanwhile: good for gauges and checkpoints. */
  visitOpen(visit: (record: UsageRecord) => void): void {
    const end = Atomics.load(this.#header, HIGH_WATER_WORD);
    for (let slot = 0; slot < end; slot++) {
      if (Atomics.load(this.#words, slot * SLOT_WORDS + STATE_WORD) !== STATE_OPEN) continue;
      this.#record.moveTo(slot);
      visit(this.#record);
    }
  }

  /** What a slot holds, be it open or not. Good until the next call of any method here. */
  recordAt(slot: number): UsageRecord {
    this.#record.moveTo(slot);
    return this.#record;
  }

  /**
   * Accounts for everything a dead worker left: what it had closed, then what it had open, as `worker_lost`.
   * Afterwards the table is as new and may be given to another worker.
   * Call only after the worker's `exit` event: nobody else may use the table.
   * @param now milliseconds since the epoch. @returns how many requests were lost open.
   */
  recover(visit: (record: UsageRecord) => void, now: number): number {
    this.drain(visit, Number.POSITIVE_INFINITY);
    let lost = 0;
    const end = Atomics.load(this.#header, HIGH_WATER_WORD);
    for (let slot = 0; slot < end; slot++) {
      const base = slot * SLOT_WORDS;
      const state = Atomics.load(this.#words, base + STATE_WORD);
      if (state === STATE_FREE) continue;
      // DONE here: the worker died between closing the slot and publishing it; the entry is complete.
      if (state !== STATE_DONE) {
        lost++;
        const start = slot * SLOT_DOUBLES;
        this.#words[base + OUTCOME_WORD] = OUTCOME_INDEX.worker_lost;
        if (this.#doubles[start + NUMBER_FIELD.promptTokens]! > 0) {
          // what is known of its tokens is from its last checkpoint
          this.#words[base + FLAGS_WORD]! |= FLAG.tokensEstimated;
        }
        this.#doubles[start + NUMBER_FIELD.totalMs] = Math.max(
          0,
          now - (this.#doubles[start + NUMBER_FIELD.startedAt] ?? now),
        );
      }
      Atomics.store(this.#words, base + STATE_WORD, STATE_FREE);
      this.#record.moveTo(slot);
      visit(this.#record);
    }
    this.#done.reset();
    this.#returned.reset();
    Atomics.store(this.#header, HIGH_WATER_WORD, 0);
    Atomics.store(this.#header, CLOSED_WORD, Atomics.load(this.#header, OPENED_WORD));
    return lost;
  }

  /** Counts for gauges. */
  state(): UsageTableState {
    const closed = Atomics.load(this.#header, CLOSED_WORD);
    const inFlight = Math.max(0, (Atomics.load(this.#header, OPENED_WORD) - closed) | 0);
    return {
      inFlight,
      slotsInUse: inFlight + this.#done.size,
      slots: this.#slotCount,
      rejected: Atomics.load(this.#header, REJECTED_WORD) >>> 0,
    };
  }
}
