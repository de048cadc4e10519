const CHUNK_BYTES = 65_536;
const NEWLINE = 10;

interface Chunk {
  bytes: Uint8Array;
  /** Bytes filled. */
  length: number;
}

/** Lines that wait to be written, packed into chunks. Not bounded itself: whoever pushes watches `bytes`. */
export class ChunkQueue {
  readonly #chunks: Chunk[] = [];
  /** Bytes of the first chunk that are written already. */
  #offset = 0;
  #bytes = 0;
  #takenLines = 0;
  /** The first chunk may be in the hands of the system: nothing is added to it. */
  #headLent = false;
  #spare: Uint8Array | undefined;

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Lines that were written to their end. */
  get takenLines(): number {
    return this.#takenLines;
  }

  /** Adds a copy of a line. */
  push(line: Uint8Array, length: number): void {
    let chunk = this.#chunks.at(-1);
    if (
      chunk === undefined ||
      chunk.length + length > chunk.bytes.length ||
      (this.#headLent && this.#chunks.length === 1)
    ) {
      chunk = { bytes: this.#chunkFor(length), length: 0 };
      this.#chunks.push(chunk);
    }
    chunk.bytes.set(length === line.length ? line : line.subarray(0, length), chunk.length);
    chunk.length += length;
    this.#bytes += length;
  }

  /** What to write next; empty if nothing waits. Stays as it is until `take`. */
  head(): Uint8Array {
    const chunk = this.#chunks[0];
    if (chunk === undefined) return new Uint8Array(0);
    this.#headLent = true;
    return chunk.bytes.subarray(this.#offset, chunk.length);
  }

  /** Says that so many bytes of `head` are written. */
  take(count: number): void {
    const chunk = this.#chunks[0];
    if (chunk === undefined) return;
    this.#takenLines += countLines(chunk.bytes, this.#offset, this.#offset + count);
    this.#offset += count;
    this.#bytes -= count;
    if (this.#offset < chunk.length) return;
    this.#chunks.shift();
    this.#offset = 0;
    this.#headLent = false;
    if (chunk.bytes.length === CHUNK_BYTES) this.#spare = chunk.bytes;
  }

  /** Goes back to the start of a line that was taken in part. */
  rewindToLine(): void {
    const chunk = this.#chunks[0];
    if (chunk === undefined || this.#offset === 0) return;
    const start = chunk.bytes.lastIndexOf(NEWLINE, this.#offset - 1) + 1;
    this.#bytes += this.#offset - start;
    this.#offset = start;
  }

  /** Drops everything. @returns how many lines that were. */
  clear(): number {
    let lines = 0;
    for (const [index, chunk] of this.#chunks.entries())
      lines += countLines(chunk.bytes, index === 0 ? this.#offset : 0, chunk.length);
    this.#chunks.length = 0;
    this.#offset = 0;
    this.#bytes = 0;
    this.#headLent = false;
    return lines;
  }

  #chunkFor(length: number): Uint8Array {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined && length <= spare.length) return spare;
    return new Uint8Array(Math.max(length, CHUNK_BYTES));
  }
}

function countLines(bytes: Uint8Array, from: number, end: number): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE, from); at >= 0 && at < end; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
