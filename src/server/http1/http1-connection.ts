/**
 * One client's HTTP/1.x connection: it carries one request after the other. What a client sends before it has its answer
 * waits. Reading goes on all the while, since that is how a client's leaving is noticed: more than a little of what was
 * sent ahead is therefore dropped, and the connection ended after the answers to what came before (RFC 9112 section
 * 9.3.2 wants clients that do so to be ready for that).
 */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { ServerConfig } from "../../config/snapshot.ts";
import { DIALECTS } from "../../dialects/builtin.ts";
import type { ClientAnswer, ClientRequest } from "../../engine/client-messages.ts";
import type { Exchange, ExchangeCarrier } from "../../engine/exchange.ts";
import { BytePieces } from "../../lib/byte-pieces.ts";
import { SluiceError } from "../../lib/errors.ts";
import { HttpSyntaxError } from "../../lib/http1/http-syntax-error.ts";
import { RequestParser, type RequestHead, type RequestReceiver } from "../../lib/http1/request-parser.ts";
import { type AnswerCarrier, Http1Answer } from "./http1-answer.ts";
import { Http1Request } from "./http1-request.ts";

/** After its last answer a client that still sends gets this long to read it and to close. */
const LINGER_MS = 1_000;
/** Bytes of further requests that wait. */
const MAX_AHEAD_BYTES = 64 * 1024;
const TOO_MUCH_AHEAD = `More than ${MAX_AHEAD_BYTES} bytes were sent on one connection without waiting for an answer.`;
/** Bytes that are still taken of a request which was answered before its end; `server.requestTimeout` bounds the time. */
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024;

const NOTHING = Buffer.alloc(0);

export type OnRequest = (request: ClientRequest, answer: ClientAnswer) => Exchange | undefined;

export type Http1Limits = Pick<
  ServerConfig,
  "maxHeaderBytes" | "headersTimeoutMs" | "requestTimeoutMs" | "keepAliveTimeoutMs"
>;

/** Whether anything is taken from the connection, and why not. */
type State = "open" | "discarding" | "ending";

export class Http1Connection implements AnswerCarrier, ExchangeCarrier, RequestReceiver {
  readonly socket: Socket;
  readonly onTaken: (error?: Error | null) => void;
  readonly #limits: Http1Limits;
  readonly #onRequest: OnRequest;
  readonly #parser: RequestParser;
  #state: State = "open";
  /** Of the request whose answer has not been taken as a whole. */
  #request: Http1Request | undefined;
  #answer: Http1Answer | undefined;
  #exchange: Exchange | undefined;
  readonly #ahead = new BytePieces();
  /** Something sent ahead was dropped: nothing that comes after it makes sense. */
  #overflowed = false;
  #discardedBytes = 0;
  #idleSince = performance.now();
  #requestSince = 0;
  #clientIsWatched = false;
  /** What the client had not taken when it was looked at last, and since when. */
  #waitingBytes = 0;
  #waitingSince = 0;

  constructor(socket: Socket, limits: Http1Limits, onRequest: OnRequest) {
    this.socket = socket;
    this.#limits = limits;
    this.#onRequest = onRequest;
    this.#parser = new RequestParser(this, limits.maxHeaderBytes);
    this.onTaken = (error) => {
      // with an error the connection is about to be closed
      if (error === undefined || error === null) {
        this.#answered();
      }
    };
    socket.on("data", (chunk: Buffer) => {
      this.#received(chunk);
    });
    socket.on("drain", () => {
      this.#answer?.drained();
    });
    // `close` follows
    socket.on("error", () => {});
    socket.on("timeout", () => socket.destroy());
    socket.on("close", () => {
      this.#parser.stop();
      this.#exchange?.clientLeft();
    });
  }

  /** It carries no request, and none has begun to arrive. */
  get idle(): boolean {
    return this.#answer === undefined && this.#parser.isBetween && this.#ahead.length === 0;
  }

