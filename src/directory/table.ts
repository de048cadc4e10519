/**
 * One buffer of the directory: an open-addressing hash table from the SHA-256 of an API key to a record. One thread
 * writes, any number read without locks. A record never changes once the index points at it; a change is a new
 * record and one atomic store of its number into the index, so a reader sees the old key or the new one, never a mix.
 */

/** One API key as the directory holds it. */
export interface DirectoryEntry {
  /** SHA-256 of the key: 64 hex digits. */
  readonly hash: string;
  /** Number of the consumer. */
  readonly consumer: number;
  /** Number (name id) of the key's name. */
  readonly key: number;
  /** Number (name id) of the policy that applies. */
  readonly policy: number;
  /** Milliseconds since the epoch; 0: never. */
  readonly expiresAt: number;
}

/** What a reader needs to use a buffer; made to be posted to another thread. */
export interface DirectoryHandle {
  readonly buffer: SharedArrayBuffer;
  /** Grows with every new buffer; a reader ignores what is older than what it has. */
  readonly generation: number;
}

// Header words.
const CAPACITY_WORD = 0;
const SEED_WORD = 1;
const HEADER_BYTES = 64;

// A record is one cache line; what follows the hash are the entry's numbers.
const RECORD_BYTES = 64;
const RECORD_WORDS = RECORD_BYTES / 4;
const RECORD_DOUBLES = RECORD_BYTES / 8;
export const HASH_WORDS = 8;
const CONSUMER_WORD = 8;
const KEY_WORD = 9;
const POLICY_WORD = 10;
const EXPIRES_DOUBLE = 6;

// What an index word says besides `record + 1`.
const EMPTY = 0;
const TOMBSTONE = -1;

/** Index slots for each record: the table is never more than half full, tombstones included. */
const INDEX_FACTOR = 2;

/** Makes a buffer for `capacity` records, a power of two. Memory is taken as it is used. */
export function createDirectoryBuffer(capacity: number, seed: number): SharedArrayBuffer {
  if (capacity < 1 || (capacity & (capacity - 1)) !== 0)
    throw new RangeError(`directory capacity ${capacity} is not a power of two`);
  const buffer = new SharedArrayBuffer(HEADER_BYTES + capacity * INDEX_FACTOR * 4 + capacity * RECORD_BYTES);
  const header = new Int32Array(buffer, 0, HEADER_BYTES / 4);
  header[CAPACITY_WORD] = capacity;
  header[SEED_WORD] = seed;
  return buffer;
}

/** View of one buffer. Reading is safe on any thread; `append`, `point` and `clear` belong to the one writer. */
export class DirectoryTable {
  readonly capacity: number;
  readonly #seed: number;
  readonly #indexMask: number;
  readonly #index: Int32Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    const header = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.capacity = header[CAPACITY_WORD] ?? 0;
    this.#seed = header[SEED_WORD] ?? 0;
    const indexSize = this.capacity * INDEX_FACTOR;
    this.#indexMask = indexSize - 1;
    this.#index = new Int32Array(buffer, HEADER_BYTES, indexSize);
    const recordsAt = HEADER_BYTES + indexSize * 4;
    this.#words = new Int32Array(buffer, recordsAt, this.capacity * RECORD_WORDS);
    this.#doubles = new Float64Array(buffer, recordsAt, this.capacity * RECORD_DOUBLES);
  }

  /** The index slot that holds this hash (8 words), or -1. */
  find(hash: Int32Array): number {
    const mask = this.#indexMask;
    for (let slot = this.#start(hash); ; slot = (slot + 1) & mask) {
      const content = Atomics.load(this.#index, slot);
      if (content === EMPTY) return -1;
      if (content !== TOMBSTONE && this.#equal(content - 1, hash)) return slot;
    }
  }

  /** The record of this hash, or -1. One walk, so that a change in between cannot lose it. */
  lookup(hash: Int32Array): number {
    const mask = this.#indexMask;
    for (let slot = this.#start(hash); ; slot = (slot + 1) & mask) {
      const content = Atomics.load(this.#index, slot);
      if (content === EMPTY) return -1;
      if (content !== TOMBSTONE && this.#equal(content - 1, hash)) return content - 1;
    }
  }

  /** The record that an index slot from `find` points at. */
  recordAt(slot: number): number {
    return Atomics.load(this.#index, slot) - 1;
  }

  consumer(record: number): number {
    return this.#words[record * RECORD_WORDS + CONSUMER_WORD] ?? 0;
  }

  keyId(record: number): number {
    return this.#words[record * RECORD_WORDS + KEY_WORD] ?? 0;
  }

  policy(record: number): number {
    return this.#words[record * RECORD_WORDS + POLICY_WORD] ?? 0;
  }

  /** Milliseconds since the epoch; 0: never. */
  expiresAt(record: number): number {
    return this.#doubles[record * RECORD_DOUBLES + EXPIRES_DOUBLE] ?? 0;
  }

  /** Copies a record's hash into 8 words. */
  readHash(record: number, into: Int32Array): void {
    const base = record * RECORD_WORDS;
    for (let word = 0; word < HASH_WORDS; word++) into[word] = this.#words[base + word] ?? 0;
  }

  /** Writer: fills a record that no index slot points at. */
  writeRecord(record: number, hash: Int32Array, entry: Omit<DirectoryEntry, "hash">): void {
    const base = record * RECORD_WORDS;
    this.#words.set(hash, base);
    this.#words[base + CONSUMER_WORD] = entry.consumer;
    this.#words[base + KEY_WORD] = entry.key;
    this.#words[base + POLICY_WORD] = entry.policy;
    this.#doubles[record * RECORD_DOUBLES + EXPIRES_DOUBLE] = entry.expiresAt;
  }

  /** Writer: makes a filled record visible, at the slot that its hash has or else at a new one. */
  publish(record: number, hash: Int32Array, slot: number): void {
    Atomics.store(this.#index, slot >= 0 ? slot : this.#vacant(hash), record + 1);
  }

  /** Writer: makes what an index slot points at invisible. */
  clear(slot: number): void {
    Atomics.store(this.#index, slot, TOMBSTONE);
  }

  // The hash is uniform already; the seed keeps whoever can choose hashes from piling them up in one place.
  #start(hash: Int32Array): number {
    const mixed = Math.imul((hash[0] ?? 0) ^ this.#seed, 0x9e3779b1) ^ (hash[1] ?? 0);
    return (mixed ^ (mixed >>> 15)) & this.#indexMask;
  }

  #vacant(hash: Int32Array): number {
    const mask = this.#indexMask;
    let slot = this.#start(hash);
    while ((this.#index[slot] ?? 0) > 0) slot = (slot + 1) & mask;
    return slot;
  }

  // All words, always: the time does not tell how much of a hash was right.
  #equal(record: number, hash: Int32Array): boolean {
    const base = record * RECORD_WORDS;
    let difference = 0;
    for (let word = 0; word < HASH_WORDS; word++) difference |= (this.#words[base + word] ?? 0) ^ (hash[word] ?? 0);
    return difference === 0;
  }
}
