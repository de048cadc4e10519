/**
 * A ring of 32-bit integers in shared memory for exactly one producing and one consuming thread, without locks.
 * An item is written before the tail that publishes it (Atomics.store), and read after that tail was loaded.
 */

// Head and tail lie on cache lines of their own: the two threads write one each.
const HEAD_WORD = 0;
const TAIL_WORD = 16;
const ITEMS_WORD = 32;

/** Bytes that a ring of `capacity` items (a power of two) needs. */
export function indexRingBytes(capacity: number): number {
  return ITEMS_WORD * 4 + capacity * 4;
}

/** One side's view of the ring. A thread calls either `push` or `shift`, never both. */
export class IndexRing {
  readonly #words: Int32Array;
  readonly #capacity: number;
  readonly #mask: number;
  #head: number;
  #tail: number;

  /** @param capacity a power of two. @throws RangeError if it is not. */
  constructor(buffer: SharedArrayBuffer, byteOffset: number, capacity: number) {
    if (capacity < 1 || (capacity & (capacity - 1)) !== 0)
      throw new RangeError(`ring capacity ${capacity} is not a power of two`);
    this.#words = new Int32Array(buffer, byteOffset, ITEMS_WORD + capacity);
    this.#capacity = capacity;
    this.#mask = capacity - 1;
    this.#head = Atomics.load(this.#words, HEAD_WORD);
    this.#tail = Atomics.load(this.#words, TAIL_WORD);
  }

  /** Producer: appends a value; false if the ring is full. */
  push(value: number): boolean {
    const tail = this.#tail;
    if (((tail - this.#head) | 0) >= this.#capacity) {
      this.#head = Atomics.load(this.#words, HEAD_WORD);
      if (((tail - this.#head) | 0) >= this.#capacity) return false;
    }
    this.#words[ITEMS_WORD + (tail & this.#mask)] = value;
    this.#tail = (tail + 1) | 0;
    Atomics.store(this.#words, TAIL_WORD, this.#tail);
    return true;
  }

  /** Consumer: takes the oldest value, or -1 if there is none. */
  shift(): number {
    const head = this.#head;
    if (head === this.#tail) {
      this.#tail = Atomics.load(this.#words, TAIL_WORD);
      if (head === this.#tail) return -1;
    }
    const value = this.#words[ITEMS_WORD + (head & this.#mask)] ?? -1;
    this.#head = (head + 1) | 0;
    Atomics.store(this.#words, HEAD_WORD, this.#head);
    return value;
  }

  /** Items in the ring now; either side may ask, and the other may be changing it. */
  get size(): number {
    return (Atomics.load(this.#words, TAIL_WORD) - Atomics.load(this.#words, HEAD_WORD)) | 0;
  }

  /** Empties the ring. Only while no other thread uses it; the other side makes a new view afterwards. */
  reset(): void {
    this.#head = 0;
    this.#tail = 0;
    Atomics.store(this.#words, HEAD_WORD, 0);
    Atomics.store(this.#words, TAIL_WORD, 0);
  }
}
