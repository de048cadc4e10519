/**
 * A chat request, from the form to the wire (POST /chat/completions). A request that came in this dialect goes out
 * as it came. From another dialect: the limit of output tokens is `max_completion_tokens` for OpenAI's reasoning
 * models and `max_tokens` for all others; `top_k` is written, as every engine takes it, though OpenAI refuses it by
 * name; an end user's id of more than 64 characters, which OpenAI refuses, becomes its SHA-256.
 * A stream is always asked for its usage: Sluice counts it, whether or not the client wants to see it.
 */
import { hash } from "node:crypto";
import type { JsonObject } from "../../lib/json.ts";
import type { EncodedRequest } from "../contract.ts";
import { FieldReport } from "../field-report.ts";
import type { ChatRequest } from "../form.ts";
import { CACHE_MARKER_KEYS, encodeCacheMarker } from "./cache-marker.ts";
import { hintsOf, isObject, putBack } from "./fields.ts";
import { encodeMessages } from "./messages-encode.ts";
import { type ModelTraits, traitsOf } from "./model-traits.ts";
import type { PartContext } from "./parts-encode.ts";
import { encodeReasoningSettings } from "./reasoning-settings.ts";
import { encodeResponseFormat } from "./response-format.ts";
import { encodeTools } from "./tools.ts";

const MAX_END_USER_CHARACTERS = 64;
const LIMIT_FIELDS = ["max_completion_tokens", "max_tokens"] as const;
const END_USER_FIELDS = ["safety_identifier", "user"] as const;
/** Hints on the request that tell how something of the form was worded. */
const REQUEST_WORDED: ReadonlySet<string> = new Set([
  ...CACHE_MARKER_KEYS,
  ...LIMIT_FIELDS,
  ...END_USER_FIELDS,
  "stop",
  "stream",
  "stream_options",
]);

/** @throws SluiceError `unsupported_field` naming the field, unless dropping is allowed */
export function encodeChatRequest(request: ChatRequest, dropUnsupported: boolean): EncodedRequest {
  const report = new FieldReport("openai", dropUnsupported);
  const own = request.origin === "openai";
  const context: PartContext = { report, origin: request.origin, own, cacheMarkers: request.cacheMarkers };
  const traits = traitsOf(request.model);
  const hints = hintsOf(request.extra);
  report.foreign(request.extra, "");
  const body: JsonObject = { model: request.model, messages: encodeMessages(request, context) };
  encodeTools(body, request, context);
  encodeResponseFormat(body, request.responseFormat);
  encodeReasoningSettings(body, request.reasoning, traits);
  encodeLimit(body, request, hints, traits);
  encodeSampling(body, request);
  if (request.stop !== undefined) {
    body["stop"] =
      typeof hints["stop"] === "string" && request.stop.length === 1 ? (request.stop[0] ?? "") : request.stop;
  }
  encodeEndUser(body, request, hints);
  encodeStream(body, request, hints);
  // OpenAI's own word for it stands on parts only
  const word = request.cacheMarkers === "cache_control" ? "cache_control" : undefined;
  encodeCacheMarker(body, request.cacheControl, request.extra, word);
  return { body: putBack(body, request.extra, REQUEST_WORDED), dropped: report.dropped };
}

function encodeLimit(body: JsonObject, request: ChatRequest, hints: JsonObject, traits: ModelTraits): void {
  const { maxOutputTokens } = request;
  if (maxOutputTokens === undefined) return;
  const worded = LIMIT_FIELDS.filter((field) => typeof hints[field] === "number");
  for (const field of worded.length > 0 ? worded : [traits.limitField]) body[field] = maxOutputTokens;
}

function encodeSampling(body: JsonObject, request: ChatRequest): void {
  const fields: JsonObject = {
    temperature: request.temperature,
    top_p: request.topP,
    top_k: request.topK,
    seed: request.seed,
    presence_penalty: request.presencePenalty,
    frequency_penalty: request.frequencyPenalty,
    logit_bias: request.logitBias,
    logprobs: request.logprobs,
    top_logprobs: request.topLogprobs,
    n: request.candidates,
    service_tier: request.serviceTier,
  };
  for (const [field, value] of Object.entries(fields)) if (value !== undefined) body[field] = value;
}

function encodeEndUser(body: JsonObject, request: ChatRequest, hints: JsonObject): void {
  const { endUser } = request;
  if (endUser === undefined) return;
  if (typeof hints["safety_identifier"] === "string") {
    body["safety_identifier"] = endUser;
    if (typeof hints["user"] === "string") body["user"] = hints["user"];
  } else {
    const tooLong = request.origin !== "openai" && endUser.length > MAX_END_USER_CHARACTERS;
    body["user"] = tooLong ? hash("sha256", endUser) : endUser;
  }
}

function encodeStream(body: JsonObject, request: ChatRequest, hints: JsonObject): void {
  const { stream_options: options } = hints;
  if (request.stream) {
    body["stream"] = true;
    body["stream_options"] = { ...(isObject(options) ? options : undefined), include_usage: true };
  } else {
    if (hints["stream"] === false) body["stream"] = false;
    if (isObject(options)) body["stream_options"] = options;
  }
}
