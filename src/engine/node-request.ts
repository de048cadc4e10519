/** For tests: a request of node's HTTP server as the engine's tests need one, whose body can be read at any time. */
import type { IncomingMessage } from "node:http";
import type { ClientRequest } from "./client-messages.ts";

/** Node does not note at once that a request without a body is whole. */
export function clientRequest(incoming: IncomingMessage): ClientRequest {
  const hasBody = "content-length" in incoming.headers || "transfer-encoding" in incoming.headers;
  return Object.create(incoming, { complete: { get: () => incoming.complete || !hasBody } }) as IncomingMessage;
}
