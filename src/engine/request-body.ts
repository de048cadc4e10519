/** Reads the body of a client's request, to its end or to its limit. */
import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";

/** What becomes of a body; exactly one of them is called, and neither if the client leaves in the midst of it. */
export interface BodyReceiver {
  /** The answer has been given before the end of the body: nobody wants the rest. */
  readonly answered: () => boolean;
  readonly onBody: (body: Buffer) => void;
  readonly onTooLarge: () => void;
}

/** @param maxBytes a body that is longer is not read further: `onTooLarge` */
export function readRequestBody(request: IncomingMessage, maxBytes: number, receiver: BodyReceiver): void {
  let chunks: Buffer[] = [];
  let length = 0;
  request.on("data", (chunk: Buffer) => {
    if (receiver.answered()) {
      chunks = [];
      return;
    }
    length += chunk.length;
    if (length > maxBytes) {
      chunks = [];
      receiver.onTooLarge();
      return;
    }
    chunks.push(chunk);
  });
  request.on("end", () => {
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
    // the request, and with it this function, may live as long as a stream; the body need not
    chunks = [];
    if (!receiver.answered()) {
      receiver.onBody(body);
    }
  });
}

/** The client has not sent all of its body. Of a request that has none, node may not have noted the end yet. */
export function stillArrives(request: IncomingMessage | Http2ServerRequest): boolean {
  if (request.complete) {
    return false;
  }
  if ("stream" in request) {
    // on HTTP/2 a body needs no header that announces it
    return !request.stream.endAfterHeaders;
  }
  return request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
}
