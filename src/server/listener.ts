/**
 * The HTTP listener of a worker: node:http, or TLS with HTTP/2 offered by ALPN. Its parser refuses what is ambiguous
 * (Content-Length with Transfer-Encoding, bad chunking, bare LF …); every connection and every part of a request has
 * a limit in size and time.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { Server as NetServer } from "node:net";
import type { Duplex } from "node:stream";
import type { ListenConfig, ServerConfig } from "../config/snapshot.ts";
import type { Exchange } from "../engine/exchange.ts";
import { SluiceError } from "../lib/errors.ts";
import { http2Stream } from "./answer-end.ts";
import { ClientConnection, type ClientSocket } from "./client-connection.ts";

/** How often the timeouts of idle and slow connections are looked at. */
const CHECK_INTERVAL_MS = 1_000;
const MAX_HTTP2_STREAMS = 1_000;

type OnRequest = (request: IncomingMessage, response: ServerResponse) => Exchange | undefined;

export class Listener {
  readonly #server: Server | Http2SecureServer;
  /** Of HTTP/1. */
  readonly #connections = new Map<Duplex, ClientConnection>();
  /** Of HTTP/2. */
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #config: ServerConfig;
  readonly #sweeper: NodeJS.Timeout;
  #tls: ServerConfig["tls"];

