/** Reads the body of a client's request, to its end or to its limit. */
import type { Http2ServerRequest } from "node:http2";
import { BytePieces } from "../lib/byte-pieces.ts";
import { SluiceError } from "../lib/errors.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { ClientRequest } from "./client-messages.ts";

const NO_ROOM_RETRY_MS = 1_000;

/** What becomes of a body; exactly one of them is called, and neither if the client leaves in the midst of it. */
export interface BodyReceiver {
  /** The answer has been given before the end of the body: nobody wants the rest. */
  readonly answered: () => boolean;
  readonly onBody: (body: Buffer) => void;
  /** The body is larger than it may be, or all bodies together are: it is not read further. */
  readonly onRefused: (error: SluiceError) => void;
}

/**
 * @param budget what the body takes of it is given back when the returned function is called
 */
export function readRequestBody(
  request: ClientRequest,
  maxBytes: number,
  budget: BodyBudget,
  receiver: BodyReceiver,
): () => void {
  const pieces = new BytePieces();
  let held = 0;
  request.on("data", (chunk: Buffer) => {
    if (receiver.answered()) {
      pieces.clear();
      return;
    }
    if (pieces.length + chunk.length > maxBytes) {
      pieces.clear();
      receiver.onRefused(bodyTooLarge(maxBytes));
      return;
    }
    if (!budget.take(chunk.length, held)) {
      pieces.clear();
      receiver.onRefused(noRoom());
      return;
    }
    held += chunk.length;
    pieces.push(chunk);
  });
  request.on("end", () => {
    // the request, and with it this function, may live as long as a stream; the body need not
    const body = pieces.take();
    if (!receiver.answered()) {
      receiver.onBody(body);
    }
  });
  return () => {
    budget.giveBack(held);
    held = 0;
  };
}

export function bodyTooLarge(maxBytes: number): SluiceError {
  const message = `The request body is larger than this route takes (${maxBytes} bytes); send less, or raise server.maxBodyBytes.`;
  return new SluiceError("body_too_large", message);
}

function noRoom(): SluiceError {
  const message =
    "The gateway holds as many request bodies as it may (server.maxBufferedBytes). Try again in a moment.";
  return new SluiceError("overloaded", message, { retryAfterMs: NO_ROOM_RETRY_MS });
}

/** The client has not sent all of its body. */
export function stillArrives(request: ClientRequest): boolean {
  // on HTTP/2 node may not have noted the end of a request without a body yet
  return !request.complete && !("stream" in request && (request as Http2ServerRequest).stream.endAfterHeaders);
}
