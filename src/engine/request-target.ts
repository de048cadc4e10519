/** Which host and path a request is for. */
import type { IncomingHttpHeaders } from "node:http";

const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i;
const SLASH = 47;

/** A whole URL as the target names the host itself, and its Host header means nothing (RFC 9112 section 3.2.2). */
export function requestTarget(url: string, headers: IncomingHttpHeaders): { host: string; target: string } {
  const authority = headers[":authority"];
  const host = typeof authority === "string" ? authority : (headers.host ?? "");
  // HTTP/1.1 wants a Host header all the same
  if (url.charCodeAt(0) === SLASH || host === "") {
    return { host, target: url };
  }
  const [, named, rest = ""] = ABSOLUTE.exec(url) ?? [];
  if (named === undefined) {
    return { host, target: url };
  }
  return { host: named, target: rest.startsWith("/") ? rest : `/${rest}` };
}
