/**
 * Server-sent events as bytes (WHATWG HTML, section 9.2.6 "Interpreting an event stream").
 * The splitter finds where events end and copies nothing when a chunk holds whole events; decoding one
 * event is a separate step, because most events only pass through.
 */
import { SluiceError } from "./errors.ts";

const LF = 10;
const CR = 13;
const COLON = 58;
const SPACE = 32;
const EMPTY = Buffer.alloc(0);

/** Receives `buffer[start, end)`: one event, its terminator (the blank line) included. */
export type SseRange = (buffer: Buffer, start: number, end: number) => void;

/** One decoded event. `data` is "" both for an empty `data:` and for none (a comment, a lone blank line). */
export interface SseEvent {
  /** The `event:` field, "" if none. */
  readonly event: string;
  readonly data: string;
  readonly id?: string;
}

/**
 * Splits a byte stream into whole SSE events. Line ends may be LF, CRLF, CR or a mix, split anywhere.
 *
 * Every blank line ends a range, so a blank line between events is a range of its own, which holds no
 * data; all ranges together are all bytes, save a byte order mark at the start. Where a chunk ends between
 * the CR and LF of a blank line, the event is handed over at once and the LF follows as such an empty range.
 *
 * A range that lies in a chunk is a view of that chunk; a range put together from several is in memory of
 * its own. Neither is written again, so a receiver may keep it.
 */
export class SseSplitter {
  readonly #maxEventBytes: number;
  /** The held tail is `#held[0, #length)`; the rest of `#held` is room to grow. */
  #held: Buffer = EMPTY;
  #length = 0;
  /** Nothing has been decided about a byte order mark yet. */
  #fresh = true;
  /** How the held tail ends: at the start of a line, and, if so, whether that line's end was a CR. */
  #atLineStart = true;
  #afterCr = false;
  /** The next LF and CR of the chunk at hand; -1 if they must be searched for, Infinity if there is none. */
  #nextLf = -1;
  #nextCr = -1;

  /** @param maxEventBytes how large one event may become, in bytes */
  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes;
  }

  /** The bytes of the event that has begun and not ended. */
  get pending(): Buffer {
    return this.#held.subarray(0, this.#length);
  }

  /** True if everything that came belongs to whole events: a stream may end here, a comment may go in here. */
  get endsBetweenEvents(): boolean {
    return this.#length === 0;
  }

  /**
   * Calls `onEvent` for each event that `chunk` completes, in order.
   * @throws SluiceError `upstream_invalid_answer` if an event exceeds the limit
   */
  push(chunk: Buffer, onEvent: SseRange): void {
    let start = 0;
    if (this.#fresh) {
      const first = this.#takeStart(chunk);
      if (first === undefined) return;
      chunk = first;
      if (startsWithByteOrderMark(chunk)) start = 3;
    }
    if (chunk.length === 0) return;
    this.#nextLf = -1;
    this.#nextCr = -1;
    if (this.#length > 0) {
      const end = this.#findEnd(chunk, 0);
      this.#hold(chunk, 0, end === -1 ? chunk.length : end);
      if (end === -1) return;
      const event = this.#held;
      const length = this.#length;
      this.#release();
      onEvent(event, 0, length);
      start = end;
    }
    while (start < chunk.length) {
      const end = this.#findEnd(chunk, start);
      if (end === -1) {
        this.#hold(chunk, start, chunk.length);
        return;
      }
      if (end - start > this.#maxEventBytes) throw this.#tooLarge();
      onEvent(chunk, start, end);
      start = end;
    }
  }

  /** The stream's first bytes, once there are enough of them to know whether they are a byte order mark. */
  #takeStart(chunk: Buffer): Buffer | undefined {
    const all = this.#length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    if (all.length === 0 || (all.length < 3 && couldBeByteOrderMark(all))) {
      this.#held = all;
      this.#length = all.length;
      return undefined;
    }
    this.#fresh = false;
    this.#held = EMPTY;
    this.#length = 0;
    return all;
  }

  /** Offset after the blank line that ends the event, or -1; then it remembers how the chunk ended. */
  #findEnd(chunk: Buffer, start: number): number {
    const { length } = chunk;
    let at = start;
    if (this.#afterCr) {
      this.#afterCr = false;
      if (chunk[at] === LF && ++at === length) return -1;
    }
    let lineStart = this.#atLineStart ? at : -1;
    for (;;) {
      const lineEnd = this.#nextLineEnd(chunk, at);
      if (lineEnd === Infinity) {
        this.#atLineStart = false;
        return -1;
      }
      at = lineEnd + 1;
      const isCr = chunk[lineEnd] === CR;
      if (isCr && chunk[at] === LF) at++;
      this.#atLineStart = true;
      if (lineEnd === lineStart) return at;
      if (at === length) {
        this.#afterCr = isCr && lineEnd === length - 1;
        return -1;
      }
      lineStart = at;
    }
  }

  /** Offset of the next LF or CR. Each is searched for natively, and again only once `from` has passed it. */
  #nextLineEnd(chunk: Buffer, from: number): number {
    if (this.#nextLf < from) this.#nextLf = chunk[from] === LF ? from : search(chunk, LF, from);
    if (this.#nextCr < from) this.#nextCr = search(chunk, CR, from);
    return this.#nextLf < this.#nextCr ? this.#nextLf : this.#nextCr;
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#maxEventBytes) throw this.#tooLarge();
    if (length > this.#held.length) {
      const grown = Buffer.allocUnsafe(this.#length === 0 ? length : 2 * length);
      this.#held.copy(grown, 0, 0, this.#length);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#length, start, end);
    this.#length = length;
  }

  #release(): void {
    this.#held = EMPTY;
    this.#length = 0;
  }

  #tooLarge(): SluiceError {
    return new SluiceError(
      "upstream_invalid_answer",
      `The upstream's stream holds an event of more than ${this.#maxEventBytes} bytes.`,
    );
  }
}

