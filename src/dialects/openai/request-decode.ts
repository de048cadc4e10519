/**
 * A client's chat completion request, from the wire to the form (POST /chat/completions). Strict: a known field
 * of the wrong type is refused by name. Unknown fields travel in `extra`.
 */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { ChatRequest } from "../form.ts";
import { decodeCacheMarker } from "./cache-marker.ts";
import { FieldReader, invalidType, invalidValue, stringOf, under } from "./fields.ts";
import { decodeMessages } from "./messages-decode.ts";
import { decodeReasoningSettings } from "./reasoning-settings.ts";
import { decodeResponseFormat } from "./response-format.ts";
import { decodeTools } from "./tools.ts";

/**
 * What only OpenAI's own machinery reads: where prompts are cached, a guess at the answer that makes it faster.
 * The answer is the same without them.
 */
const WITHOUT_EFFECT_ELSEWHERE = ["prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "prediction"];

/** @throws SluiceError `invalid_request` naming the field */
export function decodeChatRequest(body: JsonObject): ChatRequest {
  const reader = new FieldReader(body, "");
  const model = reader.requiredString("model");
  if (model === "") throw invalidValue("model", "expected a model's name");
  const messages = reader.array("messages");
  if (messages === undefined) throw invalidType("messages", "an array", undefined);
  const request: ChatRequest = {
    origin: "openai",
    model,
    messages: decodeMessages(messages),
    stream: decodeStream(reader),
    includeUsage: false,
  };
  decodeStreamOptions(reader, request);
  decodeLimit(reader, request);
  decodeStop(reader, request);
  decodeSampling(reader, request);
  decodeEndUser(reader, request);
  decodeTools(reader, request);
  decodeResponseFormat(reader, request);
  decodeReasoningSettings(reader, request);
  const cacheControl = decodeCacheMarker(reader);
  if (cacheControl !== undefined) request.cacheControl = cacheControl;
  decodeWithoutEffect(reader);
  const extra = reader.extra();
  if (extra !== undefined) request.extra = extra;
  return request;
}

function decodeStream(reader: FieldReader): boolean {
  const stream = reader.boolean("stream");
  if (stream === false) reader.hint("stream", false);
  return stream ?? false;
}

function decodeStreamOptions(reader: FieldReader, request: ChatRequest): void {
  const options = reader.object("stream_options");
  if (options === undefined) return;
  const { include_usage: includeUsage } = options;
  if (includeUsage !== undefined && includeUsage !== null && typeof includeUsage !== "boolean") {
    throw invalidType("stream_options.include_usage", "a boolean", includeUsage);
  }
  request.includeUsage = includeUsage === true;
  reader.hint("stream_options", options);
}

/** The older and the newer name of one limit. */
function decodeLimit(reader: FieldReader, request: ChatRequest): void {
  const current = reader.integer("max_completion_tokens", 0);
  const former = reader.integer("max_tokens", 0);
  if (current !== undefined && former !== undefined && current !== former) {
    throw invalidValue("max_tokens", "it contradicts 'max_completion_tokens'; send one of them");
  }
  if (current !== undefined) reader.hint("max_completion_tokens", current);
  if (former !== undefined) reader.hint("max_tokens", former);
  const limit = current ?? former;
  if (limit !== undefined) request.maxOutputTokens = limit;
}

function decodeStop(reader: FieldReader, request: ChatRequest): void {
  const stop = reader.value("stop");
  if (stop === undefined) return;
  if (typeof stop === "string") {
    reader.hint("stop", stop);
    request.stop = [stop];
  } else if (Array.isArray(stop)) {
    request.stop = stop.map((sequence: JsonValue, index) => stringOf(sequence, under("stop", index)));
  } else {
    throw invalidType("stop", "a string or an array of strings", stop);
  }
}

function decodeSampling(reader: FieldReader, request: ChatRequest): void {
  const temperature = reader.number("temperature");
  if (temperature !== undefined) request.temperature = temperature;
  const topP = reader.number("top_p");
  if (topP !== undefined) request.topP = topP;
  // an engines' field, as are others, which need no place in the form
  const topK = reader.number("top_k");
  if (topK !== undefined) request.topK = topK;
  const seed = reader.number("seed");
  if (seed !== undefined) request.seed = seed;
  const presencePenalty = reader.number("presence_penalty");
  if (presencePenalty !== undefined) request.presencePenalty = presencePenalty;
  const frequencyPenalty = reader.number("frequency_penalty");
  if (frequencyPenalty !== undefined) request.frequencyPenalty = frequencyPenalty;
  const logitBias = reader.object("logit_bias");
  if (logitBias !== undefined) request.logitBias = logitBias;
  const logprobs = reader.boolean("logprobs");
  if (logprobs !== undefined) request.logprobs = logprobs;
  const topLogprobs = reader.integer("top_logprobs", 0);
  if (topLogprobs !== undefined) request.topLogprobs = topLogprobs;
  const candidates = reader.integer("n", 1);
  if (candidates !== undefined) request.candidates = candidates;
  const serviceTier = reader.string("service_tier");
  if (serviceTier !== undefined) request.serviceTier = serviceTier;
}

/** `safety_identifier` is what `user` is called now; both may come. */
function decodeEndUser(reader: FieldReader, request: ChatRequest): void {
  const current = reader.string("safety_identifier");
  const former = reader.string("user");
  if (current !== undefined) reader.hint("safety_identifier", current);
  if (former !== undefined) reader.hint("user", former);
  const endUser = current ?? former;
  if (endUser !== undefined) request.endUser = endUser;
}

function decodeWithoutEffect(reader: FieldReader): void {
  for (const key of WITHOUT_EFFECT_ELSEWHERE) {
    const value = reader.value(key);
    if (value !== undefined) reader.hint(key, value);
  }
  // labels of stored completions say nothing where none is stored
  const metadata = reader.peek("metadata");
  if (metadata !== undefined && reader.peek("store") !== true) reader.hint("metadata", metadata);
  const modalities = reader.peek("modalities");
  if (Array.isArray(modalities) && modalities.every((modality) => modality === "text")) {
    reader.hint("modalities", modalities);
  }
}
