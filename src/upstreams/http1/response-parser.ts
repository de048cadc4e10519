/**
 * Parses HTTP/1.x responses (RFC 9112) from a connection, one after the other. Strict where framing is concerned: what
 * could be read in two ways is refused. Body bytes are handed on as views of the chunk they came in.
 */
import type { IncomingHttpHeaders } from "node:http";

const MAX_HEAD_BYTES = 64 * 1024;
const USUAL_HEAD_BYTES = 4 * 1024;
/** A chunk's size line with its extensions, and all trailers together. */
const MAX_LINE_BYTES = 4 * 1024;
const MAX_TRAILER_BYTES = 16 * 1024;
/** 1xx before an answer. */
const MAX_INTERIMS = 100;
const END_OF_HEAD = Buffer.from("\r\n\r\n");
const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// oxlint-disable-next-line no-control-regex -- control characters must not be in a head (RFC 9110 section 5.5), nor line ends other than CRLF
const FORBIDDEN_IN_HEAD = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;
const CONTENT_LENGTH = /^\d{1,15}$/;
const CR = 13;
const LF = 10;

/** What came is not HTTP, or not what its head promised. */
export class ResponseSyntaxError extends Error {
  override readonly name = "ResponseSyntaxError";
}

/** Receives one response. The receiver may abort within any call: it then calls `stop`. */
export interface ResponseReceiver {
  onHead(status: number, headers: IncomingHttpHeaders): void;
  onData(chunk: Buffer): void;
  /** @param reusable the connection may carry another request */
  onEnd(reusable: boolean): void;
}

type State = "head" | "length" | "chunkSize" | "chunkData" | "chunkEnd" | "trailers" | "untilClose" | "done";

export class ResponseParser {
  readonly #receiver: ResponseReceiver;
  #state: State = "head";
  /** Bytes of the head, or of a line, that has not ended yet. */
  #held: Buffer | undefined;
  #remaining = 0;
  #reusable = true;
  #trailerBytes = 0;
  #interims = 0;
  #stopped = false;
  /** Something has come since `next`. */
  heard = false;

  constructor(receiver: ResponseReceiver) {
    this.#receiver = receiver;
  }

  /** Makes the parser ready for the next response on the same connection. */
  next(): void {
    this.#state = "head";
    this.#held = undefined;
    this.#reusable = true;
    this.#trailerBytes = 0;
    this.#interims = 0;
    this.#stopped = false;
    this.heard = false;
  }

  /** Nothing more is handed on. */
  stop(): void {
    this.#stopped = true;
  }

