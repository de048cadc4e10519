/** One client's connection: which exchanges it carries, since when it carries none, and how it is refused. */
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { DIALECTS } from "../dialects/builtin.ts";
import type { Exchange, ExchangeCarrier } from "../engine/exchange.ts";
import { SluiceError } from "../lib/errors.ts";

/** After a refusal the client gets this long to read it and to close. */
const LINGER_MS = 1_000;
/** Requests that one connection carries at once; nobody but an attacker sends as many without waiting for an answer. */
const MAX_EXCHANGES = 128;

/** What a connection needs of its socket, be it a TLS one or not. */
export type ClientSocket = Duplex & {
  readonly bytesRead?: number;
  readonly alpnProtocol?: string | false | null;
  setTimeout(timeoutMs: number): unknown;
};

export class ClientConnection implements ExchangeCarrier {
  readonly #exchanges = new Set<Exchange>();
  readonly #socket: ClientSocket;
  #idleSince = performance.now();
  #bytesRead: number;
  #refusal: SluiceError | undefined;
  #clientIsWatched = false;
  /** An answer is out whose request has not ended: nothing can follow it. */
  #answeredEarly = false;
  /** Requests that came although nothing more is taken. */
  #ignored = 0;

  constructor(socket: ClientSocket) {
    this.#socket = socket;
    this.#bytesRead = socket.bytesRead ?? 0;
    socket.once("close", () => {
      for (const exchange of this.#exchanges) {
        exchange.clientLeft();
      }
    });
  }

  /** It ends after what is under way: nothing more is taken from it. */
  get ending(): boolean {
    return this.#refusal !== undefined || this.#answeredEarly;
  }

  /** Another request on it is too much. */
  get full(): boolean {
    return this.#exchanges.size >= MAX_EXCHANGES;
  }

  /** A request came on a connection that is full: it ends after what it carries. */
  refuseMore(): void {
    const message = `More than ${MAX_EXCHANGES} requests were sent on one connection without waiting for an answer.`;
    this.refuse(new SluiceError("invalid_request", message));
  }

  /** A request came while it is ending. Each one takes memory until the connection is closed. */
  ignore(): void {
    this.#ignored += 1;
    if (this.#ignored > MAX_EXCHANGES) {
      this.#socket.destroy();
    }
  }

  /** Remembers the exchange, to tell it when the connection goes away. */
  carry(exchange: Exchange): void {
    if (exchange.ended) {
      this.ended(exchange);
      return;
    }
    this.#exchanges.add(exchange);
    exchange.connection = this;
  }

  ended(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
    this.#idleSince = performance.now();
    this.#bytesRead = this.#socket.bytesRead ?? 0;
    if (exchange.arriving) {
      this.#answeredEarly = true;
    }
    if (this.#refusal !== undefined && this.#exchanges.size === 0) {
      this.#close(this.#refusal);
    }
  }

  /** It carries no request, and none has begun to arrive. */
  get idle(): boolean {
    return this.#exchanges.size === 0 && this.#bytesRead === this.#socket.bytesRead;
  }

  /**
   * It has been idle since `time`; or it has carried no request since `longAgo`, whatever has arrived (a client can send
   * line ends for ever without beginning a request).
   */
  idleAt(time: number, longAgo: number): boolean {
    return this.#idleSince <= longAgo ? this.#exchanges.size === 0 : this.#idleSince <= time && this.idle;
  }

  /**
   * Lets node close the connection (by its `timeout` event) when its client takes nothing of what waits for it for
   * `timeoutMs`. Such clients are rare: a timer for every connection would be moved with every chunk.
   */
  watchClient(timeoutMs: number): void {
    const waits = this.#socket.writableLength > 0;
    if (waits !== this.#clientIsWatched) {
      this.#clientIsWatched = waits;
      this.#socket.setTimeout(waits ? timeoutMs : 0);
    }
  }

  /** What came is not, or not yet, a request. The answers before it are given first, then the connection ends. */
  refuse(error: SluiceError): void {
    if (this.#refusal !== undefined) {
      // the parser says it again with everything that comes after
      return;
    }
    if (this.#answeredEarly || this.idle) {
      // a client that only connected would take an answer for that to the request which it sends in this moment
      this.#socket.destroy();
      return;
    }
    this.#refusal = error;
    if (this.#exchanges.size === 0) {
      this.#close(error);
    }
    for (const exchange of this.#exchanges) {
      if (exchange.arriving) {
        exchange.sendError(error);
      }
    }
  }

  #close(error: SluiceError): void {
    if (this.#socket.writable) {
      this.#socket.end(this.#answeredEarly ? "" : refusalText(error));
    }
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }
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
