/**
 * What parsers of HTTP/1.x requests and responses have in common (RFC 9112): finding heads, and reading bodies by length
 * or in chunks. Strict where framing is concerned: what could be read in two ways is refused. Body bytes are handed on as
 * views of the chunk they came in.
 */
import { HttpSyntaxError } from "./http-syntax-error.ts";
import { isHeaderLine } from "./headers.ts";

const USUAL_HEAD_BYTES = 4 * 1024;
/** A chunk's size line with its extensions. */
const MAX_LINE_BYTES = 4 * 1024;
const CONTENT_LENGTH = /^\d{1,15}$/;
/** What must not be in trailers (RFC 9110 section 6.5.1): somebody may take it for a header. */
const FRAMING_LINE = /^(?:content-length|transfer-encoding):/i;
const END_OF_HEAD = Buffer.from("\r\n\r\n");
const CR = 13;
const LF = 10;

type State = "head" | "length" | "chunkSize" | "chunkData" | "chunkEnd" | "trailers" | "untilClose" | "done";

export interface MessageLimits {
  readonly maxHeadBytes: number;
  readonly maxTrailerBytes: number;
  /** Of a body: what stands behind the sizes of its chunks. */
  readonly maxExtensionBytes: number;
}

export abstract class MessageParser {
  protected state: State = "head";
  /** Nothing more is handed on. */
  protected stopped = false;
  protected readonly limits: MessageLimits;
  /** Bytes of the head, or of a line, that has not ended yet. */
  #held: Buffer | undefined;
  #remaining = 0;
  #trailerBytes = 0;
  #extensionBytes = 0;

  constructor(limits: MessageLimits) {
    this.limits = limits;
  }

  /** Nothing more is handed on. */
  stop(): void {
    this.stopped = true;
  }

  /**
   * Refuses what cannot become a head, which then is not waited for.
   * @param head as far as it came @param checked bytes of it that were checked before @throws HttpSyntaxError
   */
  protected abstract checkPartialHead(head: Buffer, checked: number): void;
  /** Takes a head, without the empty line at its end, and says how the body is framed. */
  protected abstract takeHead(head: string, moreFollows: boolean): void;
  /** Size and extensions of a chunk. */
  protected abstract readonly chunkSizeLine: RegExp;
  protected abstract takeData(chunk: Buffer): void;
  /** The message has ended. */
  protected abstract takeEnd(moreFollows: boolean): void;

  /** Makes ready for the next message. */
  protected reset(): void {
    this.state = "head";
    this.stopped = false;
    this.#held = undefined;
    this.#trailerBytes = 0;
    this.#extensionBytes = 0;
  }

  /** The body has the length that a `content-length` says. @throws HttpSyntaxError */
  protected beginLength(text: string): void {
    if (!CONTENT_LENGTH.test(text)) {
      throw new HttpSyntaxError("content-length is not a number");
    }
    this.#remaining = Number(text);
    this.state = this.#remaining === 0 ? "done" : "length";
  }

