/** Parses HTTP/1.x requests (RFC 9112) from a connection, one after the other; where RFC 9112 lets a server choose, it refuses. */
import { METHODS, type IncomingHttpHeaders } from "node:http";
import { ownText } from "../own-text.ts";
import { hasLine, HeaderReader, TOKEN } from "./headers.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import { MessageParser } from "./message-parser.ts";

const REQUEST_LINE = /^([A-Z-]+) ([!-~]+) HTTP\/(\d)\.(\d)$/;
/** Section 3.2; what CONNECT is followed by is for proxies. */
const TARGET = /^(?:\/|https?:\/\/|\*$)/i;
/** With extensions (section 7.1.1), which mean nothing here. */
const CHUNK_SIZE_LINE = new RegExp(`^([0-9A-Fa-f]{1,8})(?:;${TOKEN}(?:=(?:${TOKEN}|"[^"\\\\]*"))?)*$`);
/** Of all chunks of a body, as node takes: no limit of a body's size counts them. */
const MAX_EXTENSION_BYTES = 16 * 1024;
/** Others may not take the tab for a blank, and the coding for an unknown one. */
const CODING_WITH_TAB = /^transfer-encoding:[^\r]*\t/im;
/** Control characters (RFC 9110 section 5.5), and line ends other than CRLF. */
// oxlint-disable-next-line no-control-regex -- it is control characters that are looked for
const FORBIDDEN_IN_HEAD = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);
const LONGEST_METHOD = Math.max(...METHODS.map(({ length }) => length));
const CR = 13;
const LF = 10;

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  /** As it came: a path, a URL, an authority or `*`. */
  readonly target: string;
  /** Of HTTP/1. */
  readonly minorVersion: 0 | 1;
  readonly headers: IncomingHttpHeaders;
  /** A body follows; it may be empty. */
  readonly hasBody: boolean;
  /** The client may send another request after this one. */
  readonly keepsAlive: boolean;
}

interface RequestLine extends Pick<RequestHead, "method" | "target" | "minorVersion"> {
  readonly text: string;
}

/** No head begins with it. */
const NO_LINE: RequestLine = { text: "\r\n", method: "", target: "", minorVersion: 1 };

/** Receives one request after the other. */
export interface RequestReceiver {
  onHead(head: RequestHead): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
}

export class RequestParser extends MessageParser {
  protected readonly chunkSizeLine: RegExp = CHUNK_SIZE_LINE;
  readonly #receiver: RequestReceiver;
  readonly #headers = new HeaderReader();
  /** Of the request before, which is usually that of the next one as well. */
  #line: RequestLine = NO_LINE;
  /** Empty lines before a request (RFC 9112 section 2.2), in bytes. */
  #emptyBytes = 0;
  #isBetween = true;

  /** @param maxHeadBytes of a head, and of all trailers of a body */
  constructor(receiver: RequestReceiver, maxHeadBytes: number) {
    super({ maxHeadBytes, maxTrailerBytes: maxHeadBytes, maxExtensionBytes: MAX_EXTENSION_BYTES });
    this.#receiver = receiver;
  }

  /** Nothing of the next request has come. */
  get isBetween(): boolean {
    return this.#isBetween;
  }

  /** The request has ended; `next` makes ready for another. */
  get isDone(): boolean {
    return this.state === "done";
  }

  /** Makes ready for the next request. */
  next(): void {
    this.reset();
    this.#isBetween = true;
    this.#emptyBytes = 0;
  }

