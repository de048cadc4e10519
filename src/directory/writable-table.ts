import { createDirectoryBuffer, DirectoryTable, HASH_WORDS } from "./table.ts";
import type { DirectoryEntry } from "./table.ts";

/** What `put` did. */
export type PutResult = "added" | "changed" | "same" | "seen";

const SEEN = 1;
const DEAD = 2;

/** A buffer with what only its writer knows: how full it is, what is dead, what a running replacement has seen. */
export class WritableTable {
  readonly buffer: SharedArrayBuffer;
  readonly #table: DirectoryTable;
  readonly #marks: Uint8Array;
  #count = 0;
  #live = 0;

  constructor(capacity: number, seed: number) {
    this.buffer = createDirectoryBuffer(capacity, seed);
    this.#table = new DirectoryTable(this.buffer);
    this.#marks = new Uint8Array(capacity);
  }

  get capacity(): number {
    return this.#table.capacity;
  }

  /** Records used, dead ones included: they come back only by copying the rest into a new table. */
  get count(): number {
    return this.#count;
  }

  /** Keys that can be found. */
  get live(): number {
    return this.#live;
  }

  /**
   * Adds or changes a key and marks it as seen.
   * @returns `seen` if a running replacement had this key already: nothing is changed then.
   * @throws RangeError if a new record is needed and the table is full.
   */
  put(hash: Int32Array, entry: Omit<DirectoryEntry, "hash">, whenSeen: "keep" | "overwrite"): PutResult {
    const slot = this.#table.find(hash);
    if (slot >= 0) {
      const record = this.#table.recordAt(slot);
      if (whenSeen === "keep" && ((this.#marks[record] ?? 0) & SEEN) !== 0) return "seen";
      if (this.#holds(record, entry)) {
        this.#marks[record] = SEEN;
        return "same";
      }
      this.#append(hash, entry, slot, SEEN);
      this.#marks[record] = DEAD;
      return "changed";
    }
    this.#append(hash, entry, -1, SEEN);
    this.#live++;
    return "added";
  }

  /** Whether the key is there. */
  has(hash: Int32Array): boolean {
    return this.#table.find(hash) >= 0;
  }

  /** Marks a key, if it is there, as seen by the running replacement. */
  markSeen(hash: Int32Array): void {
    const slot = this.#table.find(hash);
    if (slot >= 0) this.#marks[this.#table.recordAt(slot)] = SEEN;
  }

  /** Removes a key; false if it was not there. */
  remove(hash: Int32Array): boolean {
    const slot = this.#table.find(hash);
    if (slot < 0) return false;
    this.#marks[this.#table.recordAt(slot)] = DEAD;
    this.#table.clear(slot);
    this.#live--;
    return true;
  }

  /** Copies one record of another table here, unless it is dead or its key is here already (changed meanwhile). */
  copyFrom(other: WritableTable, record: number, scratch: Int32Array): void {
    const mark = other.#marks[record] ?? 0;
    if ((mark & DEAD) !== 0) return;
    const source = other.#table;
    source.readHash(record, scratch);
    if (this.#table.find(scratch) >= 0) return;
    const entry = {
      consumer: source.consumer(record),
      key: source.keyId(record),
      policy: source.policy(record),
      expiresAt: source.expiresAt(record),
    };
    this.#append(scratch, entry, -1, mark);
    this.#live++;
  }

  /** Forgets what was seen: a replacement begins. */
  forgetSeen(): void {
    const marks = this.#marks;
    for (let record = 0; record < this.#count; record++) marks[record] = (marks[record] ?? 0) & DEAD;
  }

  /** Removes the record's key if no replacement has seen it; true if it did. */
  sweep(record: number, scratch: Int32Array): boolean {
    if (this.#marks[record] !== 0) return false;
    this.#table.readHash(record, scratch);
    return this.remove(scratch);
  }

  #append(hash: Int32Array, entry: Omit<DirectoryEntry, "hash">, slot: number, mark: number): void {
    const record = this.#count;
    if (record === this.capacity) throw new RangeError(`directory table is full at ${record} records`);
    this.#count++;
    this.#table.writeRecord(record, hash, entry);
    this.#marks[record] = mark;
    this.#table.publish(record, hash, slot);
  }

  #holds(record: number, entry: Omit<DirectoryEntry, "hash">): boolean {
    const table = this.#table;
    return (
      table.consumer(record) === entry.consumer &&
      table.keyId(record) === entry.key &&
      table.policy(record) === entry.policy &&
      table.expiresAt(record) === entry.expiresAt
    );
  }
}

/** Words for one hash, for callers of `copyFrom` and `sweep`. */
export function hashScratch(): Int32Array {
  return new Int32Array(HASH_WORDS);
}
