/** An HTTP/1.x request of a client, as its parts arrive. */
import type { IncomingHttpHeaders } from "node:http";
import type { ClientRequest } from "../../engine/client-messages.ts";
import type { RequestHead } from "../../lib/http1/request-parser.ts";

export class Http1Request implements ClientRequest {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  complete: boolean;
  #onData: ((chunk: Buffer) => void) | undefined;
  #onEnd: (() => void) | undefined;

  constructor({ method, target, minorVersion, headers, hasBody }: RequestHead) {
    this.method = method;
    this.url = target;
    this.httpVersion = minorVersion === 1 ? "1.1" : "1.0";
    this.headers = headers;
    this.complete = !hasBody;
  }

  on(event: "data", listener: (chunk: Buffer) => void): void;
  on(event: "end", listener: () => void): void;
  on(event: "data" | "end", listener: ((chunk: Buffer) => void) | (() => void)): void {
    if (event === "data") {
      this.#onData = listener;
    } else {
      this.#onEnd = listener as () => void;
    }
  }

  /** A part of the body has come; it is dropped if nobody reads. */
  arrived(chunk: Buffer): void {
    this.#onData?.(chunk);
  }

  /** All has come. */
  ended(): void {
    this.complete = true;
    this.#onEnd?.();
  }
}
