/**
 * The HTTP listener of a worker: HTTP/1 of our own, or TLS with HTTP/2 offered by ALPN. Every connection and every part of
 * a request has a limit in size and time.
 */
import { createServer as createHttp2Server, constants, type Http2Server } from "node:http2";
import type { Http2ServerRequest, ServerHttp2Session } from "node:http2";
import { createServer as createNetServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from "node:tls";
import type { ListenConfig, ServerConfig } from "../config/snapshot.ts";
import type { Exchange } from "../engine/exchange.ts";
import { Http1Connection, type OnRequest, tooSlow } from "./http1/http1-connection.ts";
import { Http2Answer } from "./http2-answer.ts";

/** How often the timeouts of idle and slow connections are looked at. */
const CHECK_INTERVAL_MS = 1_000;
const MAX_HTTP2_STREAMS = 1_000;
const SOCKETS = { noDelay: true, keepAlive: true, highWaterMark: 64 * 1024 };

export class Listener {
  readonly #server: Server;
  readonly #connections = new Set<Http1Connection>();
  /** Of HTTP/2. */
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #config: ServerConfig;
  readonly #onRequest: OnRequest;
  readonly #sweeper: NodeJS.Timeout;
  #tls: ServerConfig["tls"];

  constructor(config: ServerConfig, onRequest: OnRequest) {
    this.#config = config;
    this.#onRequest = onRequest;
    this.#tls = config.tls;
    this.#server = config.tls === undefined ? this.#plainServer() : this.#secureServer(config.tls);
    this.#server.maxConnections = config.maxConnections;
    // a connection that could not be accepted (no memory, no file handle) is its client's loss, not that of all others
    this.#server.on("error", () => {});
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
    this.#server.close();
    for (const session of this.#sessions) {
      session.close();
    }
    this.closeIdle();
  }

  /** Closes the connections that carry no request now. */
  closeIdle(): void {
    for (const connection of this.#connections) {
      if (connection.idle) {
        connection.socket.destroy();
      }
    }
  }

  /** Ends every connection now. */
  destroy(): void {
    clearInterval(this.#sweeper);
    for (const { socket } of this.#connections) {
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
    (this.#server as TlsServer).setSecureContext(tls);
  }

  #plainServer(): Server {
    return createNetServer(SOCKETS, (socket) => {
      this.#connected(socket);
    });
  }

  #secureServer({ cert, key }: { cert: string; key: string }): TlsServer {
    const http2 = this.#http2Server();
    const options = {
      ...SOCKETS,
      cert,
      key,
      minVersion: "TLSv1.2",
      handshakeTimeout: this.#config.headersTimeoutMs,
      ALPNProtocols: ["h2", "http/1.1"],
    } as const;
    const server = createTlsServer(options, (socket: TLSSocket) => {
      if (socket.alpnProtocol === "h2") {
        http2.emit("connection", socket);
      } else {
        this.#connected(socket);
      }
    });
    // node leaves it open, also when the time for the handshake is over
    return server.on("tlsClientError", (_error, socket) => socket.destroy());
  }

  /** Does not listen: it is given the connections on which HTTP/2 was agreed. */
  #http2Server(): Http2Server {
    const { maxHeaderBytes } = this.#config;
    const settings = { maxConcurrentStreams: MAX_HTTP2_STREAMS, maxHeaderListSize: maxHeaderBytes };
    const server = createHttp2Server({ settings, Http2ServerResponse: Http2Answer });
    const handle = (request: Http2ServerRequest, response: Http2Answer): void => {
      const exchange = this.#onRequest(request, response);
      if (exchange !== undefined) {
        this.#watchStream(request, response, exchange);
      }
    };
    server.on("request", handle);
    server.on("checkContinue", handle);
    // for proxies; node leaves such a stream without an answer
    server.on("connect", (_request: Http2ServerRequest, response: Http2Answer) => {
      response.writeHead(405).end();
    });
    server.on("session", (session) => {
      this.#sessionBegan(session);
    });
    return server;
  }

  #connected(socket: Socket): void {
    const connection = new Http1Connection(socket, this.#config, this.#onRequest);
    this.#connections.add(connection);
    socket.once("close", () => {
      this.#connections.delete(connection);
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

  /** On HTTP/2 a stream is one exchange; the time for a body is not node's matter there. */
  #watchStream(request: Http2ServerRequest, response: Http2Answer, exchange: Exchange): void {
    const { stream } = response;
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

  /** A timer for each connection would be moved twice a request; one look a second at all of them costs less. */
  #sweep(): void {
    const now = performance.now();
    for (const connection of this.#connections) {
      connection.sweep(now);
    }
  }
}
