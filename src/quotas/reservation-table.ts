/**
 * What each running request of one worker holds in which buckets: one record a usage slot, in shared memory, so that
 * what a dead worker held can be given back. Records are written only under the buckets' lock.
 */
import { MAX_BUCKETS_PER_REQUEST } from "./bucket-layout.ts";

const BUCKETS_AT = 4;
const WORDS = BUCKETS_AT + MAX_BUCKETS_PER_REQUEST;
const DOUBLES_AT = WORDS / 2;
const RECORD_BYTES = WORDS * 4 + 32;

/** Doubles of a record. */
export const HELD = {
  /** Tokens still reserved. */
  tokens: 0,
  nanoUsd: 1,
  /** Tokens that checkpoints have settled already. */
  tokensTaken: 2,
  nanoUsdTaken: 3,
} as const;
type HeldField = (typeof HELD)[keyof typeof HELD];

/** Makes the memory of one worker's records. @param slots as many as its usage table has */
export function createReservationMemory(slots: number): SharedArrayBuffer {
  return new SharedArrayBuffer(slots * RECORD_BYTES);
}

/** One thread's view of a worker's records. */
export class ReservationTable {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  /** Records in the table. */
  readonly size: number;

  constructor(memory: SharedArrayBuffer) {
    this.size = memory.byteLength / RECORD_BYTES;
    this.#words = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
  }

  /** Something is held. */
  isHeld(record: number): boolean {
    return this.#words[(record * RECORD_BYTES) / 4] === 1;
  }

  /** Begins or ends a record. */
  setHeld(record: number, held: 0 | 1): void {
    this.#words[(record * RECORD_BYTES) / 4] = held;
  }

  /** Buckets of the call itself; those of its present attempt follow. */
  callCount(record: number): number {
    return this.#words[(record * RECORD_BYTES) / 4 + 1]!;
  }

  /** All buckets. */
  count(record: number): number {
    return this.#words[(record * RECORD_BYTES) / 4 + 2]!;
  }

  setCounts(record: number, call: number, all: number): void {
    this.#words[(record * RECORD_BYTES) / 4 + 1] = call;
    this.#words[(record * RECORD_BYTES) / 4 + 2] = all;
  }

  bucket(record: number, index: number): number {
    return this.#words[(record * RECORD_BYTES) / 4 + BUCKETS_AT + index]!;
  }

  setBucket(record: number, index: number, slot: number): void {
    this.#words[(record * RECORD_BYTES) / 4 + BUCKETS_AT + index] = slot;
  }

  /** Adds the buckets of all records that hold something. Call it under the buckets' lock. */
  addBucketsInUse(slots: Set<number>): void {
    for (let record = 0; record < this.size; record++) {
      if (this.isHeld(record)) {
        for (let index = 0; index < this.count(record); index++) {
          slots.add(this.bucket(record, index));
        }
      }
    }
  }

  get(record: number, field: HeldField): number {
    return this.#doubles[(record * RECORD_BYTES) / 8 + DOUBLES_AT + field]!;
  }

  set(record: number, field: HeldField, value: number): void {
    this.#doubles[(record * RECORD_BYTES) / 8 + DOUBLES_AT + field] = value;
  }
}
