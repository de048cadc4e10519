/**
 * Reads what a provider says when it fails: vendors, engines and the proxies before them each have a shape of
 * their own, and a provider of one dialect may answer in the shape of another. The words are the vendor's,
 * without addresses and keys.
 */
import { isObject, type JsonObject, type JsonValue } from "../lib/json.ts";
import { redact } from "../lib/redact.ts";
import type { UpstreamError } from "./contract.ts";
import { parseJson } from "../lib/json-parse.ts";

/** No error answer is read further than this. */
const MAX_BODY_BYTES = 65_536;
const MAX_MESSAGE_CHARACTERS = 2_000;
const MAX_WORD_CHARACTERS = 200;
/** Plain text longer than this is a page or a stack trace, not a message. */
const MAX_PLAIN_TEXT_CHARACTERS = 500;

/** The code that says, whatever the vendor, that the prompt does not fit the model. */
export const CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded";

/** How vendors and engines say that a prompt is too long. */
const CONTEXT_OVERFLOW =
  /prompt is too long|maximum context length|context[ _]length[ _]exceeded|exceeds? (?:the )?(?:available )?(?:model'?s? )?(?:maximum )?context|exceed_context_size|longer than the model'?s context|context window|input token count .{0,40}exceeds|too many (?:input )?tokens|max_new_tokens.{0,40}must be <=/i;

/** Reads a whole error answer. */
export function readUpstreamError(status: number, body: Buffer): UpstreamError {
  const text = body.toString("utf8", 0, Math.min(body.length, MAX_BODY_BYTES)).trim();
  if (text.startsWith("{") || text.startsWith("[")) {
    const known = readErrorJson(status, tryParse(text));
    if (known !== undefined) return known;
  } else if (text !== "" && !text.startsWith("<") && text.length <= MAX_PLAIN_TEXT_CHARACTERS) {
    return upstreamError(status, { message: text });
  }
  return upstreamError(status, {});
}

function tryParse(text: string): JsonValue | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** What a vendor said, not yet cleaned. */
interface Words {
  readonly message?: string | undefined;
  readonly type?: JsonValue | undefined;
  readonly code?: JsonValue | undefined;
  readonly param?: JsonValue | undefined;
  readonly requestId?: JsonValue | undefined;
}

/** Reads a parsed error answer, or an error event of a stream; undefined if the value says nothing of an error. */
export function readErrorJson(status: number, value: JsonValue | undefined): UpstreamError | undefined {
  const object = asObject(Array.isArray(value) ? value[0] : value);
  if (object === undefined) return undefined;
  const words = wordsOf(object);
  return words === undefined ? undefined : upstreamError(status, { requestId: object["request_id"], ...words });
}

function wordsOf(object: JsonObject): Words | undefined {
  const { error, detail, message, base_resp: result } = object;
  const nested = asObject(error);
  if (nested !== undefined) {
    const type = nested["type"] ?? nested["status"];
    // Anthropic has its codes a level deeper
    const code = nested["code"] ?? asObject(nested["details"])?.["error_code"];
    return { message: messageOf(nested), type, code, param: nested["param"] };
  }
  if (typeof error === "string") {
    // {"error": "Unauthorized", "message": "…"}: the longer one explains
    const long = typeof message === "string" && message.length > error.length ? message : error;
    return { message: long, type: object["error_type"] ?? object["type"], code: object["code"] };
  }
  if (detail !== undefined && detail !== null) return wordsOfDetail(detail);
  const text = messageOf(object);
  if (text !== undefined) {
    return { message: text, type: object["type"], code: object["code"], param: object["param"] };
  }
  const outcome = asObject(result);
  if (outcome !== undefined) return { message: asString(outcome["status_msg"]), code: outcome["status_code"] };
  const { errors } = object;
  const first = Array.isArray(errors) ? errors[0] : errors;
  if (typeof first === "string") return { message: first };
  const firstObject = asObject(first);
  return firstObject === undefined ? undefined : { message: messageOf(firstObject), code: firstObject["code"] };
}

function messageOf(object: JsonObject): string | undefined {
  return (
    asString(object["message"]) ??
    asString(object["Message"]) ??
    asString(object["msg"]) ??
    asString(object["error_msg"])
  );
}

/** FastAPI: `detail` is a text, an object, or the list of what pydantic found, each with the way to the field. */
function wordsOfDetail(detail: JsonValue): Words {
  if (typeof detail === "string") return { message: detail };
  const first = asObject(Array.isArray(detail) ? detail[0] : detail);
  if (first === undefined) return {};
  const inner = asObject(first["error"]) ?? first;
  const way = Array.isArray(first["loc"]) ? first["loc"].filter((step) => step !== "body") : [];
  const param = way
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    .join("")
    .replace(/^\./, "");
  const text = messageOf(inner);
  if (param === "") return { message: text, type: inner["type"], code: inner["code"] };
  return { message: `${param}: ${text ?? "invalid"}`, param };
}

/** Builds the error; what the vendor left out follows from the status. */
function upstreamError(status: number, words: Words): UpstreamError {
  const message = clean(words.message, MAX_MESSAGE_CHARACTERS);
  const type = typeof words.type === "string" ? clean(words.type, MAX_WORD_CHARACTERS) : undefined;
  const param = typeof words.param === "string" ? clean(words.param, MAX_WORD_CHARACTERS) : undefined;
  const requestId = typeof words.requestId === "string" ? clean(words.requestId, MAX_WORD_CHARACTERS) : undefined;
  return {
    status,
    message: message ?? `The provider answered ${status} without saying why. ${remedyOf(status)}`,
    type: type ?? typeOf(status),
    code: overflows(status, message, type) ? CONTEXT_LENGTH_EXCEEDED : codeOf(status, words.code),
    param: param ?? null,
    ...(requestId === undefined ? {} : { requestId }),
  };
}

function overflows(status: number, message: string | undefined, type: string | undefined): boolean {
  if (status !== 400 && status !== 413 && status !== 422) return false;
  return CONTEXT_OVERFLOW.test(message ?? "") || CONTEXT_OVERFLOW.test(type ?? "");
}

/** Some repeat the HTTP status as a number; that is no code. */
function codeOf(status: number, code: JsonValue | undefined): string | null {
  if (typeof code === "string" && code !== "") return clean(code, MAX_WORD_CHARACTERS) ?? null;
  return typeof code === "number" && code !== status ? String(code) : null;
}

/** The kind of error in words that both OpenAI and Anthropic know, by HTTP status. */
export function typeOf(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

function remedyOf(status: number): string {
  if (status === 401 || status === 403) return "The gateway's credential for it may need attention.";
  if (status === 429 || status >= 500) return "Try again later.";
  return "Check the request.";
}

function clean(text: string | undefined, maxCharacters: number): string | undefined {
  if (text === undefined) return undefined;
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  const short = trimmed.length > maxCharacters ? `${trimmed.slice(0, maxCharacters)}…` : trimmed;
  return redact(short);
}

function asObject(value: JsonValue | undefined): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

function asString(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