function search(chunk: Buffer, byte: number, from: number): number {
  const at = chunk.indexOf(byte, from);
  return at === -1 ? Infinity : at;
}

function couldBeByteOrderMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && (bytes.length < 2 || bytes[1] === 0xbb);
}

function startsWithByteOrderMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/**
 * Decodes one event as a splitter delimits it: comments and unknown fields are ignored, several `data`
 * lines are joined by LF, invalid UTF-8 becomes U+FFFD. `retry` is not reported: a gateway does not reconnect.
 */
export function parseSseEvent(buffer: Buffer, start: number, end: number): SseEvent {
  let event = "";
  let data: string | undefined;
  let id: string | undefined;
  let at = start;
  while (at < end) {
    const lineEnd = findLineEnd(buffer, at, end);
    const field = fieldLength(buffer, at, lineEnd);
    if (field === DATA && startsWith(buffer, at, "data")) {
      const text = fieldValue(buffer, at + field, lineEnd);
      data = data === undefined ? text : `${data}\n${text}`;
    } else if (field === EVENT && startsWith(buffer, at, "event")) {
      event = fieldValue(buffer, at + field, lineEnd);
    } else if (field === ID && startsWith(buffer, at, "id")) {
      const text = fieldValue(buffer, at + field, lineEnd);
      if (!text.includes("\0")) id = text;
    }
    at = lineEnd + 1;
  }
  return id === undefined ? { event, data: data ?? "" } : { event, data: data ?? "", id };
}

/** Lengths of the field names that count. */
const DATA = 4;
const EVENT = 5;
const ID = 2;

function findLineEnd(buffer: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const byte = buffer[at]!;
    if (byte === LF || byte === CR) break;
    at++;
  }
  return at;
}

/** Length of the name before the colon, or of the whole line if there is none; of long names, any long number. */
function fieldLength(buffer: Buffer, start: number, lineEnd: number): number {
  const end = Math.min(lineEnd, start + EVENT + 1);
  let at = start;
  while (at < end && buffer[at] !== COLON) at++;
  return at - start;
}

function startsWith(buffer: Buffer, start: number, name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    if (buffer[start + index] !== name.charCodeAt(index)) return false;
  }
  return true;
}

/** What follows the colon at `colon`, less one space; "" if the line ends instead. */
function fieldValue(buffer: Buffer, colon: number, lineEnd: number): string {
  const start = buffer[colon + 1] === SPACE ? colon + 2 : colon + 1;
  return start < lineEnd ? buffer.toString("utf8", start, lineEnd) : "";
}
