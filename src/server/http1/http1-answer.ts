/** The answer to an HTTP/1.x request: head, framing, and how it ends. */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { ClientAnswer } from "../../engine/client-messages.ts";
import { frameChunk, LAST_CHUNK } from "../../lib/chunk-framing.ts";
import { isHeaderValue } from "../../lib/http1/headers.ts";
import type { RequestHead } from "../../lib/http1/request-parser.ts";
import { LAST_EVENT_MS } from "../last-event.ts";

/** Beyond this, putting head and body together costs more than a second buffer. */
const MAX_JOINED_BYTES = 16 * 1024;
const NO_BYTES = Buffer.alloc(0);

/** What an answer must know of its request. */
type AnsweredRequest = Pick<RequestHead, "method" | "minorVersion" | "keepsAlive">;

/** The connection that an answer goes out on. */
export interface AnswerCarrier {
  readonly socket: Socket;
  /** Is to be called when the system has taken the last of the answer. */
  readonly onTaken: (error?: Error | null) => void;
  /** All of the answer is written, and the request is still coming: the rest of it is thrown away. */
  endEarly(): void;
}

/** How the end of the body is known (RFC 9112 section 6.3). */
type Framing = "length" | "chunks" | "close" | "none";

export class Http1Answer implements ClientAnswer {
  statusCode = 200;
  headersSent = false;
  writableEnded = false;
  readonly #carrier: AnswerCarrier;
  readonly #request: AnsweredRequest;
  #keepsAlive: boolean;
  #framing: Framing = "length";
  /** A head that has not been written. */
  #head = "";
  #onFinish: (() => void) | undefined;
  #onDrain: (() => void) | undefined;

  constructor(carrier: AnswerCarrier, request: AnsweredRequest) {
    this.#carrier = carrier;
    this.#request = request;
    this.#keepsAlive = request.keepsAlive;
  }

  /** Another request may follow on the connection. */
  get keepsAlive(): boolean {
    return this.#keepsAlive;
  }

  get writableLength(): number {
    return this.#carrier.socket.writableLength;
  }

  on(event: "finish" | "drain", listener: () => void): void {
    if (event === "finish") {
      this.#onFinish = listener;
    } else {
      this.#onDrain = listener;
    }
  }

  /** The system has taken all of it. */
  finished(): void {
    this.#onFinish?.();
  }

  /** The client has taken what was written. */
  drained(): void {
    this.#onDrain?.();
  }

  writeContinue(): void {
    this.#carrier.socket.write("HTTP/1.1 100 Continue\r\n\r\n", "latin1");
  }

  /** @throws TypeError if a value holds what no header may: it could be the beginning of another header */
  writeHead(status: number, headers: readonly string[]): void {
    let text = statusLine(status);
    let hasLength = false;
    let saysConnection = false;
    for (let at = 0; at < headers.length; at += 2) {
      const name = headers[at]!;
      const value = headers[at + 1]!;
      if (!isHeaderValue(value)) {
        throw new TypeError(`the header ${name} of an answer has a value that no header can have`);
      }
      if (name === "content-length") {
        hasLength = true;
      } else if (name === "connection") {
        saysConnection = true;
        this.#keepsAlive &&= value !== "close";
      }
      text += `${name}: ${value}\r\n`;
    }
    text += dateLine();
    this.#framing = this.#framingOf(status, hasLength);
    if (this.#framing === "chunks") {
      text += "Transfer-Encoding: chunked\r\n";
    } else if (this.#framing === "close") {
      this.#keepsAlive = false;
    }
    if (!saysConnection) {
      text += this.#keepsAlive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
    }
    this.statusCode = status;
    this.#head = `${text}\r\n`;
    this.headersSent = true;
  }

  flushHeaders(): void {
    if (this.#head !== "") {
      this.#carrier.socket.write(this.#takeHead(), "latin1");
    }
  }

  write(bytes: Buffer | string): boolean {
    this.flushHeaders();
    const body = this.#framed(toBuffer(bytes));
    const { socket } = this.#carrier;
    return body.length === 0 ? !socket.writableNeedDrain : socket.write(body);
  }

  end(bytes: Buffer | string = NO_BYTES): void {
    this.writableEnded = true;
    const { socket, onTaken } = this.#carrier;
    const body = this.#framed(toBuffer(bytes));
    const last = this.#framing === "chunks" ? LAST_CHUNK : NO_BYTES;
    if (this.#framing === "close") {
      this.flushHeaders();
      socket.end(body, onTaken);
    } else if (body.length + last.length <= MAX_JOINED_BYTES) {
      // as a string it leaves in one write together with the head; latin1 keeps every byte as it is
      socket.write(`${this.#takeHead()}${latin1(body)}${latin1(last)}`, "latin1", onTaken);
    } else {
      socket.cork();
      this.flushHeaders();
      socket.write(body, last.length === 0 ? onTaken : undefined);
      if (last.length > 0) {
        socket.write(last, onTaken);
      }
      socket.uncork();
    }
  }

  cutOff(): void {
    setTimeout(() => {
      const { socket } = this.#carrier;
      if (this.#request.minorVersion === 1) {
        socket.destroySoon();
      } else if (socket instanceof TLSSocket) {
        // it cannot be reset; an end without TLS's own (RFC 8446, section 6.1) says the same
        socket.destroy();
      } else {
        // such an answer ends with its connection: only a reset shows that it is not whole
        socket.resetAndDestroy();
      }
    }, LAST_EVENT_MS);
  }

  endEarly(): void {
    this.writableEnded = true;
    this.flushHeaders();
    this.#carrier.endEarly();
  }

  #framingOf(status: number, hasLength: boolean): Framing {
    const { method, minorVersion } = this.#request;
    if (method === "HEAD" || status === 204 || status === 304) {
      return "none";
    }
    if (hasLength) {
      return "length";
    }
    return minorVersion === 1 ? "chunks" : "close";
  }

  #framed(bytes: Buffer): Buffer {
    switch (this.#framing) {
      case "chunks":
        return frameChunk(bytes);
      case "none":
        return NO_BYTES;
      default:
        return bytes;
    }
  }

  #takeHead(): string {
    const head = this.#head;
    this.#head = "";
    return head;
  }
}

function toBuffer(bytes: Buffer | string): Buffer {
  return typeof bytes === "string" ? Buffer.from(bytes) : bytes;
}

function latin1(bytes: Buffer): string {
  return bytes.length === 0 ? "" : bytes.toString("latin1");
}

const statusLines = new Map<number, string>();

function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n`;
    statusLines.set(status, line);
  }
  return line;
}

let dateSecond = 0;
let date = "";

/** The time in whole seconds, made once a second (RFC 9110 section 6.6.1). */
function dateLine(): string {
  const second = Math.floor(Date.now() / 1_000);
  if (second !== dateSecond) {
    dateSecond = second;
    date = `Date: ${new Date(second * 1_000).toUTCString()}\r\n`;
  }
  return date;
}
