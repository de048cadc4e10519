/**
 * A client's Messages request, from the wire to the form (POST /v1/messages and /v1/messages/count_tokens).
 * Strict: a known field of the wrong type is refused by name. Unknown fields travel in `extra`.
 */
import type { JsonObject } from "../../lib/json.ts";
import type { ChatRequest, Extra, ReasoningSettings } from "../form.ts";
import {
  arrayOf,
  cacheControlOf,
  extraOf,
  invalidField,
  objectOf,
  optionalBoolean,
  optionalCount,
  optionalNumber,
  optionalString,
  stringOf,
  under,
} from "./fields.ts";
import { decodeConversation } from "./messages-decode.ts";
import { decodeTools } from "./tools-decode.ts";

const REQUEST_KEYS = new Set([
  "model",
  "messages",
  "system",
  "stream",
  "max_tokens",
  "temperature",
  "top_p",
  "top_k",
  "stop_sequences",
  "metadata",
  "service_tier",
  "cache_control",
  "thinking",
  "output_config",
  "output_format",
  "tools",
  "tool_choice",
]);
const METADATA_KEYS = new Set(["user_id"]);
const OUTPUT_CONFIG_KEYS = new Set(["effort", "format"]);
const FORMAT_KEYS = new Set(["type", "schema"]);

/**
 * Reads a Messages request. `max_tokens` may be missing, since counting tokens takes the same form without
 * it. The former `output_format` is read as `output_config.format`, whose name it has now.
 * @throws SluiceError `invalid_request` naming the field
 */
export function decodeChatRequest(body: JsonObject): ChatRequest {
  const model = stringOf(body["model"], "model");
  if (model === "") throw invalidField("model", "must not be empty");
  const request: ChatRequest = {
    origin: "anthropic",
    model,
    messages: decodeConversation(body),
    stream: optionalBoolean(body, "stream", "") ?? false,
    includeUsage: true,
  };
  decodeTools(body, request);
  decodeSampling(body, request);
  decodeOutput(body, request);
  const { fields = {}, hints = {} } = extraOf(body, REQUEST_KEYS) ?? {};
  decodeMetadata(body, request, fields);
  decodeOutputConfig(body, request, fields);
  if (body["stream"] === false) hints["stream"] = false;
  if (Object.keys(fields).length > 0 || Object.keys(hints).length > 0) {
    request.extra = { dialect: "anthropic", fields, hints };
  }
  return request;
}

function decodeSampling(body: JsonObject, request: ChatRequest): void {
  const temperature = optionalNumber(body, "temperature", "");
  if (temperature !== undefined) request.temperature = temperature;
  const topP = optionalNumber(body, "top_p", "");
  if (topP !== undefined) request.topP = topP;
  const topK = optionalCount(body, "top_k", "");
  if (topK !== undefined) request.topK = topK;
}

function decodeOutput(body: JsonObject, request: ChatRequest): void {
  const maxOutputTokens = optionalCount(body, "max_tokens", "");
  if (maxOutputTokens !== undefined) request.maxOutputTokens = maxOutputTokens;
  const stop = body["stop_sequences"] ?? undefined;
  if (stop !== undefined) {
    request.stop = arrayOf(stop, "stop_sequences").map((sequence, index) =>
      stringOf(sequence, under("stop_sequences", index)),
    );
  }
  const cacheControl = cacheControlOf(body, "");
  if (cacheControl !== undefined) request.cacheControl = cacheControl;
  const serviceTier = optionalString(body, "service_tier", "");
  // the form speaks of service tiers as OpenAI does
  if (serviceTier !== undefined) request.serviceTier = serviceTier === "standard_only" ? "default" : serviceTier;
}

function decodeMetadata(body: JsonObject, request: ChatRequest, rest: JsonObject): void {
  const metadata = body["metadata"] ?? undefined;
  if (metadata === undefined) return;
  const object = objectOf(metadata, "metadata");
  const endUser = optionalString(object, "user_id", "metadata");
  if (endUser !== undefined) request.endUser = endUser;
  keepRest(object, METADATA_KEYS, "metadata", rest);
}

/** Notes the unknown members of a nested object under its own name. */
function keepRest(object: JsonObject, known: ReadonlySet<string>, key: string, rest: JsonObject): void {
  const extra = extraOf(object, known);
  if (extra !== undefined && Object.keys(extra.fields).length > 0) rest[key] = extra.fields;
}

/** `thinking` and `output_config`: how much the model thinks and what its answer must look like. */
function decodeOutputConfig(body: JsonObject, request: ChatRequest, rest: JsonObject): void {
  const config = body["output_config"] ?? undefined;
  let effort: string | undefined;
  if (config !== undefined) {
    const object = objectOf(config, "output_config");
    effort = optionalString(object, "effort", "output_config");
    decodeFormat(object, "format", "output_config", request);
    keepRest(object, OUTPUT_CONFIG_KEYS, "output_config", rest);
  }
  if (request.responseFormat === undefined) decodeFormat(body, "output_format", "", request);
  const thinking = body["thinking"] ?? undefined;
  if (thinking === undefined && effort === undefined) return;
  const reasoning = thinking === undefined ? thinkingUnset() : decodeThinking(objectOf(thinking, "thinking"));
  if (effort !== undefined) reasoning.effort = effort;
  request.reasoning = reasoning;
}

/** An effort alone: whether the model thinks is its own default. */
function thinkingUnset(): ReasoningSettings {
  const extra: Extra = { dialect: "anthropic", fields: {} };
  return { enabled: true, extra };
}

function decodeThinking(thinking: JsonObject): ReasoningSettings {
  const type = stringOf(thinking["type"], "thinking.type");
  const reasoning: ReasoningSettings = {
    enabled: type !== "disabled",
    extra: { dialect: "anthropic", fields: { thinking } },
  };
  const budgetTokens = optionalCount(thinking, "budget_tokens", "thinking");
  if (budgetTokens !== undefined) reasoning.budgetTokens = budgetTokens;
  if (type === "enabled" && budgetTokens === undefined) {
    throw invalidField("thinking.budget_tokens", "is required when thinking is enabled");
  }
  return reasoning;
}

function decodeFormat(object: JsonObject, key: string, parent: string, request: ChatRequest): void {
  const value = object[key] ?? undefined;
  if (value === undefined) return;
  const path = under(parent, key);
  const format = objectOf(value, path);
  if (format["type"] !== "json_schema") throw invalidField(under(path, "type"), "must be 'json_schema'");
  const unknown = extraOf(format, FORMAT_KEYS);
  if (unknown !== undefined) {
    throw invalidField(under(path, Object.keys(unknown.fields)[0] ?? ""), "is not a known field");
  }
  request.responseFormat = { kind: "schema", schema: objectOf(format["schema"], under(path, "schema")) };
}