  constructor(config: ServerConfig, onRequest: OnRequest) {
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      this.#handle(request, response, onRequest);
    };
    this.#config = config;
    this.#tls = config.tls;
    this.#server = config.tls === undefined ? plainServer(config) : secureServer(config, config.tls);
    const server = this.#server as Server;
    server.maxConnections = config.maxConnections;
    // a connection that could not be accepted (no memory, no file handle) is its client's loss, not that of all others
    server.on("error", () => {});
    server.on("request", handle);
    server.on("checkContinue", handle);
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
      this.#refuse(error, socket);
    });
    server.on("connect", (request: IncomingMessage, socket: Duplex | ServerResponse) => {
      this.#refuseTunnel(request, socket);
    });
    server.on("session", (session: ServerHttp2Session) => {
      this.#sessionBegan(session);
    });
    server.on(config.tls === undefined ? "connection" : "secureConnection", (socket: ClientSocket) => {
      if (socket.alpnProtocol !== "h2") {
        this.#connected(socket);
      }
    });
    this.#sweeper = setInterval(() => {
      this.#sweep();
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
    // the servers' own `close` would end connections whose answer is written and not yet taken by a slow client
    NetServer.prototype.close.call(this.#server);
    for (const session of this.#sessions) {
      session.close();
    }
    this.closeIdle();
  }

  /** Closes the connections that carry no request now. */
  closeIdle(): void {
    for (const [socket, connection] of this.#connections) {
      if (connection.idle) {
        socket.destroy();
      }
    }
  }

  /** Ends every connection now. */
  destroy(): void {
    clearInterval(this.#sweeper);
    for (const socket of this.#connections.keys()) {
      socket.destroy();
    }
    for (const session of this.#sessions) {
      session.destroy();
    }
  }

  /** Uses another certificate from the next connection on. */
  renewTls(tls: ServerConfig["tls"]): void {
    const known = this.#tls;
    if (tls === undefined || known === undefined || (tls.cert === known.cert && tls.key === known.key)) {
      return;
    }
    this.#tls = tls;
    (this.#server as Http2SecureServer).setSecureContext(tls);
  }

  #connected(socket: ClientSocket): void {
    this.#connections.set(socket, new ClientConnection(socket));
    socket.once("close", () => {
      this.#connections.delete(socket);
    });
  }

  /** A session on which nothing moves takes no new streams; those under way may end. */
  #sessionBegan(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.setTimeout(this.#config.keepAliveTimeoutMs, () => {
      session.close();
    });
    session.once("close", () => {
      this.#sessions.delete(session);
    });
  }

  #handle(request: IncomingMessage, response: ServerResponse, onRequest: OnRequest): void {
    const stream = http2Stream(response);
    if (stream !== undefined) {
      const exchange = onRequest(request, response);
      if (exchange !== undefined) {
        this.#watchStream(request, response, exchange, stream);
      }
      return;
    }
    const connection = this.#connections.get(request.socket);
    if (connection === undefined || connection.ending) {
      connection?.ignore();
      return;
    }
    if (connection.full) {
      connection.refuseMore();
      return;
    }
    if (request.httpVersionMajor !== 1) {
      connection.refuse(new SluiceError("invalid_request", "Only HTTP/1.1 and HTTP/1.0 can be spoken here."));
      return;
    }
    if (request.httpVersionMinor === 0 && request.headers["transfer-encoding"] !== undefined) {
      // whoever passed it on may not have known chunks (RFC 9112 section 6.1)
      connection.refuse(new SluiceError("invalid_request", "HTTP/1.0 has no transfer-encoding."));
      return;
    }
    const exchange = onRequest(request, response);
    if (exchange !== undefined) {
      connection.carry(exchange);
    }
  }

  /** On HTTP/2 a stream is one exchange; the time for a body is not node's matter there. */
  #watchStream(
    request: IncomingMessage,
    response: ServerResponse,
    exchange: Exchange,
    stream: ServerHttp2Stream,
  ): void {
    const timer = setTimeout(() => {
      if (exchange.arriving) {
        exchange.sendError(tooSlow());
      }
    }, this.#config.requestTimeoutMs);
    // node says that an answer is finished whenever its stream is closed, by whom and how ever
    response.prependOnceListener("finish", () => {
      clearTimeout(timer);
      if (!response.writableEnded || stream.rstCode !== constants.NGHTTP2_NO_ERROR) {
        exchange.clientLeft();
      }
    });
    stream.setTimeout(this.#config.keepAliveTimeoutMs, () => {
      if (stream.writableLength > 0) {
        stream.close(constants.NGHTTP2_CANCEL);
      }
    });
    request.once("end", () => {
      clearTimeout(timer);
    });
  }

  /** CONNECT is for proxies: node would close the connection without a word. */
  #refuseTunnel(request: IncomingMessage, socket: Duplex | ServerResponse): void {
    if ("writeHead" in socket) {
      socket.writeHead(405).end();
      return;
    }
    const error = new SluiceError("method_not_allowed", "CONNECT is not possible here; this is no proxy.");
    this.#connections.get(request.socket)?.refuse(error);
  }

  /** Answers what the parser refuses, and requests that arrive too slowly. */
  #refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    const refusal = refusalOf(error);
    if (connection === undefined || refusal === undefined) {
      socket.destroy();
    } else {
      connection.refuse(refusal);
    }
  }

  /** Node's own timer for this would be moved twice a request; one look a second at all connections costs less. */
  #sweep(): void {
    const { keepAliveTimeoutMs, headersTimeoutMs } = this.#config;
    const oldest = performance.now() - keepAliveTimeoutMs;
    for (const [socket, connection] of this.#connections) {
      if (connection.idleAt(oldest, oldest - headersTimeoutMs)) {
        socket.destroy();
      } else {
        connection.watchClient(keepAliveTimeoutMs);
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
    // node wants it so; the header is a part of the request
    headersTimeout: Math.min(config.headersTimeoutMs, config.requestTimeoutMs),
    requestTimeout: config.requestTimeoutMs,
    keepAliveTimeout: 0,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    highWaterMark: 64 * 1024,
    insecureHTTPParser: false,
    // answered by the engine, in the client's dialect
    requireHostHeader: false,
    // of two Host or Authorization headers node would take the first and others perhaps the last: joined they are neither
    joinDuplicateHeaders: true,
  };
}

function secureServer(config: ServerConfig, tls: { cert: string; key: string }): Http2SecureServer {
  return createSecureServer({
    ...limits(config),
    allowHTTP1: true,
    cert: tls.cert,
    key: tls.key,
    minVersion: "TLSv1.2",
    handshakeTimeout: config.headersTimeoutMs,
    settings: { maxConcurrentStreams: MAX_HTTP2_STREAMS, maxHeaderListSize: config.maxHeaderBytes },
  });
}

function tooSlow(): SluiceError {
  return new SluiceError("request_timeout", "The request did not arrive in time.");
}

/** What to tell a client whose request could not be read; undefined if it cannot be told anything. */
function refusalOf({ code = "" }: NodeJS.ErrnoException): SluiceError | undefined {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return tooSlow();
  }
  if (code === "HPE_HEADER_OVERFLOW") {
    return new SluiceError("header_too_large", "The request's header is too large.");
  }
  // the connection's end within a request is no mistake in it: the client left
  const isMistake = code.startsWith("HPE_") && code !== "HPE_INVALID_EOF_STATE";
  return isMistake ? new SluiceError("invalid_request", "The request is not valid HTTP.") : undefined;
}
