/** Request ids: the client's own, if it is one that can be logged and sent on safely, else a new one. */
import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

const VALID = /^[A-Za-z0-9._:+/=@-]{1,128}$/;

/** The id of a request, from its `x-request-id` if that is 1 to 128 harmless ASCII characters. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && VALID.test(given) ? given : `req_${randomUUID()}`;
}
