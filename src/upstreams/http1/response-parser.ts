/**
 * Parses HTTP/1.x responses (RFC 9112) from a connection, one after the other. Body bytes are handed on as views of the
 * chunk they came in.
 */
import type { IncomingHttpHeaders } from "node:http";
import { HeaderReader } from "../../lib/http1/headers.ts";
import { HttpSyntaxError } from "../../lib/http1/http-syntax-error.ts";
import { MessageParser } from "../../lib/http1/message-parser.ts";

// a stream that pads each of its sizes may go on for hours
const LIMITS = { maxHeadBytes: 64 * 1024, maxTrailerBytes: 16 * 1024, maxExtensionBytes: Infinity };
/** 1xx before an answer. */
const MAX_INTERIMS = 100;
const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const LF = 10;

/** Receives one response. The receiver may abort within any call: it then calls `stop`. */
export interface ResponseReceiver {
  onHead(status: number, headers: IncomingHttpHeaders): void;
  onData(chunk: Buffer): void;
  /** @param reusable the connection may carry another request */
  onEnd(reusable: boolean): void;
}

export class ResponseParser extends MessageParser {
  // some servers write spaces after the size
  protected readonly chunkSizeLine: RegExp = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?$/;
  readonly #receiver: ResponseReceiver;
  readonly #headers = new HeaderReader();
  #reusable = true;
  #interims = 0;
  /** Something has come since `next`. */
  heard = false;

  constructor(receiver: ResponseReceiver) {
    super(LIMITS);
    this.#receiver = receiver;
  }

  /** Makes the parser ready for the next response on the same connection. */
  next(): void {
    this.reset();
    this.#reusable = true;
    this.#interims = 0;
    this.heard = false;
  }

  /** Takes what was read. The parser keeps views of it. @throws HttpSyntaxError */
  push(chunk: Buffer): void {
    this.heard ||= !this.stopped;
    if (this.read(chunk, 0) < chunk.length && !this.stopped) {
      throw new HttpSyntaxError("there is more than the response promised");
    }
  }

  /** The peer closed the connection. Returns true when that was a proper end of the response. */
  closed(): boolean {
    if (this.state === "untilClose" && !this.stopped) {
      this.state = "done";
      this.#receiver.onEnd(false);
      return true;
    }
    return this.state === "done";
  }

  protected checkPartialHead(head: Buffer, checked: number): void {
    // what cannot become a status line is refused at once, not after waiting for more of it
    if (!"HTTP/1.".startsWith(head.toString("latin1", 0, Math.min(7, head.length)))) {
      throw new HttpSyntaxError("what came is not HTTP/1.x");
    }
    for (let at = head.indexOf(LF, Math.max(1, checked)); at >= 0; at = head.indexOf(LF, at + 1)) {
      if (head[at - 1] === LF) {
        throw new HttpSyntaxError("a line does not end in CRLF");
      }
    }
  }

  protected takeHead(head: string, moreFollows: boolean): void {
    const statusLineEnd = head.indexOf("\r\n");
    const match = STATUS_LINE.exec(statusLineEnd < 0 ? head : head.slice(0, statusLineEnd));
    if (match === null) {
      throw new HttpSyntaxError("what came is not HTTP/1.x");
    }
    const status = Number(match[2]);
    if (status < 100 || status > 599) {
      throw new HttpSyntaxError("the response's status is none");
    }
    const headers = this.#headers.read(head, statusLineEnd);
    if (status < 200) {
      if (status === 101) {
        throw new HttpSyntaxError("the upstream switched protocols without being asked");
      }
      // an interim response: the real one follows
      this.#interims += 1;
      if (this.#interims > MAX_INTERIMS) {
        throw new HttpSyntaxError("there are too many interim responses");
      }
      return;
    }
    this.#frame(status, headers, match[1] === "0");
    this.#receiver.onHead(status, headers);
    if (this.state === "done" && !this.stopped) {
      this.takeEnd(moreFollows);
    }
  }

  protected takeData(chunk: Buffer): void {
    this.#receiver.onData(chunk);
  }

  protected takeEnd(moreFollows: boolean): void {
    this.stopped = moreFollows;
    this.#receiver.onEnd(this.#reusable && !moreFollows);
  }

  /** Message body length, RFC 9112 section 6.3. */
  #frame(status: number, headers: IncomingHttpHeaders, http10: boolean): void {
    const connection = headers.connection?.toLowerCase() ?? "";
    this.#reusable = http10 ? connection.includes("keep-alive") : !connection.includes("close");
    const coding = headers["transfer-encoding"];
    const length = headers["content-length"];
    if (status === 204 || status === 304) {
      this.state = "done";
      // a body that it announces, and must not have, could be taken for the next answer
      this.#reusable &&= coding === undefined && (length === undefined || length === "0");
    } else if (coding !== undefined) {
      if (!/^chunked(?:, chunked)*$/i.test(coding) || http10) {
        throw new HttpSyntaxError("the response has a transfer-encoding other than chunked");
      }
      this.#reusable &&= length === undefined;
      this.state = "chunkSize";
    } else if (length !== undefined) {
      this.beginLength(oneOf(length));
    } else {
      this.#reusable = false;
      this.state = "untilClose";
    }
  }
}

/** The length that is said once, or again and again (RFC 9112 section 6.3, 5). */
function oneOf(lengths: string): string {
  if (!lengths.includes(",")) {
    return lengths;
  }
  const [first = "", ...others] = lengths.split(",").map((length) => length.trim());
  return others.every((length) => length === first) ? first : lengths;
}
