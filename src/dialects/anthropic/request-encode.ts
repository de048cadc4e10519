/**
 * A request, from the form to Anthropic's wire.
 *
 * - `max_tokens` is mandatory there: where the client set none, the model's traits give the limit.
 * - OpenAI's `user` is `metadata.user_id`; `service_tier` default is `standard_only`.
 * - A JSON schema as response format is `output_config.format`; its description becomes the schema's own. JSON
 *   mode without a schema has no counterpart.
 * - A temperature above 1 is out of Anthropic's range. With thinking, and with models since Claude Opus 4.7,
 *   sampling parameters are not accepted; values that say "as usual" (temperature 1, top_p 1) are left out.
 */
import type { JsonObject } from "../../lib/json.ts";
import type { EncodedRequest } from "../contract.ts";
import { FieldReport } from "../field-report.ts";
import type { ChatRequest, ResponseFormat, Tool } from "../form.ts";
import { encodeCacheControl, isObject, putBack } from "./fields.ts";
import { encodeConversation } from "./messages-encode.ts";
import { type ModelTraits, traitsOf } from "./model-traits.ts";
import { encodeReasoning } from "./reasoning-encode.ts";

/** What counting tokens takes of a request (MessageCountTokensParams). */
const COUNT_KEYS = new Set([
  "model",
  "messages",
  "system",
  "tools",
  "tool_choice",
  "thinking",
  "output_config",
  "cache_control",
  "speed",
  "context_management",
  "mcp_servers",
  "billing_policy",
  "compaction",
]);

/** Writes a Messages request. @throws SluiceError `unsupported_field` unless dropping is allowed */
export function encodeChatRequest(request: ChatRequest, dropUnsupported: boolean): EncodedRequest {
  const report = new FieldReport("anthropic", dropUnsupported);
  const own = request.origin === "anthropic";
  const traits = traitsOf(request.model);
  const body: JsonObject = {
    model: request.model,
    ...encodeConversation(request.messages, traits.systemTurns, { report, own }),
  };
  const maxTokens = request.maxOutputTokens ?? traits.defaultMaxTokens;
  body["max_tokens"] = maxTokens;
  if (request.stream) body["stream"] = true;
  const outputConfig: JsonObject = {};
  if (request.reasoning !== undefined) {
    const { thinking, effort } = encodeReasoning(request.reasoning, traits, maxTokens, report);
    if (thinking !== undefined) body["thinking"] = thinking;
    if (effort !== undefined) outputConfig["effort"] = effort;
  }
  encodeFormat(request.responseFormat, outputConfig, report);
  if (own) encodeOwnSampling(request, body);
  else encodeForeignSampling(request, traits, body, report);
  encodeStop(request, own, body, report);
  encodeTools(request, body, report);
  encodeAccount(request, body, report);
  refuseUnknown(request, report);
  addExtras(request, body, outputConfig, report);
  return { body, dropped: report.dropped };
}

/** Writes a request to count tokens: the same without what only generation needs. */
export function encodeTokenCountRequest(request: ChatRequest, dropUnsupported: boolean): EncodedRequest {
  const { body, dropped } = encodeChatRequest(request, dropUnsupported);
  const counted = Object.entries(body).filter(([key]) => COUNT_KEYS.has(key));
  return { body: Object.fromEntries(counted), dropped };
}

function encodeFormat(format: ResponseFormat | undefined, outputConfig: JsonObject, report: FieldReport): void {
  if (format === undefined || format.kind === "text") return;
  if (format.kind === "json") {
    report.unsupported("response_format", "Give a json_schema, or ask for JSON in the prompt.");
    return;
  }
  const { schema, description } = format;
  const described =
    description === undefined || schema["description"] !== undefined ? schema : { description, ...schema };
  outputConfig["format"] = { type: "json_schema", schema: described };
}

function encodeOwnSampling(request: ChatRequest, body: JsonObject): void {
  if (request.temperature !== undefined) body["temperature"] = request.temperature;
  if (request.topP !== undefined) body["top_p"] = request.topP;
  if (request.topK !== undefined) body["top_k"] = request.topK;
}

function encodeForeignSampling(request: ChatRequest, traits: ModelTraits, body: JsonObject, report: FieldReport): void {
  const { thinking } = body;
  const thinks = isObject(thinking) && thinking["type"] !== "disabled";
  const refusal = thinks
    ? "It cannot be set while the model thinks."
    : traits.sampling
      ? undefined
      : `${request.model} takes no sampling parameters.`;
  const { temperature, topP, topK } = request;
  if (temperature !== undefined && temperature !== 1) {
    if (refusal !== undefined) report.unsupported("temperature", refusal);
    else if (temperature > 1) report.unsupported("temperature", "Its range there is 0 to 1.");
    else body["temperature"] = temperature;
  }
  if (topP !== undefined && topP !== 1) {
    if (refusal !== undefined) report.unsupported("top_p", refusal);
    else body["top_p"] = topP;
  }
  // OpenAI's engines say "all of them" as 0 or -1
  if (topK !== undefined && topK > 0) {
    if (refusal !== undefined) report.unsupported("top_k", refusal);
    else body["top_k"] = topK;
  }
}

