/** How many bytes of bodies, of requests or of answers, a worker holds at once: each has its limit, and so has their sum. */
export class BodyBudget {
  readonly #maxBytes: number;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Returns false where there is no room. A body that is alone always has room: its own limit bounds it.
   * @param held what this body has taken before
   */
  take(bytes: number, held: number): boolean {
    if (this.#usedBytes + bytes > this.#maxBytes && this.#usedBytes > held) {
      return false;
    }
    this.#usedBytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}
