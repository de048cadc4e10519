/**
 * The HTTP listener of a worker: node:http, or TLS with HTTP/2 offered by ALPN. Its parser refuses what is ambiguous
 * (Content-Length with Transfer-Encoding, bad chunking, bare LF …); every connection and every part of a request has
 * a limit in size and time.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createSecureServer, type Http2SecureServer } from "node:http2";
import type { Duplex } from "node:stream";
import { readFileSync } from "node:fs";
import type { ListenConfig, ServerConfig } from "../config/snapshot.ts";
import type { Exchange, ExchangeCarrier } from "../engine/exchange.ts";

/** How often the timeouts of idle and slow connections are looked at. */
const CHECK_INTERVAL_MS = 1_000;
const MAX_HTTP2_STREAMS = 1_000;

type OnRequest = (request: IncomingMessage, response: ServerResponse) => Exchange | undefined;

/** One client's connection: which exchanges it carries, and since when it carries none. */
class ClientConnection implements ExchangeCarrier {
  readonly exchanges = new Set<Exchange>();
  readonly #socket: Duplex & { readonly bytesRead?: number };
  #idleSince = performance.now();
  #bytesRead = 0;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  ended(exchange: Exchange): void {
    this.exchanges.delete(exchange);
    this.#idleSince = performance.now();
    this.#bytesRead = this.#socket.bytesRead ?? 0;
  }

  /** No request has been under way since `time`, and none has begun to arrive. */
  idleAt(time: number): boolean {
    return this.exchanges.size === 0 && this.#idleSince <= time && this.#bytesRead === this.#socket.bytesRead;
  }
}

export class Listener {
  readonly #server: Server | Http2SecureServer;
  readonly #connections = new Map<Duplex, ClientConnection>();
  readonly #keepAliveMs: number;
  readonly #sweeper: NodeJS.Timeout;

  constructor(config: ServerConfig, onRequest: OnRequest) {
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      this.#track(request, response, onRequest(request, response));
    };
    this.#server = config.tls === undefined ? plainServer(config) : secureServer(config, config.tls);
    const server = this.#server as Server;
    server.maxConnections = config.maxConnections;
    server.on("request", handle);
    server.on("checkContinue", handle);
    server.on("clientError", refuseMalformed);
    server.on(config.tls === undefined ? "connection" : "secureConnection", (socket: Duplex) => {
      this.#connected(socket);
    });
    this.#keepAliveMs = config.keepAliveTimeoutMs;
    this.#sweeper = setInterval(() => {
      this.#closeLongIdle();
    }, CHECK_INTERVAL_MS).unref();
  }

  /** Starts to listen. Resolves to the port, which is the given one unless that was 0. */
  listen(listen: ListenConfig, reusePort: boolean): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#server.once("error", reject);
    this.#server.listen({ host: listen.host, port: listen.port, reusePort, backlog: 4_096 }, () => {
      this.#server.off("error", reject);
      const address = this.#server.address();
      resolve(typeof address === "object" && address !== null ? address.port : listen.port);
    });
    return promise;
  }

  /** Takes no new connections; those that are idle are closed, the others after their answer. */
  stopAccepting(): void {
    this.#server.close();
    this.closeIdle();
  }

  /** Closes the connections that carry no request now. */
  closeIdle(): void {
    if ("closeIdleConnections" in this.#server) {
      this.#server.closeIdleConnections();
    }
  }

  /** Ends every connection now. */
  destroy(): void {
    clearInterval(this.#sweeper);
    for (const socket of this.#connections.keys()) {
      socket.destroy();
    }
  }

  #connected(socket: Duplex): void {
    const connection = new ClientConnection(socket);
    this.#connections.set(socket, connection);
    socket.once("close", () => {
      this.#connections.delete(socket);
      for (const exchange of connection.exchanges) {
        exchange.clientLeft();
      }
    });
  }

  /** Remembers which exchanges a connection carries, to tell them when it goes away. */
  #track(request: IncomingMessage, response: ServerResponse, exchange: Exchange | undefined): void {
    if (exchange === undefined || exchange.ended) {
      return;
    }
    if (request.httpVersionMajor >= 2) {
      response.once("close", () => {
        exchange.clientLeft();
      });
      return;
    }
    const connection = this.#connections.get(request.socket);
    if (connection !== undefined) {
      connection.exchanges.add(exchange);
      exchange.connection = connection;
    }
  }

  /** Node's own timer for this would be moved twice a request; one look a second at all connections costs less. */
  #closeLongIdle(): void {
    const oldest = performance.now() - this.#keepAliveMs;
    for (const [socket, connection] of this.#connections) {
      if (connection.idleAt(oldest)) {
        socket.destroy();
      }
    }
  }
}

function plainServer(config: ServerConfig): Server {
  return createServer({ ...limits(config), noDelay: true, keepAlive: true });
}

function limits(config: ServerConfig): object {
  return {
    maxHeaderSize: config.maxHeaderBytes,
    headersTimeout: config.headersTimeoutMs,
    requestTimeout: config.requestTimeoutMs,
    keepAliveTimeout: 0,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    highWaterMark: 64 * 1024,
    insecureHTTPParser: false,
  };
}

function secureServer(config: ServerConfig, tls: { cert: string; key: string }): Http2SecureServer {
  return createSecureServer({
    ...limits(config),
    allowHTTP1: true,
    cert: readFileSync(tls.cert),
    key: readFileSync(tls.key),
    minVersion: "TLSv1.2",
    settings: { maxConcurrentStreams: MAX_HTTP2_STREAMS },
  });
}

const REFUSALS: Readonly<Record<string, readonly [status: string, code: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [
    "431 Request Header Fields Too Large",
    "header_too_large",
    "The request's header is too large.",
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "request_timeout", "The request did not arrive in time."],
};
const MALFORMED = ["400 Bad Request", "invalid_request", "The request is not valid HTTP."] as const;

/** Answers what the parser refuses. The dialect is not known yet: both put the message under `error`. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, code, message] = REFUSALS[error.code ?? ""] ?? MALFORMED;
  const body = JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code } });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/**
 * The time that a client gets for the last event before its connection ends. One that learns of both at once may drop
 * the event: fetch, and with it the vendors' SDKs, discards what it has not handed out yet when a body breaks.
 */
const LAST_EVENT_MS = 250;

/** Ends the connection (HTTP/2: the stream) after what was written, so that the answer is seen not to be whole. */
export function cutOff(response: ServerResponse): void {
  if ("stream" in response) {
    const { stream } = response as unknown as { stream: { close(code: number): void } };
    const INTERNAL_ERROR = 2;
    stream.close(INTERNAL_ERROR);
    return;
  }
  const { socket } = response;
  if (response.req.httpVersion === "1.0") {
    // an HTTP/1.0 answer ends with its connection: only a reset shows that it is not whole
    setTimeout(() => socket?.resetAndDestroy(), LAST_EVENT_MS);
  } else {
    setTimeout(() => {
      response.req.socket.destroySoon();
    }, LAST_EVENT_MS);
  }
}
