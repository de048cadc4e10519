/** One connection to an upstream: a socket with a response parser, one request at a time. */
import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { UpstreamFailure, type UpstreamHandler } from "../origin.ts";
import { HttpSyntaxError } from "../../lib/http1/http-syntax-error.ts";
import { ResponseParser, type ResponseReceiver } from "./response-parser.ts";

/** Up to this size head and body are put together, so that they leave in one write. */
const MAX_JOINED_BYTES = 256 * 1024;
/** Of a larger body, what is written at a time. */
const PART_BYTES = 256 * 1024;
/** Where plain connections put them together; made anew when a socket keeps it. */
let joining: Buffer | undefined;

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** It can take another request. */
  idle(connection: Connection): void;
  /** It is gone. */
  closed(connection: Connection): void;
}

export class Connection implements ResponseReceiver {
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #parser = new ResponseParser(this);
  #handler: UpstreamHandler | undefined;
  #closed = false;
  /** Parts of the body wait to be written. */
  #isSending = false;
  /** Monotonic time at which it became idle. */
  idleSince = 0;

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    socket.on("end", () => {
      this.#gone(undefined);
    });
    socket.on("error", (error) => {
      this.#gone(error);
    });
    socket.on("close", () => {
      this.#gone(undefined);
    });
  }

  get usable(): boolean {
    return !this.#closed && this.#socket.writable;
  }

  /** Something has come since the last request was sent. */
  get heard(): boolean {
    return this.#parser.heard;
  }

  /** Writes a request; the answer goes to the handler. Only while idle. */
  send(head: string, body: Buffer | null, handler: UpstreamHandler): void {
    this.#handler = handler;
    this.#parser.next();
    handler.onSent();
    if (body === null || body.length === 0) {
      this.#socket.write(head, "latin1");
    } else if (head.length + body.length <= MAX_JOINED_BYTES) {
      this.#sendJoined(head, body);
    } else {
      this.#socket.write(head, "latin1");
      this.#sendParts(body, 0, handler);
    }
  }

  /**
   * A peer may answer by the head, and close. With a write that fails then goes what it has said, so that between the parts
   * of a large body there is time to read.
   */
  #sendParts(body: Buffer, from: number, handler: UpstreamHandler): void {
    const end = Math.min(body.length, from + PART_BYTES);
    this.#isSending = end < body.length;
    this.#socket.write(body.subarray(from, end), () => {
      if (this.#isSending) {
        setImmediate(() => {
          if (this.#handler === handler) {
            this.#sendParts(body, end, handler);
          }
        });
      }
    });
  }

  #sendJoined(head: string, body: Buffer): void {
    const length = head.length + body.length;
    // a TLS socket always reads later what it was given
    joining ??= Buffer.allocUnsafeSlow(MAX_JOINED_BYTES);
    const bytes = this.#socket instanceof TLSSocket ? Buffer.allocUnsafe(length) : joining.subarray(0, length);
    bytes.write(head, 0, "latin1");
    bytes.set(body, head.length);
    this.#socket.write(bytes);
    if (bytes.buffer === joining.buffer && this.#socket.writableLength > 0) {
      // the system has not taken all of it: the rest will be read from here
      joining = undefined;
    }
  }

  /** Takes bytes from the socket; the connection keeps views of them. */
  received(chunk: Buffer): void {
    if (this.#handler === undefined) {
      // nobody asked: whatever this is, the next request must not read it
      this.destroy();
      return;
    }
    try {
      this.#parser.push(chunk);
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) {
        throw error;
      }
      this.#fail(new UpstreamFailure("protocol", error));
    }
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends the request under way, without a word to its handler, and the connection. */
  destroy(): void {
    this.#handler = undefined;
    this.#parser.stop();
    this.#close();
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    this.#handler?.onHead(status, headers);
  }

  onData(chunk: Buffer): void {
    this.#handler?.onData(chunk);
  }

  onEnd(reusable: boolean): void {
    const handler = this.#handler;
    this.#handler = undefined;
    // an answer to a request that is not all sent: the next request would wait for somebody to read the rest of it
    const sent = this.#socket.writableLength === 0 && !this.#isSending;
    if (reusable && sent && this.usable) {
      this.#socket.resume();
      this.#owner.idle(this);
    } else {
      this.#close();
    }
    handler?.onEnd();
  }

  #gone(error: Error | undefined): void {
    if (this.#closed) {
      return;
    }
    if (this.#handler !== undefined && error === undefined && this.#parser.closed()) {
      this.#close();
      return;
    }
    this.#fail(new UpstreamFailure("reset", error ?? new Error("the upstream closed the connection")));
  }

  #fail(failure: UpstreamFailure): void {
    const handler = this.#handler;
    this.#handler = undefined;
    this.#parser.stop();
    this.#close();
    handler?.onFailure(failure);
  }

  #close(): void {
    if (!this.#closed) {
      this.#closed = true;
      this.#socket.destroy();
      this.#owner.closed(this);
    }
  }
}
