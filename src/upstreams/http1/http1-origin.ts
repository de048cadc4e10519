/**
 * An origin on node:net and node:tls: a pool of HTTP/1.1 connections, one request at a time on each. It does what a
 * gateway needs and no more, which makes a chunk of a stream cost about half of what it does through a general client
 * (docs/decisions/0004-upstream-client.md).
 */
import type { IncomingHttpHeaders } from "node:http";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { DnsCache } from "../dns-cache.ts";
import {
  UpstreamFailure,
  type Origin,
  type OriginOptions,
  type UpstreamCall,
  type UpstreamHandler,
  type UpstreamRequest,
} from "../origin.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { requestHead } from "./request-head.ts";

/** Shorter than what common servers keep (uvicorn 5 s), so that we close first and lose no request to the race. */
const KEEP_ALIVE_MS = 4_000;
/** One that has been idle for so long may be closed by its peer in this moment. */
const MAY_BE_STALE_MS = 200;
/** A peer that closes the connection instead of reading the request does so at once. */
const REPEAT_WITHIN_MS = 500;
const SWEEP_MS = 1_000;
/** Requests that may wait for a connection; their own clocks bound how long. */
const MAX_WAITING = 10_000;
const READ_BYTES = 64 * 1024;

/**
 * Every plain socket of the thread reads into this one buffer: the operating system fills it and the callback empties
 * it within one turn. (On Windows reads are posted beforehand, so there sockets have buffers of their own.)
 */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

export class Http1Origin implements Origin, ConnectionOwner {
  readonly #options: OriginOptions;
  readonly #url: URL;
  readonly #dns: DnsCache;
  readonly #idle: Connection[] = [];
  readonly #waiting = new Set<Http1Call>();
  readonly #connections = new Set<Connection>();
  /** Connections open or being opened. */
  #open = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #tlsSession: Buffer | undefined;
  #closing: (() => void) | undefined;

  constructor(options: OriginOptions, dns: DnsCache) {
    this.#options = options;
    this.#url = new URL(options.url);
    this.#dns = dns;
  }

  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const call = new Http1Call(this, request, requestHead(request, this.#url.host), handler);
    this.#place(call);
    return call;
  }

  #place(call: Http1Call): void {
    const connection = this.#takeIdle();
    if (connection !== undefined && performance.now() - connection.idleSince >= MAY_BE_STALE_MS) {
      this.#beginIfOpen(call, connection);
    } else if (connection !== undefined) {
      this.#begin(call, connection);
    } else if (this.#open < this.#options.maxConnections) {
      this.#waiting.add(call);
      this.#connect(call);
    } else if (this.#waiting.size < MAX_WAITING) {
      this.#waiting.add(call);
    } else {
      process.nextTick(() => {
        call.onFailure(new UpstreamFailure("connect", new Error("too many requests wait for a connection")));
      });
    }
  }