  /**
   * Reads from `at` until the bytes or the message end. Keeps views of them.
   * @returns where it stopped @throws HttpSyntaxError
   */
  protected read(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && !this.stopped) {
      switch (this.state) {
        case "head":
          at = this.#head(chunk, at);
          break;
        case "length":
        case "chunkData":
          at = this.#body(chunk, at);
          break;
        case "chunkSize":
          at = this.#chunkSize(chunk, at);
          break;
        case "chunkEnd":
          at = this.#chunkEnd(chunk, at);
          break;
        case "trailers":
          at = this.#trailers(chunk, at);
          break;
        case "untilClose":
          this.takeData(at === 0 ? chunk : chunk.subarray(at));
          return chunk.length;
        case "done":
          return at;
      }
    }
    return at;
  }

  #head(chunk: Buffer, at: number): number {
    const held = this.#held;
    if (held === undefined) {
      // most heads lie in one chunk; a string is searched faster than a buffer, and the head becomes one anyway
      const text = chunk.toString("latin1", at, Math.min(chunk.length, at + USUAL_HEAD_BYTES));
      const length = text.indexOf("\r\n\r\n");
      if (length >= 0 && length <= this.limits.maxHeadBytes) {
        const end = at + length + 4;
        this.takeHead(text.slice(0, length), end < chunk.length);
        return end;
      }
    }
    const all = held === undefined ? chunk.subarray(at) : Buffer.concat([held, chunk.subarray(at)]);
    const end = all.indexOf(END_OF_HEAD, Math.max(0, (held?.length ?? 0) - 3));
    if ((end < 0 ? all.length : end) > this.limits.maxHeadBytes) {
      throw new HttpSyntaxError(`the head is larger than ${this.limits.maxHeadBytes} bytes`, "tooLarge");
    }
    if (end < 0) {
      this.checkPartialHead(all, held?.length ?? 0);
      this.#held = Buffer.from(all);
      return chunk.length;
    }
    this.#held = undefined;
    this.takeHead(all.toString("latin1", 0, end), end + 4 < all.length);
    return chunk.length - (all.length - (end + 4));
  }

  #body(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#remaining);
    this.#remaining -= end - at;
    const inChunk = this.state === "chunkData";
    if (this.#remaining === 0) {
      this.state = inChunk ? "chunkEnd" : "done";
    }
    this.takeData(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    if (this.state === "done" && !this.stopped) {
      this.takeEnd(end < chunk.length);
    }
    return end;
  }

  /** The common case, a short size line that lies in this chunk, is read without making a string of it. */
  #chunkSize(chunk: Buffer, at: number): number {
    if (this.#held === undefined) {
      let size = 0;
      let digits = 0;
      let index = at;
      for (; index < chunk.length && digits < 8; index++, digits++) {
        const value = hexValue(chunk[index]!);
        if (value < 0) {
          break;
        }
        size = size * 16 + value;
      }
      if (digits > 0 && chunk[index] === CR && chunk[index + 1] === LF) {
        this.#beginChunk(size);
        return index + 2;
      }
    }
    return this.#slowChunkSize(chunk, at);
  }

  #slowChunkSize(chunk: Buffer, at: number): number {
    const line = this.#line(chunk, at);
    if (line === undefined) {
      return chunk.length;
    }
    const size = this.chunkSizeLine.exec(line.text)?.[1];
    if (size === undefined) {
      throw new HttpSyntaxError("a chunk's size is not a number");
    }
    this.#extensionBytes += line.text.length - size.length;
    if (this.#extensionBytes > this.limits.maxExtensionBytes) {
      throw new HttpSyntaxError("the extensions of chunks are too large", "tooLarge");
    }
    this.#beginChunk(Number.parseInt(size, 16));
    return line.end;
  }

  #beginChunk(size: number): void {
    this.#remaining = size;
    this.state = size === 0 ? "trailers" : "chunkData";
  }

  #chunkEnd(chunk: Buffer, at: number): number {
    if (this.#held === undefined && chunk[at] === CR && chunk[at + 1] === LF) {
      this.state = "chunkSize";
      return at + 2;
    }
    const line = this.#line(chunk, at);
    if (line === undefined) {
      return chunk.length;
    }
    if (line.text !== "") {
      throw new HttpSyntaxError("a chunk is longer than its size");
    }
    this.state = "chunkSize";
    return line.end;
  }

  #trailers(chunk: Buffer, at: number): number {
    const line = this.#line(chunk, at);
    if (line === undefined) {
      return chunk.length;
    }
    this.#trailerBytes += line.text.length + 2;
    if (this.#trailerBytes > this.limits.maxTrailerBytes) {
      throw new HttpSyntaxError("the trailers are too large", "tooLarge");
    }
    if (line.text === "") {
      this.state = "done";
      this.takeEnd(line.end < chunk.length);
    } else if (!isHeaderLine(line.text) || FRAMING_LINE.test(line.text)) {
      throw new HttpSyntaxError("a trailer is malformed");
    }
    return line.end;
  }

  /** The line that ends in this chunk, and where the next begins; undefined if it goes on. Lines end in CRLF. */
  #line(chunk: Buffer, at: number): { readonly text: string; readonly end: number } | undefined {
    const lf = chunk.indexOf(LF, at);
    const end = lf < 0 ? chunk.length : lf + 1;
    const bytes = chunk.subarray(at, end);
    const all = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes]);
    if (all.length > MAX_LINE_BYTES) {
      throw new HttpSyntaxError("a line of a chunk is too long");
    }
    if (lf < 0) {
      this.#held = Buffer.from(all);
      return undefined;
    }
    this.#held = undefined;
    if (all[all.length - 2] !== CR) {
      throw new HttpSyntaxError("a line does not end in CRLF");
    }
    return { text: all.toString("latin1", 0, all.length - 2), end };
  }
}

/** The value of a hexadecimal digit, or -1. */
function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) {
    return byte - 48;
  }
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