  /** Takes what was read. The parser keeps views of it. @throws ResponseSyntaxError */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      switch (this.#state) {
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
          this.#receiver.onData(at === 0 ? chunk : chunk.subarray(at));
          return;
        case "done":
          throw new ResponseSyntaxError("there is more than the response promised");
      }
    }
  }

  /** The peer closed the connection. Returns true when that was a proper end of the response. */
  closed(): boolean {
    if (this.#state === "untilClose" && !this.#stopped) {
      this.#state = "done";
      this.#receiver.onEnd(false);
      return true;
    }
    return this.#state === "done";
  }

  #head(chunk: Buffer, at: number): number {
    this.heard = true;
    const held = this.#held;
    if (held === undefined) {
      // most heads lie in one chunk; a string is searched faster than a buffer, and the head becomes one anyway
      const text = chunk.toString("latin1", at, Math.min(chunk.length, at + USUAL_HEAD_BYTES));
      const length = text.indexOf("\r\n\r\n");
      if (length >= 0) {
        const end = at + length + 4;
        this.#readHead(text.slice(0, length), end < chunk.length);
        return end;
      }
    }
    const all = held === undefined ? chunk.subarray(at) : Buffer.concat([held, chunk.subarray(at)]);
    const end = all.indexOf(END_OF_HEAD, Math.max(0, (held?.length ?? 0) - 3));
    if (end < 0) {
      if (all.length > MAX_HEAD_BYTES) {
        throw new ResponseSyntaxError(`the response's head is larger than ${MAX_HEAD_BYTES} bytes`);
      }
      // what cannot become a status line is refused at once, not after waiting for more of it
      if (!"HTTP/1.".startsWith(all.toString("latin1", 0, Math.min(7, all.length)))) {
        throw new ResponseSyntaxError("what came is not HTTP/1.x");
      }
      if (all.includes("\n\n")) {
        throw new ResponseSyntaxError("a line does not end in CRLF");
      }
      this.#held = Buffer.from(all);
      return chunk.length;
    }
    this.#held = undefined;
    this.#readHead(all.toString("latin1", 0, end), end + 4 < all.length);
    return chunk.length - (all.length - (end + 4));
  }

  #readHead(head: string, moreFollows: boolean): void {
    const statusLineEnd = head.indexOf("\r\n");
    const match = STATUS_LINE.exec(statusLineEnd < 0 ? head : head.slice(0, statusLineEnd));
    if (match === null) {
      throw new ResponseSyntaxError("what came is not HTTP/1.x");
    }
    const status = Number(match[2]);
    if (status < 100 || status > 599) {
      throw new ResponseSyntaxError("the response's status is none");
    }
    const headers = parseHeaders(head, statusLineEnd);
    if (status < 200) {
      if (status === 101) {
        throw new ResponseSyntaxError("the upstream switched protocols without being asked");
      }
      // an interim response: the real one follows
      this.#interims += 1;
      if (this.#interims > MAX_INTERIMS) {
        throw new ResponseSyntaxError("there are too many interim responses");
      }
      return;
    }
    this.#frame(status, headers, match[1] === "0");
    this.#receiver.onHead(status, headers);
    if (this.#state === "done" && !this.#stopped) {
      this.#stopped = moreFollows;
      this.#receiver.onEnd(this.#reusable && !moreFollows);
    }
  }

  /** Message body length, RFC 9112 section 6.3. */
  #frame(status: number, headers: IncomingHttpHeaders, http10: boolean): void {
    const connection = headers.connection?.toLowerCase() ?? "";
    this.#reusable = http10 ? connection.includes("keep-alive") : !connection.includes("close");
    const coding = headers["transfer-encoding"];
    const length = headers["content-length"];
    if (status === 204 || status === 304) {
      this.#state = "done";
      // a body that it announces, and must not have, could be taken for the next answer
      this.#reusable &&= coding === undefined && (length === undefined || length === "0");
    } else if (coding !== undefined) {
      if (coding.toLowerCase() !== "chunked" || http10) {
        throw new ResponseSyntaxError("the response has a transfer-encoding other than chunked");
      }
      this.#reusable &&= length === undefined;
      this.#state = "chunkSize";
    } else if (length !== undefined) {
      if (!CONTENT_LENGTH.test(length)) {
        throw new ResponseSyntaxError("the response's content-length is not a number");
      }
      this.#remaining = Number(length);
      this.#state = this.#remaining === 0 ? "done" : "length";
    } else {
      this.#reusable = false;
      this.#state = "untilClose";
    }
  }

  #body(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#remaining);
    this.#remaining -= end - at;
    const inChunk = this.#state === "chunkData";
    if (this.#remaining === 0) {
      this.#state = inChunk ? "chunkEnd" : "done";
    }
    this.#receiver.onData(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    if (this.#state === "done" && !this.#stopped) {
      this.#stopped = end < chunk.length;
      this.#receiver.onEnd(this.#reusable && !this.#stopped);
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
    const size = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?$/.exec(line.text)?.[1];
    if (size === undefined) {
      throw new ResponseSyntaxError("a chunk's size is not a number");
    }
    this.#beginChunk(Number.parseInt(size, 16));
    return line.end;
  }

  #beginChunk(size: number): void {
    this.#remaining = size;
    this.#state = size === 0 ? "trailers" : "chunkData";
  }

  #chunkEnd(chunk: Buffer, at: number): number {
    if (this.#held === undefined && chunk[at] === CR && chunk[at + 1] === LF) {
      this.#state = "chunkSize";
      return at + 2;
    }
    const line = this.#line(chunk, at);
    if (line === undefined) {
      return chunk.length;
    }
    if (line.text !== "") {
      throw new ResponseSyntaxError("a chunk is longer than its size");
    }
    this.#state = "chunkSize";
    return line.end;
  }

  #trailers(chunk: Buffer, at: number): number {
    const line = this.#line(chunk, at);
    if (line === undefined) {
      return chunk.length;
    }
    this.#trailerBytes += line.text.length;
    if (this.#trailerBytes > MAX_TRAILER_BYTES) {
      throw new ResponseSyntaxError("the response's trailers are too large");
    }
    if (line.text === "") {
      this.#state = "done";
      this.#stopped = line.end < chunk.length;
      this.#receiver.onEnd(this.#reusable && !this.#stopped);
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
      throw new ResponseSyntaxError("a chunk's size line is too long");
    }
    if (lf < 0) {
      this.#held = Buffer.from(all);
      return undefined;
    }
    this.#held = undefined;
    if (all[all.length - 2] !== CR) {
      throw new ResponseSyntaxError("a line does not end in CRLF");
    }
    return { text: all.toString("latin1", 0, all.length - 2), end };
  }
}

/** @param at where the status line ends, -1 if nothing follows it */
function parseHeaders(head: string, at: number): IncomingHttpHeaders {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  if (FORBIDDEN_IN_HEAD.test(head)) {
    throw new ResponseSyntaxError("the response has a malformed header");
  }
  for (let lineEnd = at; lineEnd >= 0;) {
    const start = lineEnd + 2;
    lineEnd = head.indexOf("\r\n", start);
    const line = head.slice(start, lineEnd < 0 ? head.length : lineEnd);
    const colon = line.indexOf(":");
    const name = headerName(line.slice(0, Math.max(colon, 0)));
    const value = line.slice(colon + 1).trim();
    const before = headers[name];
    if (before === undefined) {
      headers[name] = value;
    } else if (name === "content-length" || name === "transfer-encoding") {
      if (before !== value) {
        throw new ResponseSyntaxError(`the response has two ${name} headers`);
      }
    } else {
      headers[name] = `${before}, ${value}`;
    }
  }
  return headers;
}

/** Names as they were sent to names in lower case: upstreams send the same ones over and over. */
const knownNames = new Map<string, string>();
const MAX_KNOWN_NAMES = 1_000;

function headerName(sent: string): string {
  const known = knownNames.get(sent);
  if (known !== undefined) {
    return known;
  }
  if (!HEADER_NAME.test(sent)) {
    throw new ResponseSyntaxError("the response has a malformed header");
  }
  const name = sent.toLowerCase();
  if (knownNames.size < MAX_KNOWN_NAMES) {
    knownNames.set(sent, name);
  }
  return name;
}

/** The value of a hexadecimal digit, or -1. */
function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) {
    return byte - 48;
  }
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
