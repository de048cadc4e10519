/** What commands ask of the admin port of a running gateway. */
import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { parseJson } from "../lib/json-parse.ts";
import type { JsonObject } from "../lib/json.ts";

/** Where the admin port is if nobody says otherwise. */
export const DEFAULT_ADMIN = "http://127.0.0.1:8081";
const TIMEOUT_MS = 10_000;
/** What the admin port itself may answer instead; anything else comes from elsewhere. */
const ADMIN_CODES: ReadonlySet<string> = new Set([
  "consumer_not_found",
  "internal_error",
  "invalid_limits",
  "invalid_request",
  "invalid_token",
  "limits_not_set",
  "limits_unavailable",
  "store_unavailable",
  "subject_not_found",
  "too_many_limits",
  "usage_unavailable",
  "write_not_allowed",
]);

/** The admin port cannot be asked, or refuses; the message says what to do. */
export class AdminError extends Error {
  override readonly name = "AdminError";
}

/** Which admin port, and what opens it. */
export interface AdminOptions {
  /** URL, or host and port. */
  readonly admin: string;
  /** Of `admin.tokens`; else that of the environment variable SLUICE_ADMIN_TOKEN, if there is one. */
  readonly token?: string;
}

/** A request of the admin port. */
export interface AdminRequest {
  readonly method: "GET" | "PUT" | "DELETE";
  /** Path and query. */
  readonly target: string;
  /** JSON. */
  readonly body?: string;
}

/** The answer's JSON, which has `key` in it. @throws AdminError */
export async function askAdmin(
  { admin, token = process.env["SLUICE_ADMIN_TOKEN"] }: AdminOptions,
  request: AdminRequest,
  key: string,
): Promise<JsonObject> {
  const url = urlOf(admin, request.target);
  let status: number;
  let body: JsonObject;
  try {
    const answer = await send(url, token === "" ? undefined : token, request);
    status = answer.status;
    body = answer.text.startsWith("{") ? (parseJson(answer.text) as JsonObject) : {};
  } catch (error) {
    throw new AdminError(
      `No gateway answers at ${url.origin} (${reasonOf(error)}). Is it running? Give its admin.listen with --admin URL.`,
    );
  }
  if (status === 200 && key in body) {
    return body;
  }
  const { code, message } = (body["error"] ?? {}) as JsonObject;
  if (ADMIN_CODES.has(String(code))) {
    throw new AdminError(String(message));
  }
  throw new AdminError(
    `What answers at ${url.origin} (status ${status}) is not the admin port of this Sluice. Give its admin.listen with --admin URL.`,
  );
}

/** Runs a command: exit status 0, or 1 with what is wrong on standard error. */
export async function exitStatus(command: () => Promise<void>): Promise<number> {
  try {
    await command();
    return 0;
  } catch (error) {
    if (!(error instanceof AdminError)) {
      throw error;
    }
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

function urlOf(admin: string, target: string): URL {
  const base = URL.parse(admin.includes("://") ? admin : `http://${admin}`);
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new AdminError(`--admin ${admin} is no URL; one looks like ${DEFAULT_ADMIN}`);
  }
  return new URL(target, base.origin);
}

/** Not `fetch`, which refuses some ports that a gateway may well have. */
async function send(
  url: URL,
  token: string | undefined,
  { method, body }: AdminRequest,
): Promise<{ readonly status: number; readonly text: string }> {
  const request = (url.protocol === "https:" ? https : http).request(url, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  let text = "";
  for await (const part of response.setEncoding("utf8") as AsyncIterable<string>) {
    text += part;
  }
  return { status: response.statusCode ?? 0, text };
}

function reasonOf(error: unknown): string {
  const { code, message, name } = error as { readonly code?: unknown; readonly message: string; readonly name: string };
  if (name === "AbortError") {
    return `nothing within ${TIMEOUT_MS / 1_000} s`;
  }
  return typeof code === "string" ? code : message;
}
