const FIRST_CAPACITY = 64;

/** Numbers distinct tuples of integers 0, 1, 2 … in the order in which they are added. */
export class TupleIndex {
  /** Integers of a tuple. */
  readonly width: number;
  #tuples: Int32Array;
  /** Open addressing: 0 is empty, else the tuple's number + 1; never more than half full. */
  #slots: Int32Array;
  #size = 0;

  constructor(width: number) {
    this.width = width;
    this.#tuples = new Int32Array(FIRST_CAPACITY * width);
    this.#slots = new Int32Array(FIRST_CAPACITY * 2);
  }

  /** Tuples so far. */
  get size(): number {
    return this.#size;
  }

  /** The tuple's number, or -1 if it was not added. */
  find(tuple: Int32Array): number {
    return (this.#slots[this.#slot(tuple)] ?? 0) - 1;
  }

  /** Adds a tuple that `find` did not find. @returns its number. */
  add(tuple: Int32Array): number {
    if (this.#size * 2 === this.#slots.length) this.#grow();
    const number = this.#size++;
    this.#tuples.set(tuple, number * this.width);
    this.#slots[this.#slot(tuple)] = number + 1;
    return number;
  }

  /** One integer of a tuple. */
  value(number: number, column: number): number {
    return this.#tuples[number * this.width + column] ?? 0;
  }

  /** Where the tuple is or belongs. */
  #slot(tuple: Int32Array): number {
    const mask = this.#slots.length - 1;
    const width = this.width;
    let hash = 0;
    for (let column = 0; column < width; column++) {
      hash = Math.imul(hash ^ (tuple[column] ?? 0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const base = ((this.#slots[slot] ?? 0) - 1) * width;
      if (base < 0) return slot;
      let column = 0;
      while (column < width && this.#tuples[base + column] === tuple[column]) column++;
      if (column === width) return slot;
    }
  }

  #grow(): void {
    const width = this.width;
    const tuples = new Int32Array(this.#tuples.length * 2);
    tuples.set(this.#tuples);
    this.#tuples = tuples;
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let number = 0; number < this.#size; number++) {
      const slot = this.#slot(tuples.subarray(number * width, (number + 1) * width));
      this.#slots[slot] = number + 1;
    }
  }
}
