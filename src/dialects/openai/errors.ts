/**
 * Errors in this dialect: `{"error": {"message", "type", "param", "code"}}`. SDKs decide by the status whether they
 * try again, so an upstream's status stays what it was.
 */
import type { ErrorCode, SluiceError } from "../../lib/errors.ts";
import { isSluiceError } from "../../lib/errors.ts";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { EncodedAnswer, UpstreamError } from "../contract.ts";
import { readErrorJson, readUpstreamError, typeOf } from "../upstream-error.ts";
import { isObject } from "./fields.ts";
import { parseJson } from "../../lib/json-parse.ts";

/** Codes for which OpenAI has a word of its own; all others are said as they are. */
const CODES: Readonly<Partial<Record<ErrorCode, string>>> = {
  unsupported_field: "unsupported_parameter",
  invalid_request: "invalid_value",
  upstream_error: "server_error",
  internal_error: "server_error",
};

/** Anthropic's types that OpenAI has not, in OpenAI's words. */
const FOREIGN_TYPES: ReadonlyMap<string, string> = new Map([
  ["api_error", "server_error"],
  ["overloaded_error", "server_error"],
  ["timeout_error", "server_error"],
  ["not_found_error", "invalid_request_error"],
  ["request_too_large", "invalid_request_error"],
  ["billing_error", "insufficient_quota"],
]);

/** Any error's inner object. */
export function errorBody(error: SluiceError | UpstreamError): JsonObject {
  if (isSluiceError(error)) {
    return {
      message: error.message,
      type: typeOf(error.status),
      param: error.param ?? null,
      code: CODES[error.code] ?? error.code,
    };
  }
  return {
    message: error.message,
    type: FOREIGN_TYPES.get(error.type) ?? error.type,
    param: error.param,
    code: error.code,
  };
}

/** An error as a whole answer. */
export function encodeError(error: SluiceError | UpstreamError): EncodedAnswer {
  return { status: error.status, body: { error: errorBody(error) } };
}

/** An error as the last event of a stream; no `[DONE]` follows, as the answer is not complete. */
export function encodeStreamError(error: SluiceError | UpstreamError): string {
  return `data: ${JSON.stringify({ error: errorBody(error) })}\n\n`;
}

/** Reads an error answer. */
export function decodeError(status: number, body: Buffer): UpstreamError {
  return readUpstreamError(status, body);
}

/** A failing server seldom says much; a real answer of that size that mentions an error is the rule. */
const MAX_DISGUISED_BYTES = 16_384;
const DEFAULT_STATUS = 502;

/**
 * A 2xx body that is an error all the same: an error object where candidates or data should be, a page of a
 * proxy, or nothing. Undefined for a real answer.
 */
export function decodeDisguisedError(body: Buffer): UpstreamError | undefined {
  const first = firstByte(body);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return readUpstreamError(DEFAULT_STATUS, body);
  if (body.length > MAX_DISGUISED_BYTES || !mentionsError(body)) return undefined;
  const value = parse(body);
  if (!isObject(value) || !isError(value)) return undefined;
  const status = statusOf(value);
  return readErrorJson(status, value) ?? readUpstreamError(status, Buffer.alloc(0));
}

const OPEN_BRACE = 123;
const OPEN_BRACKET = 91;
/** Candidates, of which there is at least one. */
const CANDIDATES = '"choices":[{';
const HEAD_BYTES = 256;
const MARKS = ['"error', '"base_resp"', '"detail"', '"code"'];

function firstByte(body: Buffer): number | undefined {
  for (const byte of body) if (byte > 32) return byte;
  return undefined;
}

/** Searching a string is several times as fast as searching a buffer. */
function mentionsError(body: Buffer): boolean {
  // most answers say early that they are real ones, in the form that most servers write
  if (body.toString("latin1", 0, HEAD_BYTES).includes(CANDIDATES)) return false;
  const text = body.toString("latin1");
  return MARKS.some((mark) => text.includes(mark));
}

function parse(body: Buffer): JsonValue | undefined {
  try {
    return parseJson(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

function isError(value: JsonObject): boolean {
  const { choices, data, error, base_resp: outcome } = value;
  if ((Array.isArray(choices) && choices.length > 0) || Array.isArray(data)) return false;
  if (typeof value["id"] === "string" && value["object"] === "model") return false;
  if (error !== undefined && error !== null && error !== false) return true;
  if (value["object"] === "error" || value["detail"] !== undefined) return true;
  if (isObject(outcome) && outcome["status_code"] !== 0) return true;
  return value["code"] !== undefined && (value["message"] ?? value["msg"]) !== undefined;
}

/** What words in an error's type or code mean as a status, where no number says it. */
const STATUS_OF_WORDS: readonly (readonly [RegExp, number])[] = [
  [/rate.?limit|insufficient_quota/i, 429],
  [/overloaded|unavailable/i, 503],
  [/authentication|invalid_api_key/i, 401],
  [/permission/i, 403],
  [/not_?found/i, 404],
  [/invalid_?request|bad_?request|context_length/i, 400],
];

/** The status that the vendor meant: in the error, or beside it. */
function statusOf(value: JsonObject): number {
  const { error } = value;
  const candidates = isObject(error) ? [error["status"], error["code"], error["status_code"]] : [];
  for (const candidate of [...candidates, value["status"], value["code"], value["status_code"]]) {
    if (typeof candidate === "number" && Number.isInteger(candidate) && candidate >= 400 && candidate <= 599) {
      return candidate;
    }
  }
  const words = isObject(error) ? [error["type"], error["code"]] : [value["type"], value["code"]];
  const text = words.filter((word) => typeof word === "string").join(" ");
  return STATUS_OF_WORDS.find(([pattern]) => pattern.test(text))?.[1] ?? DEFAULT_STATUS;
}

/** The error that an event of a stream reports; undefined for any other event. */
export function streamErrorOf(event: string, chunk: JsonObject): UpstreamError | undefined {
  const { error } = chunk;
  const reported =
    event === "error" || chunk["object"] === "error" || (error !== undefined && error !== null && error !== false);
  if (!reported) return choiceErrorOf(chunk);
  const status = statusOf(chunk);
  return readErrorJson(status, chunk) ?? readUpstreamError(status, Buffer.alloc(0));
}

/** OpenRouter: a candidate that failed says so itself. */
function choiceErrorOf({ choices }: JsonObject): UpstreamError | undefined {
  if (!Array.isArray(choices)) return undefined;
  const failed = choices.find((choice) => isObject(choice) && isObject(choice["error"]));
  return isObject(failed) ? readErrorJson(statusOf(failed), failed) : undefined;
}
