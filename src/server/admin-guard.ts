/**
 * Who may use `/admin/v1`. With tokens in the configuration: whoever has one. Without: everybody reads, and only who is
 * on this machine changes anything, and that no web page may do through a browser there: it can neither send JSON to
 * another origin unasked (CSRF), nor be of a name that is a loopback address (DNS rebinding).
 */
import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIPv4 } from "node:net";
import type { AdminTokenConfig } from "../config/snapshot.ts";
import { type AdminAnswer, problem } from "./admin-answer.ts";

const GUARDED = "/admin/";
const LOOPBACK_REMEDY = "Or write `admin.tokens` into the configuration, and send one as `Authorization: Bearer …`.";

/** What is known of a request before it is answered. */
export interface AdminAccess {
  /** Why it is not answered. */
  readonly refusal: AdminAnswer | undefined;
  /** Name of the token; "" where none is needed. */
  readonly by: string;
}

/**
 * @param path without the query @param boundTo the address that the server listens on
 */
export function accessOf(
  request: Pick<IncomingMessage, "method" | "headers">,
  path: string,
  tokens: readonly AdminTokenConfig[],
  boundTo: string,
): AdminAccess {
  if (!path.startsWith(GUARDED)) {
    return { refusal: undefined, by: "" };
  }
  if (tokens.length > 0) {
    const by = tokenOf(request.headers.authorization, tokens);
    return { refusal: by === undefined ? NO_TOKEN : undefined, by: by ?? "" };
  }
  const isReading = request.method === "GET" || request.method === "HEAD";
  const reason = isReading ? undefined : reasonAgainstWriting(request, boundTo);
  return { refusal: reason === undefined ? undefined : problem(403, "write_not_allowed", reason), by: "" };
}

const NO_TOKEN = problem(
  401,
  "invalid_token",
  "Send a token of `admin.tokens` as `Authorization: Bearer …`; `sluice` takes it from SLUICE_ADMIN_TOKEN.",
);

/** Takes as long whichever token it is, and whether it is one. */
function tokenOf(authorization: string | undefined, tokens: readonly AdminTokenConfig[]): string | undefined {
  const [, text] = /^bearer (\S+)\s*$/i.exec(authorization ?? "") ?? [];
  const digest = hash("sha256", text ?? "", "buffer");
  let name: string | undefined;
  for (const token of tokens) {
    if (timingSafeEqual(digest, Buffer.from(token.hash, "hex"))) {
      name = token.name;
    }
  }
  return text === undefined ? undefined : name;
}

function reasonAgainstWriting(
  { method, headers }: Pick<IncomingMessage, "method" | "headers">,
  boundTo: string,
): string | undefined {
  if (!isLoopback(boundTo)) {
    return `Without tokens nothing can be changed here, since the admin port can be reached from other machines. Let it listen on 127.0.0.1 (\`admin.listen\`). ${LOOPBACK_REMEDY}`;
  }
  if (!isLoopbackHost(headers.host)) {
    return `Without tokens changes must be sent to a loopback address, such as http://127.0.0.1:8081 or http://localhost:8081. ${LOOPBACK_REMEDY}`;
  }
  if (method === "PUT" && !/^application\/json\s*(;|$)/i.test(headers["content-type"] ?? "")) {
    return "Send JSON, with `Content-Type: application/json`.";
  }
  return headers.origin === undefined || isLoopbackHost(originHost(headers.origin))
    ? undefined
    : `Web pages of other machines may not change anything here. ${LOOPBACK_REMEDY}`;
}

/** An address of the system. */
function isLoopback(address: string): boolean {
  return address === "::1" || (isIPv4(address) && address.startsWith("127.")) || address.startsWith("::ffff:127.");
}

/** A `Host` header that names this machine, with or without a port. */
function isLoopbackHost(host: string | undefined): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(host?.toLowerCase() ?? "") ?? [];
  return isLoopback(bracketed ?? plain ?? "") || plain === "localhost";
}

function originHost(origin: string): string | undefined {
  return URL.parse(origin)?.host;
}
