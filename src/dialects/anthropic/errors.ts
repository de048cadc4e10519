/** Errors in Anthropic's words (platform.claude.com, "Errors"), both ways. */
import type { SluiceError } from "../../lib/errors.ts";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { EncodedAnswer, UpstreamError } from "../contract.ts";
import { readErrorJson, readUpstreamError } from "../upstream-error.ts";
import { isObject } from "./fields.ts";
import { parseJson } from "../../lib/json-parse.ts";

const TYPE_OF_STATUS: ReadonlyMap<number, string> = new Map([
  [401, "authentication_error"],
  [402, "billing_error"],
  [403, "permission_error"],
  [404, "not_found_error"],
  [408, "timeout_error"],
  [409, "conflict_error"],
  [413, "request_too_large"],
  [429, "rate_limit_error"],
  [503, "overloaded_error"],
  [504, "timeout_error"],
  [529, "overloaded_error"],
]);

/** What a type inside a stream, where there is no status, stands for. */
const STATUS_OF_TYPE: ReadonlyMap<string, number> = new Map([
  ["invalid_request_error", 400],
  ["authentication_error", 401],
  ["billing_error", 402],
  ["permission_error", 403],
  ["not_found_error", 404],
  ["conflict_error", 409],
  ["request_too_large", 413],
  ["rate_limit_error", 429],
  ["api_error", 500],
  ["timeout_error", 504],
  ["overloaded_error", 529],
]);
const UNKNOWN_STATUS = 502;

/** A 2xx body is looked at no further than this to see whether it is an error. */
const DISGUISE_BYTES = 512;

/** The error type that clients of Anthropic's expect with a status. */
export function errorTypeOf(status: number): string {
  return TYPE_OF_STATUS.get(status) ?? (status >= 500 ? "api_error" : "invalid_request_error");
}

/** The status that belongs to an error type of Anthropic's. */
function statusOfErrorType(type: string): number {
  return STATUS_OF_TYPE.get(type) ?? UNKNOWN_STATUS;
}

/** The error object of Sluice's own and of an upstream's error; the code goes where Anthropic has its own. */
export function errorBody(error: SluiceError | UpstreamError, requestId: string): JsonObject {
  const vendorType = "type" in error && isOwnType(error.type) ? error.type : undefined;
  const inner: JsonObject = { type: vendorType ?? errorTypeOf(error.status), message: error.message };
  if (error.code !== null) inner["details"] = { error_code: error.code };
  return { type: "error", error: inner, request_id: requestId };
}

/** OpenAI calls nearly all of the caller's mistakes by one name, which is Anthropic's for 400 only. */
function isOwnType(type: string): boolean {
  return type !== "invalid_request_error" && STATUS_OF_TYPE.has(type);
}

/** An error as a whole answer; the status stays, and with it whether a retry makes sense. */
export function encodeError(error: SluiceError | UpstreamError, requestId: string): EncodedAnswer {
  return { status: error.status, body: errorBody(error, requestId) };
}

/** The event that ends a stream which cannot go on. */
export function encodeStreamError(error: SluiceError | UpstreamError, requestId: string): string {
  return `event: error\ndata: ${JSON.stringify(errorBody(error, requestId))}\n\n`;
}

/** An error event of an upstream's stream; undefined if it says nothing of an error. */
export function decodeStreamError(value: JsonValue): UpstreamError | undefined {
  const error = readErrorJson(UNKNOWN_STATUS, value);
  return error === undefined ? undefined : { ...error, status: statusOfErrorType(error.type) };
}

/**
 * A 2xx body that is an error all the same: no JSON at all (a proxy's page, nothing), or an error object in
 * its first bytes.
 */
export function decodeDisguisedError(body: Buffer): UpstreamError | undefined {
  const head = body.toString("latin1", 0, Math.min(body.length, DISGUISE_BYTES)).trimStart();
  if (!head.startsWith("{")) return readUpstreamError(UNKNOWN_STATUS, body);
  if (!head.includes('"error"')) return undefined;
  let value: JsonValue;
  try {
    value = parseJson(body.toString("utf8"));
  } catch {
    return undefined;
  }
  if (!isObject(value) || value["content"] !== undefined) return undefined;
  const { error } = value;
  if (value["type"] !== "error" && !isObject(error) && typeof error !== "string") return undefined;
  return decodeStreamError(value) ?? readUpstreamError(UNKNOWN_STATUS, body);
}