  get #sendsAhead(): boolean {
    return this.#ahead.length > 0 || this.#overflowed;
  }

  onHead(head: RequestHead): void {
    const request = new Http1Request(head);
    const answer = new Http1Answer(this, head);
    this.#request = request;
    this.#answer = answer;
    if (head.method === "CONNECT") {
      this.#refuse(new SluiceError("method_not_allowed", "CONNECT is not possible here; this is no proxy."));
      return;
    }
    if (head.minorVersion === 1 && head.headers.expect !== undefined && !isContinue(head.headers.expect)) {
      this.#refuseExpectation(request, answer);
      return;
    }
    const exchange = this.#onRequest(request, answer);
    if (exchange !== undefined && !exchange.ended) {
      this.#exchange = exchange;
      exchange.connection = this;
    }
  }

  onData(chunk: Buffer): void {
    this.#request?.arrived(chunk);
  }

  onEnd(): void {
    this.#request?.ended();
    if (this.#state === "discarding") {
      this.#end();
    }
  }

  ended(): void {
    this.#exchange = undefined;
  }

  endEarly(): void {
    this.#state = "discarding";
    // closing at once would reset the connection, and take the answer from a client that reads when it has sent everything
    this.socket.end();
  }

  /** To be called about once a second: ends what takes too long. @param now monotonic milliseconds */
  sweep(now: number): void {
    const { headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs } = this.#limits;
    const takenMs = now - this.#requestSince;
    if (this.#answer === undefined && this.#parser.isBetween) {
      // a client that connects has something to ask
      if (now - this.#idleSince > (this.#requestSince === 0 ? headersTimeoutMs : keepAliveTimeoutMs)) {
        this.socket.destroy();
      }
    } else if (this.#answer === undefined) {
      // the head is a part of the request
      if (takenMs > Math.min(headersTimeoutMs, requestTimeoutMs)) {
        this.#refuse(tooSlow());
      }
    } else if (this.#request?.complete !== true && takenMs > requestTimeoutMs) {
      this.#refuse(tooSlow());
    }
    this.#watchClient(keepAliveTimeoutMs, now);
  }

  /**
   * Closes the connection when its client takes nothing of what waits for it for `timeoutMs`. Such clients are rare: a
   * timer for every connection would be moved with every chunk. To the socket's own timeout all that is read is life, so
   * that a client could hold its answer for ever by sending on: where it does, no write may take twice the time.
   */
  #watchClient(timeoutMs: number, now: number): void {
    const { writableLength } = this.socket;
    if (writableLength !== this.#waitingBytes) {
      this.#waitingBytes = writableLength;
      this.#waitingSince = now;
    } else if (writableLength > 0 && this.#sendsAhead && now - this.#waitingSince > 2 * timeoutMs) {
      this.socket.destroy();
    }
    const waits = writableLength > 0;
    if (waits !== this.#clientIsWatched) {
      this.#clientIsWatched = waits;
      this.socket.setTimeout(waits ? timeoutMs : 0);
    }
  }

  #received(chunk: Buffer): void {
    switch (this.#state) {
      case "open":
        if (this.#answer !== undefined && this.#parser.isDone) {
          this.#wait(chunk);
        } else {
          this.#wait(this.#take(chunk));
        }
        return;
      case "discarding":
        this.#discardedBytes += chunk.length;
        if (this.#discardedBytes > MAX_DISCARDED_BYTES) {
          this.socket.destroy();
        } else {
          this.#take(chunk);
        }
        return;
      case "ending":
    }
  }

  /** Takes bytes of the request that comes. @returns those of the next one */
  #take(chunk: Buffer): Buffer {
    if (this.#parser.isBetween) {
      this.#requestSince = performance.now();
    }
    try {
      return chunk.subarray(this.#parser.push(chunk, 0));
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) {
        throw error;
      }
      this.#refuse(refusalOf(error));
      return NOTHING;
    }
  }

  /** Keeps bytes of requests that are not begun with yet. */
  #wait(bytes: Buffer): void {
    this.#overflowed ||= this.#ahead.length + bytes.length > MAX_AHEAD_BYTES;
    if (!this.#overflowed && bytes.length > 0) {
      this.#ahead.push(bytes);
    }
  }

  /** The system has taken the answer: the next request is begun with. */
  #answered(): void {
    const answer = this.#answer;
    if (answer === undefined) {
      return;
    }
    answer.finished();
    this.#answer = undefined;
    this.#request = undefined;
    this.#idleSince = performance.now();
    if (!answer.keepsAlive || !this.#parser.isDone) {
      this.#end();
      return;
    }
    this.#parser.next();
    if (this.#sendsAhead) {
      this.#takeAhead();
    }
  }

  #takeAhead(): void {
    const rest = this.#take(this.#ahead.take());
    if (rest.length > 0) {
      this.#ahead.push(rest);
    }
    if (!this.#overflowed || this.#parser.isDone) {
      return;
    }
    if (this.#state === "open") {
      this.#refuse(new SluiceError("invalid_request", TOO_MUCH_AHEAD));
    } else {
      // it has been refused for another reason; closing at once would take the answer to that from its client
      this.#end("still sends");
    }
  }

  /** What came is not, or not yet, a request; the connection ends. */
  #refuse(error: SluiceError): void {
    this.#parser.stop();
    const exchange = this.#exchange;
    if (this.#state !== "open" || (this.idle && !this.#overflowed)) {
      // a client that only connected would take an answer for that to the request which it sends in this moment
      this.socket.destroy();
    } else if (exchange !== undefined) {
      exchange.sendError(error);
      this.#end("still sends");
    } else {
      this.socket.write(refusalText(error));
      this.#end("still sends");
    }
  }

  /** RFC 9110 section 10.1.1: an expectation that is not known cannot be met. */
  #refuseExpectation(request: ClientRequest, answer: Http1Answer): void {
    answer.writeHead(417, ["content-length", "0", "connection", "close"]);
    if (request.complete) {
      answer.end();
    } else {
      answer.endEarly();
    }
  }

  /** Nothing more is taken. A client that still sends would lose the last answer if the connection were closed at once. */
  #end(client: "is done" | "still sends" = this.#sendsAhead ? "still sends" : "is done"): void {
    this.#state = "ending";
    this.#ahead.clear();
    if (client === "is done") {
      this.socket.destroySoon();
      return;
    }
    this.socket.end();
    this.socket.resume();
    setTimeout(() => this.socket.destroy(), LINGER_MS).unref();
  }
}

function isContinue(expectation: string): boolean {
  return expectation.toLowerCase() === "100-continue";
}

/** For a request that takes longer than it may. */
export function tooSlow(): SluiceError {
  return new SluiceError("request_timeout", "The request did not arrive in time.");
}

function refusalOf({ reason, message }: HttpSyntaxError): SluiceError {
  return reason === "tooLarge"
    ? new SluiceError("header_too_large", "The request's header is too large.")
    : new SluiceError("invalid_request", `The request is not valid HTTP: ${message}.`);
}

/** An answer outside of any exchange. Which dialect the client speaks is not known: both have the message under `error`. */
function refusalText(error: SluiceError): string {
  const { status, body } = DIALECTS.openai.client.encodeError(error, "");
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(text)}`,
    "connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${text}`;
}