  /**
   * Takes what was read, up to the end of the request; the receiver keeps views of it.
   * @returns where that end is @throws HttpSyntaxError
   */
  push(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#isBetween) {
      while (at < chunk.length && (chunk[at] === CR || chunk[at] === LF)) {
        at++;
      }
      this.#emptyBytes += at - from;
      if (this.#emptyBytes > this.limits.maxHeadBytes) {
        throw new HttpSyntaxError("there is no request but empty lines", "tooLarge");
      }
      this.#isBetween = at === chunk.length;
    }
    return this.read(chunk, at);
  }

  protected checkPartialHead(head: Buffer, checked: number): void {
    // a line end may lie between the two; the line feed of a last carriage return may still come
    const from = checked > 0 && head[checked - 1] === CR ? checked - 1 : checked;
    const added = head.toString("latin1", from, head.at(-1) === CR ? head.length - 1 : head.length);
    const start = head.toString("latin1", 0, LONGEST_METHOD + 1);
    const space = start.indexOf(" ");
    const isPossible = space < 0 ? head.length <= LONGEST_METHOD : KNOWN_METHODS.has(start.slice(0, space));
    if (!isPossible || FORBIDDEN_IN_HEAD.test(added)) {
      throw new HttpSyntaxError("what came is not HTTP/1.x");
    }
  }

  protected takeHead(head: string): void {
    if (!hasLine(head, this.#line.text, 0)) {
      const lineEnd = head.indexOf("\r\n");
      // it is kept as long as the connection
      this.#line = readRequestLine(ownText(lineEnd < 0 ? head : head.slice(0, lineEnd)));
    }
    const { text, method, target, minorVersion } = this.#line;
    const headers = this.#headers.read(head, text.length === head.length ? -1 : text.length);
    const hasBody = this.#frame(headers, minorVersion, head);
    if (!hasBody) {
      this.state = "done";
    }
    const keepsAlive = keepsConnection(headers.connection, minorVersion);
    this.#receiver.onHead({ method, target, minorVersion, headers, hasBody, keepsAlive });
    if (this.state === "done" && !this.stopped) {
      this.#receiver.onEnd();
    }
  }

  protected takeData(chunk: Buffer): void {
    this.#receiver.onData(chunk);
  }

  protected takeEnd(): void {
    this.#receiver.onEnd();
  }

  /** Message body length, RFC 9112 section 6.3. @returns whether there is a body */
  #frame(headers: IncomingHttpHeaders, minorVersion: 0 | 1, head: string): boolean {
    const coding = headers["transfer-encoding"];
    const length = headers["content-length"];
    if (coding === undefined && length === undefined) {
      return false;
    }
    if (coding === undefined) {
      this.beginLength(length!);
      return this.state !== "done";
    }
    if (length !== undefined) {
      throw new HttpSyntaxError("there are both a content-length and a transfer-encoding");
    }
    if (minorVersion === 0) {
      // whoever passed it on may not have known chunks (section 6.1)
      throw new HttpSyntaxError("HTTP/1.0 has no transfer-encoding");
    }
    if (coding.toLowerCase() !== "chunked" || CODING_WITH_TAB.test(head)) {
      throw new HttpSyntaxError("the only transfer-encoding that can be read here is chunked");
    }
    this.state = "chunkSize";
    return true;
  }
}

/** @throws HttpSyntaxError */
function readRequestLine(text: string): RequestLine {
  const [, method, target, major, minor] = REQUEST_LINE.exec(text) ?? [];
  const isKnown = method !== undefined && KNOWN_METHODS.has(method);
  if (!isKnown || !(TARGET.test(target!) || method === "CONNECT")) {
    throw new HttpSyntaxError("the request line is malformed");
  }
  if (major !== "1" || (minor !== "0" && minor !== "1")) {
    throw new HttpSyntaxError("only HTTP/1.1 and HTTP/1.0 can be spoken here");
  }
  return { text, method, target: target!, minorVersion: minor === "1" ? 1 : 0 };
}

/** Persistence, RFC 9112 section 9.3. */
function keepsConnection(connection: string | undefined, minorVersion: 0 | 1): boolean {
  if (connection === undefined) {
    return minorVersion === 1;
  }
  const options = connection.toLowerCase().split(/[ \t]*,[ \t]*/);
  return minorVersion === 1 ? !options.includes("close") : options.includes("keep-alive") && !options.includes("close");
}