  async close(): Promise<void> {
    for (const connection of this.#idle.splice(0)) {
      connection.destroy();
    }
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#closing = resolve;
      });
    }
    clearInterval(this.#sweeper);
  }

  idle(connection: Connection): void {
    const [call] = this.#waiting;
    if (call !== undefined) {
      this.#waiting.delete(call);
      this.#begin(call, connection);
    } else if (this.#closing === undefined) {
      connection.idleSince = performance.now();
      this.#idle.push(connection);
      this.#sweeper ??= setInterval(() => {
        this.#sweep();
      }, SWEEP_MS).unref();
    } else {
      connection.destroy();
    }
  }

  closed(connection: Connection): void {
    const index = this.#idle.indexOf(connection);
    if (index >= 0) {
      this.#idle.splice(index, 1);
    }
    this.#connections.delete(connection);
    this.#released();
  }

  /** The call's client left before there was a connection. */
  forget(call: Http1Call): void {
    this.#waiting.delete(call);
  }

  /** The peer closed the connection without reading the request: a new one takes it. */
  repeat(call: Http1Call): void {
    this.#waiting.add(call);
    if (this.#open < this.#options.maxConnections) {
      this.#connect(call);
    }
  }

  /**
   * Uses a connection that may be closing. That its peer has closed it may be known to the system and not yet to us: the
   * second turn begins after the system was asked. What nobody can know beforehand, `Http1Call` repeats.
   */
  #beginIfOpen(call: Http1Call, connection: Connection): void {
    call.connection = connection;
    setImmediate(() => {
      setImmediate(() => {
        if (call.over) {
          return;
        }
        if (connection.usable) {
          call.repeatableUntil = performance.now() + REPEAT_WITHIN_MS;
          this.#begin(call, connection);
        } else {
          call.connection = undefined;
          this.#place(call);
        }
      });
    });
  }

  #begin(call: Http1Call, connection: Connection): void {
    call.connection = connection;
    const { head, body } = call.takeRequest();
    connection.send(head, body, call);
  }

  /** The most recently used connection: the others may grow cold and go. */
  #takeIdle(): Connection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      // the sweeper comes once a second only, and the peer may be about to close what has been idle for longer
      if (connection.usable && performance.now() - connection.idleSince < KEEP_ALIVE_MS) {
        return connection;
      }
      connection.destroy();
    }
    return undefined;
  }

  /** @param asker the call that wants the connection; another one may get it */
  #connect(asker: Http1Call | undefined): void {
    this.#open += 1;
    let connection: Connection | undefined;
    const onData = (chunk: Buffer): void => connection?.received(chunk);
    const socket = this.#url.protocol === "https:" ? this.#openTls(onData) : this.#openPlain(onData);
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error("the connection was not made in time"), { code: "ETIMEDOUT" }));
    }, this.#options.connectTimeoutMs);
    const onError = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      this.#connectFailed(error, asker);
    };
    socket.once("error", onError);
    socket.once(this.#url.protocol === "https:" ? "secureConnect" : "connect", () => {
      clearTimeout(timer);
      socket.off("error", onError);
      connection = new Connection(socket, this);
      this.#connections.add(connection);
      this.idle(connection);
    });
  }

  #openPlain(onData: (chunk: Buffer) => void): Socket {
    const shared = process.platform === "win32" ? Buffer.allocUnsafeSlow(READ_BYTES) : readBuffer;
    return connectPlain({
      ...this.#address(80),
      onread: {
        buffer: shared,
        callback: (length) => {
          // the buffer is used again for the next read of any socket
          onData(Buffer.from(shared.subarray(0, length)));
          return true;
        },
      },
    });
  }

  #openTls(onData: (chunk: Buffer) => void): Socket {
    const { hostname } = this.#url;
    const socket = connectTls({
      ...this.#address(443),
      servername: /^[\d.]+$|^\[/.test(hostname) ? "" : hostname,
      ALPNProtocols: ["http/1.1"],
      ...(this.#tlsSession === undefined ? undefined : { session: this.#tlsSession }),
    });
    socket.on("session", (session) => {
      this.#tlsSession = session;
    });
    socket.on("data", onData);
    return socket;
  }

  #address(defaultPort: number): {
    host: string;
    port: number;
    lookup: DnsCache["lookup"];
    noDelay: true;
    keepAlive: true;
  } {
    const host = this.#url.hostname.replace(/^\[|\]$/g, "");
    const port = Number(this.#url.port) || defaultPort;
    return { host, port, lookup: this.#dns.lookup, noDelay: true, keepAlive: true };
  }

  /** With a connection that could not be made fails the call that asked for it, if it still waits. */
  #connectFailed(error: NodeJS.ErrnoException, asker: Http1Call | undefined): void {
    const kind = error.code === "ETIMEDOUT" ? "connectTimeout" : "connect";
    const call = asker ?? this.#firstToFail(kind);
    const waited = call !== undefined && this.#waiting.delete(call);
    this.#released();
    if (waited) {
      call.onFailure(new UpstreamFailure(kind, error));
    }
  }

  /** Nobody asked for that connection in particular. Of a timeout all learn by clocks of their own, each in its time. */
  #firstToFail(kind: "connectTimeout" | "connect"): Http1Call | undefined {
    const [first] = this.#waiting;
    return kind === "connect" ? first : undefined;
  }

  /** A place in the pool is free. */
  #released(): void {
    this.#open -= 1;
    if (this.#waiting.size > this.#connecting() && this.#open < this.#options.maxConnections) {
      this.#connect(undefined);
    }
    if (this.#open === 0) {
      this.#closing?.();
    }
  }

  #connecting(): number {
    return this.#open - this.#connections.size;
  }

  #sweep(): void {
    const oldest = performance.now() - KEEP_ALIVE_MS;
    for (const connection of this.#idle.filter(({ idleSince }) => idleSince < oldest)) {
      connection.destroy();
    }
    if (this.#idle.length === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    }
  }
}

