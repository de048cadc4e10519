/**
 * Bytes that come in pieces and are wanted as one. Small pieces are put together as they come: each is an object of more
 * than a hundred bytes, so that a body in pieces of one byte would take a hundred times the memory it is counted with.
 */

const SMALL_BYTES = 1_024;
const MAX_SMALL_PIECES = 256;

export class BytePieces {
  #pieces: Buffer[] = [];
  /** How many small ones there are at the end of `#pieces`. */
  #small = 0;
  #length = 0;

  /** Of all pieces together. */
  get length(): number {
    return this.#length;
  }

  /** Keeps the piece, which must not change any more. */
  push(piece: Buffer): void {
    this.#length += piece.length;
    if (piece.length >= SMALL_BYTES) {
      this.#joinSmall();
      this.#pieces.push(piece);
      return;
    }
    this.#pieces.push(piece);
    this.#small += 1;
    if (this.#small === MAX_SMALL_PIECES) {
      this.#joinSmall();
    }
  }

  /** Forgets all of them. */
  clear(): void {
    this.#pieces = [];
    this.#small = 0;
    this.#length = 0;
  }

  /** All of them as one, which are then forgotten. One that came in one piece is that piece. */
  take(): Buffer {
    const whole = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#length);
    this.clear();
    return whole;
  }

  #joinSmall(): void {
    if (this.#small > 1) {
      this.#pieces.push(Buffer.concat(this.#pieces.splice(-this.#small)));
    }
    this.#small = 0;
  }
}
