import { connect } from "node:net";
import type { Socket } from "node:net";
import { MessageReader } from "./http-reader.ts";
import type { LoadJob } from "./protocol.ts";

const EVENT_END = Buffer.from("\n\n");
const DONE = Buffer.from("data: [DONE]\n\n");
const NEWLINE = 10;

/** One read buffer for all connections: what is read is used up before the next read. */
const READ_BUFFER = Buffer.allocUnsafe(256 * 1024);

/** How one request ended. */
export type Ending = "ok" | "failed" | "aborted";

export interface ConnectionOwner {
  events(count: number): void;
  firstEvent(sentAt: number): void;
  ended(connection: LoadConnection, ending: Ending, sentAt: number, reason: string): void;
}

/** One keep-alive connection with at most one request on it. A connection that broke is made anew for the next request. */
export class LoadConnection {
  readonly #job: LoadJob;
  readonly #owner: ConnectionOwner;
  readonly #tail = Buffer.alloc(DONE.length);
  #socket: Socket | undefined;
  #reader: MessageReader | undefined;
  #busy = false;
  #sentAt = 0;
  #status = "";
  #eventSeen = false;
  #newlineLast = false;
  #abortAtEvent = false;

  constructor(job: LoadJob, owner: ConnectionOwner) {
    this.#job = job;
    this.#owner = owner;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** Sends a request. `abort`: give it up at once, or when its first event has come. */
  send(request: Buffer, abort: "never" | "at-once" | "at-first-event" = "never"): void {
    this.#busy = true;
    this.#status = "";
    this.#eventSeen = false;
    this.#newlineLast = false;
    this.#abortAtEvent = abort === "at-first-event";
    this.#socket ??= this.#open();
    this.#sentAt = performance.now();
    this.#socket.write(request);
    if (abort === "at-once") {
      const socket = this.#socket;
      setTimeout(() => {
        if (this.#socket === socket && this.#busy) {
          this.#abort();
        }
      }, 1);
    }
  }

  /** Closes the connection; a request on it ends as failed. */
  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
    this.#end("failed", "not answered in time");
  }

  #open(): Socket {
    const reader = new MessageReader(
      { head: (text) => this.#head(text), body: (bytes) => this.#body(bytes), end: () => this.#complete() },
      "until-close",
    );
    this.#reader = reader;
    const socket = connect({
      host: this.#job.host,
      port: this.#job.port,
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (length) => {
          if (this.#socket === socket) {
            this.#read(length);
          }
          return true;
        },
      },
    });
    socket.on("error", (error) => this.#broken(socket, error.message));
    socket.on("close", () => this.#broken(socket, "closed before the answer's end"));
    return socket;
  }

  #read(length: number): void {
    try {
      this.#reader?.push(READ_BUFFER.subarray(0, length));
    } catch (error) {
      const socket = this.#socket;
      if (socket !== undefined) {
        this.#broken(socket, String(error));
      }
    }
  }

  #head(text: string): void {
    this.#status = text.slice(9, 12);
  }

  #body(bytes: Buffer): void {
    if (this.#job.answers === "whole") {
      return;
    }
    if (bytes.length >= DONE.length) {
      bytes.copy(this.#tail, 0, bytes.length - DONE.length);
    } else {
      this.#tail.copyWithin(0, bytes.length);
      bytes.copy(this.#tail, DONE.length - bytes.length);
    }
    const count = this.#countEvents(bytes);
    if (count === 0) {
      return;
    }
    this.#owner.events(count);
    if (!this.#eventSeen) {
      this.#eventSeen = true;
      this.#owner.firstEvent(this.#sentAt);
      if (this.#abortAtEvent) {
        this.#abort();
      }
    }
  }

  #countEvents(bytes: Buffer): number {
    let count = 0;
    let at = 0;
    if (this.#newlineLast && bytes[0] === NEWLINE) {
      count++;
      at = 1;
    }
    for (;;) {
      const end = bytes.indexOf(EVENT_END, at);
      if (end < 0) {
        break;
      }
      count++;
      at = end + 2;
    }
    this.#newlineLast = at < bytes.length && bytes[bytes.length - 1] === NEWLINE;
    return count;
  }

  #complete(): void {
    const stream = this.#job.answers === "events" && this.#eventSeen;
    if (this.#status !== "200") {
      this.#end("failed", `status ${this.#status}`);
    } else if (stream && !this.#tail.equals(DONE)) {
      this.#end("failed", "a stream ended without [DONE]");
    } else {
      this.#end("ok", "");
    }
  }

  #abort(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
    this.#end("aborted", "");
  }

  #broken(socket: Socket, reason: string): void {
    if (this.#socket === socket) {
      this.#socket = undefined;
      socket.destroy();
      this.#end("failed", reason);
    }
  }

  #end(ending: Ending, reason: string): void {
    if (this.#busy) {
      this.#busy = false;
      this.#owner.ended(this, ending, this.#sentAt, reason);
    }
  }
}
