import type { IncomingHttpHeaders } from "node:http";
import type { Attempt } from "./attempt.ts";

const NONE: readonly string[] = [];
/** What node takes as a header's value; behind a proxy, values may come decoded as UTF-8. */
const SENDABLE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Headers of the upstream's answer that belong to the protocol which client and target share, names and values alternating. */
export function returnedHeaders(attempt: Attempt, headers: IncomingHttpHeaders): readonly string[] {
  if (!attempt.encoded.sameDialect) {
    return NONE;
  }
  const returned: string[] = [];
  for (const name of attempt.endpoint.target.dialect.target.returnedHeaders) {
    const value = headers[name];
    if (typeof value === "string" && SENDABLE.test(value)) {
      returned.push(name, value);
    }
  }
  return returned;
}
