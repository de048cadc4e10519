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

  /** Offset after the blank line that ends the event, or -1; remembers how the chunk ended. */
  #findEnd(chunk: Buffer, start: number): number {
    const { length } = chunk;
    let atLineStart = this.#atLineStart;
    let afterCr = this.#afterCr;
    for (let at = start; at < length; at++) {
      const byte = chunk[at]!;
      if (byte === LF) {
        if (afterCr) {
          afterCr = false;
          continue;
        }
        if (atLineStart) {
          this.#atLineStart = true;
          this.#afterCr = false;
          return at + 1;
        }
        atLineStart = true;
      } else if (byte === CR) {
        if (atLineStart) {
          this.#atLineStart = true;
          this.#afterCr = false;
          return chunk[at + 1] === LF ? at + 2 : at + 1;
        }
        atLineStart = true;
        afterCr = true;
      } else {
        atLineStart = false;
        afterCr = false;
      }
    }
    this.#atLineStart = atLineStart;
    this.#afterCr = afterCr;
    return -1;
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
    let lineEnd = at;
    while (lineEnd < end && buffer[lineEnd] !== LF && buffer[lineEnd] !== CR) lineEnd++;
    if (lineEnd > at) {
      let colon = at;
      while (colon < lineEnd && buffer[colon] !== COLON) colon++;
      const name = buffer.toString("utf8", at, colon);
      let value = Math.min(colon + 1, lineEnd);
      if (value < lineEnd && buffer[value] === SPACE) value++;
      const text = buffer.toString("utf8", value, lineEnd);
      if (name === "data") data = data === undefined ? text : `${data}\n${text}`;
      else if (name === "event") event = text;
      else if (name === "id" && !text.includes("\0")) id = text;
    }
    at = lineEnd + 1;
  }
  return id === undefined ? { event, data: data ?? "" } : { event, data: data ?? "", id };
}