function encodeStop(request: ChatRequest, own: boolean, body: JsonObject, report: FieldReport): void {
  if (request.stop === undefined) return;
  let sequences = request.stop;
  if (!own && sequences.some((sequence) => sequence.trim() === "")) {
    report.unsupported("stop", "A stop sequence must hold more than white space.");
    sequences = sequences.filter((sequence) => sequence.trim() !== "");
  }
  if (own || sequences.length > 0) body["stop_sequences"] = sequences;
}

function encodeTools(request: ChatRequest, body: JsonObject, report: FieldReport): void {
  const { tools, toolChoice, parallelToolCalls } = request;
  if (tools !== undefined) {
    const encoded: JsonObject[] = [];
    tools.forEach((tool, index) => {
      const value = encodeTool(tool, `tools[${index}]`, report);
      if (value !== undefined) encoded.push(value);
    });
    body["tools"] = encoded;
  }
  let choice: JsonObject | undefined;
  if (toolChoice !== undefined) {
    if (toolChoice.kind === "tool") choice = { type: "tool", name: toolChoice.name };
    else choice = { type: toolChoice.kind === "required" ? "any" : toolChoice.kind };
  } else if (parallelToolCalls === false && tools !== undefined && tools.length > 0) {
    choice = { type: "auto" };
  }
  if (choice === undefined) return;
  if (parallelToolCalls !== undefined && choice["type"] !== "none") {
    choice["disable_parallel_tool_use"] = !parallelToolCalls;
  }
  body["tool_choice"] = choice;
}

function encodeTool(tool: Tool, path: string, report: FieldReport): JsonObject | undefined {
  report.foreign(tool.extra, path);
  if (tool.kind === "opaque") {
    if (tool.dialect === "anthropic" && tool.value !== undefined) return tool.value;
    report.unsupported(path, "Only function tools are known to every vendor.");
    return undefined;
  }
  const parameters = tool.parameters ?? {};
  const encoded: JsonObject = {
    name: tool.name,
    // Anthropic insists on the type that OpenAI lets out
    input_schema: parameters["type"] === undefined ? { type: "object", ...parameters } : parameters,
  };
  if (tool.description !== undefined) encoded["description"] = tool.description;
  if (tool.strict !== undefined) encoded["strict"] = tool.strict;
  if (tool.cacheControl !== undefined) encoded["cache_control"] = encodeCacheControl(tool.cacheControl);
  return putBack(encoded, tool.extra);
}

/** Who asks, at which tier, and the mark for automatic caching. */
function encodeAccount(request: ChatRequest, body: JsonObject, report: FieldReport): void {
  if (request.endUser !== undefined) body["metadata"] = { user_id: request.endUser };
  if (request.cacheControl !== undefined) body["cache_control"] = encodeCacheControl(request.cacheControl);
  const { serviceTier } = request;
  if (serviceTier === undefined) return;
  if (serviceTier === "default") body["service_tier"] = "standard_only";
  else if (serviceTier === "auto" || request.origin === "anthropic") body["service_tier"] = serviceTier;
  else report.unsupported("service_tier", "It is auto or default there.");
}

/** What the form can say and Anthropic's protocol cannot. */
function refuseUnknown(request: ChatRequest, report: FieldReport): void {
  const remedy = "Leave it out.";
  if (request.seed !== undefined) report.unsupported("seed", remedy);
  if ((request.presencePenalty ?? 0) !== 0) report.unsupported("presence_penalty", remedy);
  if ((request.frequencyPenalty ?? 0) !== 0) report.unsupported("frequency_penalty", remedy);
  if (Object.keys(request.logitBias ?? {}).length > 0) report.unsupported("logit_bias", remedy);
  if (request.logprobs === true) report.unsupported("logprobs", remedy);
  if ((request.topLogprobs ?? 0) > 0) report.unsupported("top_logprobs", remedy);
  if ((request.candidates ?? 1) > 1) report.unsupported("n", "Ask once for each candidate.");
}

/** Anthropic's own fields that the form has no place for. */
function addExtras(request: ChatRequest, body: JsonObject, outputConfig: JsonObject, report: FieldReport): void {
  report.foreign(request.extra, "");
  const { metadata } = body;
  putBack(body, request.extra);
  if (request.extra?.dialect === "anthropic") {
    // these two hold what the form knows besides what it does not
    const { metadata: moreMetadata, output_config: moreConfig } = request.extra.fields;
    if (isObject(moreMetadata) && isObject(metadata)) body["metadata"] = { ...metadata, ...moreMetadata };
    if (isObject(moreConfig)) Object.assign(outputConfig, moreConfig);
  }
  if (Object.keys(outputConfig).length > 0) body["output_config"] = outputConfig;
}
