/** An incremental HTTP/1.1 message reader for the bench's own client and server: no allocation beyond the head's text. */

const HEAD_END = Buffer.from("\r\n\r\n");
const MAX_HEAD_BYTES = 64 * 1024;
const NO_LENGTH = Number.POSITIVE_INFINITY;

/** What follows a head without `Content-Length` and `Transfer-Encoding`: nothing (requests), or all until the close (answers). */
export type Unframed = "empty" | "until-close";

export interface MessageHandler {
  head(text: string): void;
  /** Valid only during the call. */
  body(bytes: Buffer): void;
  end(): void;
}

type State = "head" | "sized" | "chunk-size" | "chunk-data" | "chunk-end" | "trailer";

export class MessageReader {
  readonly #handler: MessageHandler;
  readonly #unframed: Unframed;
  #state: State = "head";
  #pending: Buffer | undefined;
  #left = 0;
  #sizeDigits = 0;
  #lineLength = 0;

  constructor(handler: MessageHandler, unframed: Unframed) {
    this.#handler = handler;
    this.#unframed = unframed;
  }

  /** True between messages. */
  get idle(): boolean {
    return this.#state === "head" && this.#pending === undefined;
  }

  /** Takes the next bytes of the connection. Throws on what is not HTTP. */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      at = this.#step(bytes, at);
    }
  }

  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case "head":
        return this.#readHead(bytes, at);
      case "sized":
        return this.#readSized(bytes, at, "head");
      case "chunk-data":
        return this.#readSized(bytes, at, "chunk-end");
      case "chunk-size":
        return this.#readChunkSize(bytes, at);
      case "chunk-end":
        if (bytes[at] === 10) {
          this.#state = "chunk-size";
        }
        return at + 1;
      case "trailer":
        return this.#readTrailer(bytes, at);
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    let source = bytes;
    let start = at;
    if (this.#pending !== undefined) {
      source = Buffer.concat([this.#pending, bytes.subarray(at)]);
      start = 0;
    }
    const end = source.indexOf(HEAD_END, start);
    if (end < 0) {
      if (source.length - start > MAX_HEAD_BYTES) {
        throw new Error("head too long");
      }
      this.#pending = Buffer.from(source.subarray(start));
      return bytes.length;
    }
    const text = source.toString("latin1", start, end + 2);
    const consumed = end + 4 - start - (this.#pending?.length ?? 0);
    this.#pending = undefined;
    this.#frame(text);
    this.#handler.head(text);
    if (this.#state === "sized" && this.#left === 0) {
      this.#finish();
    }
    return at + consumed;
  }

  #frame(head: string): void {
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head);
    if (length !== null) {
      this.#state = "sized";
      this.#left = Number(length[1]);
      return;
    }
    if (/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) {
      this.#state = "chunk-size";
      this.#left = 0;
      this.#sizeDigits = 0;
      return;
    }
    this.#state = "sized";
    this.#left = this.#unframed === "empty" ? 0 : NO_LENGTH;
  }

  #readSized(bytes: Buffer, at: number, next: "head" | "chunk-end"): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    this.#handler.body(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    if (this.#left === 0) {
      if (next === "head") {
        this.#finish();
      } else {
        this.#state = next;
      }
    }
    return end;
  }

  #readChunkSize(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length) {
      const byte = bytes[at++] ?? 0;
      if (byte === 10) {
        this.#lineLength = 0;
        this.#state = this.#left > 0 ? "chunk-data" : "trailer";
        this.#sizeDigits = 0;
        return at;
      }
      if (byte === 13) {
        continue;
      }
      const digit = hexDigit(byte);
      if (digit < 0 || ++this.#sizeDigits > 8) {
        throw new Error("bad chunk size");
      }
      this.#left = this.#left * 16 + digit;
    }
    return at;
  }

  #readTrailer(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length) {
      const byte = bytes[at++];
      if (byte === 10) {
        if (this.#lineLength === 0) {
          this.#finish();
          return at;
        }
        this.#lineLength = 0;
      } else if (byte !== 13) {
        this.#lineLength++;
      }
    }
    return at;
  }

  #finish(): void {
    this.#state = "head";
    this.#handler.end();
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) {
    return byte - 48;
  }
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