/** A call and, for its connection, the handler of the answer: it notes the end, after which the connection is another's. */
class Http1Call implements UpstreamCall, UpstreamHandler {
  connection: Connection | undefined;
  /** Until then the request is kept, to be sent again if its connection turns out to be closed; 0 for never. */
  repeatableUntil = 0;
  #head: string;
  #body: Buffer | null;
  readonly #handler: UpstreamHandler;
  readonly #origin: Http1Origin;
  #over = false;

  constructor(origin: Http1Origin, request: UpstreamRequest, head: string, handler: UpstreamHandler) {
    this.#origin = origin;
    this.#head = head;
    this.#body = request.body;
    this.#handler = handler;
  }

  /** What is to be written, once: a stream that stays open for minutes must not keep its request. */
  takeRequest(): { readonly head: string; readonly body: Buffer | null } {
    const taken = { head: this.#head, body: this.#body };
    if (this.repeatableUntil === 0) {
      this.#dropRequest();
    }
    return taken;
  }

  #dropRequest(): void {
    this.#head = "";
    this.#body = null;
  }

  get over(): boolean {
    return this.#over;
  }

  abort(): void {
    if (this.#over) {
      return;
    }
    this.#over = true;
    if (this.connection === undefined) {
      this.#origin.forget(this);
    } else {
      this.connection.destroy();
    }
  }

  pause(): void {
    if (!this.#over) {
      this.connection?.pause();
    }
  }

  resume(): void {
    if (!this.#over) {
      this.connection?.resume();
    }
  }

  onSent(): void {
    this.#handler.onSent();
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    if (this.repeatableUntil > 0) {
      this.#dropRequest();
    }
    this.#handler.onHead(status, headers);
  }

  onData(chunk: Buffer): void {
    this.#handler.onData(chunk);
  }

  onEnd(): void {
    this.#over = true;
    this.#handler.onEnd();
  }

  onFailure(failure: UpstreamFailure): void {
    if (this.#over) {
      return;
    }
    if (this.#wasNotRead(failure)) {
      this.repeatableUntil = 0;
      this.connection = undefined;
      this.#origin.repeat(this);
    } else {
      this.#over = true;
      this.#handler.onFailure(failure);
    }
  }

  /**
   * The connection had long been idle, and was reset at once and without a byte of an answer. A peer resets what it
   * closes with something unread in it: it closed the idle connection and has not seen the request, so that sending it
   * again is safe (RFC 9110 section 9.2.2), though it is a POST. One that read the request and then closes ends the
   * connection properly; this may be an attempt that failed, and is never repeated here.
   */
  #wasNotRead({ cause }: UpstreamFailure): boolean {
    if (this.repeatableUntil <= performance.now() || this.connection?.heard !== false) {
      return false;
    }
    const { code } = cause as NodeJS.ErrnoException;
    return code === "ECONNRESET" || code === "EPIPE";
  }
}
