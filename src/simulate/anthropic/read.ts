/** Reads Messages requests as Anthropic does, after the vendor's published types and error texts. */
import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject } from "../../lib/json.ts";
import { headerText } from "../headers.ts";
import { modelDirectives, parseDirectives, type Directives } from "../directives.ts";
import { PromptBuilder } from "../prompt.ts";
import { asArray, asNumber, asObject, asString, asStrings } from "../read.ts";
import type { ReasoningStyle, Task, TaskTool, TaskToolChoice } from "../task.ts";
import { badRequest } from "../vendor-error.ts";
import { readBlock, readBlocks, readCacheControl } from "./blocks.ts";

const COUNT_FIELDS =
  "messages model cache_control context_management mcp_servers output_config output_format speed system thinking tool_choice tools";
/** Fields of `MessageCreateParamsBase`, and the sampling ones of its older versions. */
const CREATE_FIELDS = `${COUNT_FIELDS} max_tokens container diagnostics inference_geo metadata service_tier stop_sequences stream temperature top_p top_k`;
const FIELDS = { create: new Set(CREATE_FIELDS.split(" ")), count: new Set(COUNT_FIELDS.split(" ")) };
const MAX_CACHE_MARKS = 4;
const MIN_THINKING_TOKENS = 1024;

/** @throws VendorError 400 */
export function readMessagesRequest(body: JsonObject, headers: IncomingHttpHeaders, kind: "create" | "count"): Task {
  if (headers["anthropic-version"] === undefined) throw badRequest("header is required", "anthropic-version");
  for (const field of Object.keys(body)) {
    if (!FIELDS[kind].has(field)) throw badRequest("Extra inputs are not permitted", field);
  }
  const model = asString(body["model"]);
  if (model === undefined || model === "") throw badRequest("Field required", "model");
  const prompt = new PromptBuilder();
  const tools = readTools(body, prompt);
  readSystem(body, prompt);
  readConversation(body, prompt);
  readCacheControl(body, "body", prompt);
  if (prompt.marks.length > MAX_CACHE_MARKS) {
    throw badRequest(
      `A maximum of ${MAX_CACHE_MARKS} blocks with cache_control may be provided. Found ${prompt.marks.length}.`,
    );
  }
  const header = headerText(headers["x-simulate"]);
  const directives: Directives = {
    ...modelDirectives(model),
    ...prompt.directives,
    ...(header === undefined ? {} : parseDirectives(header)),
  };
  const maxTokens = readMaxTokens(body, kind);
  const toolChoice = readToolChoice(body, tools);
  const thinking = readThinkingConfig(body, maxTokens, toolChoice);
  return {
    model,
    directives,
    prompt: prompt.text,
    cacheMarks: prompt.marks,
    userText: prompt.userText,
    toolResults: prompt.toolResults,
    images: prompt.images,
    documents: prompt.documents,
    stream: body["stream"] === true,
    includeUsage: true,
    candidates: 1,
    maxTokens,
    stop: readStops(body),
    tools,
    toolChoice,
    parallelToolCalls: asObject(body["tool_choice"])?.["disable_parallel_tool_use"] !== true,
    schema: readFormat(body),
    reasoning: reasoningStyle(directives, thinking),
    logprobs: false,
  };
}

function readMaxTokens(body: JsonObject, kind: "create" | "count"): number | undefined {
  const value = body["max_tokens"];
  if (kind === "count") return undefined;
  if (value === undefined) throw badRequest("Field required", "max_tokens");
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw badRequest("Input should be a valid integer greater than or equal to 0", "max_tokens");
  }
  return value;
}

function readStops(body: JsonObject): string[] {
  const stops = asStrings(body["stop_sequences"]);
  if (stops.some((stop) => stop.trim() === "")) {
    throw badRequest("each stop sequence must contain non-whitespace", "stop_sequences");
  }
  return stops;
}

function readTools(body: JsonObject, prompt: PromptBuilder): TaskTool[] {
  const tools: TaskTool[] = [];
  for (const [index, entry] of (asArray(body["tools"]) ?? []).entries()) {
    const place = `tools.${index}`;
    const tool = asObject(entry) ?? {};
    const name = asString(tool["name"]) ?? "";
    const type = tool["type"] ?? "custom";
    if (!/^[A-Za-z0-9_-]{1,128}$/.test(name)) {
      throw badRequest("String should match pattern '^[a-zA-Z0-9_-]{1,128}$'", `${place}.custom.name`);
    }
    if (type === "custom") {
      const schema = asObject(tool["input_schema"]);
      if (schema?.["type"] !== "object") throw badRequest("Field required", `${place}.custom.input_schema.type`);
      if (tools.some((other) => other.name === name)) throw badRequest("Tool names must be unique.", "tools");
      tools.push({ name, parameters: schema });
    }
    prompt.add("tool definition", JSON.stringify({ ...tool, cache_control: undefined }));
    readCacheControl(tool, place, prompt);
  }
  return tools;
}

function readSystem(body: JsonObject, prompt: PromptBuilder): void {
  if (body["system"] === undefined) return;
  for (const [index, block] of readBlocks(body["system"], "system").entries()) {
    if (block["type"] !== "text") throw badRequest("Input should be 'text'", `system.${index}.type`);
    readBlock(block, "system", `system.${index}`, prompt);
  }
}

function readConversation(body: JsonObject, prompt: PromptBuilder): void {
  const messages = asArray(body["messages"]);
  if (messages === undefined) throw badRequest("Field required", "messages");
  if (messages.length === 0) throw badRequest("at least one message is required", "messages");
  const thinkingOn = ["enabled", "adaptive"].includes(asString(asObject(body["thinking"])?.["type"]) ?? "");
  let open: string[] = [];
  for (const [index, entry] of messages.entries()) {
    const place = `messages.${index}`;
    const message = asObject(entry);
    const role = asString(message?.["role"]);
    if (message === undefined || role === undefined || !["user", "assistant", "system"].includes(role)) {
      throw badRequest("Input should be 'user', 'assistant' or 'system'", `${place}.role`);
    }
    const blocks = readMessageBlocks(message, role, place, index === messages.length - 1);
    checkResults(blocks, open, place);
    prompt.startTurn();
    for (const [position, block] of blocks.entries()) readBlock(block, role, `${place}.content.${position}`, prompt);
    open = blocks.filter((block) => block["type"] === "tool_use").map((block) => asString(block["id"]) ?? "");
    if (
      thinkingOn &&
      open.length > 0 &&
      isCurrentTurn(messages.slice(index + 1).map((later) => asObject(later) ?? {}))
    ) {
      checkThinkingFirst(blocks, place);
    }
  }
  if (open.length > 0) throw missingResults(open, `messages.${messages.length - 1}`);
}

function readMessageBlocks(message: JsonObject, role: string, place: string, last: boolean): JsonObject[] {
  const content = message["content"];
  const empty = content === "" || (Array.isArray(content) && content.length === 0);
  if (!empty) return readBlocks(content, `${place}.content`);
  if (last && role === "assistant") return [];
  throw badRequest("all messages must have non-empty content except for the optional final assistant message", place);
}

/** Results answer the calls of the message before, all of them, and stand before anything else. */
function checkResults(blocks: readonly JsonObject[], open: readonly string[], place: string): void {
  const missing = new Set(open);
  let other = false;
  for (const [position, block] of blocks.entries()) {
    if (block["type"] !== "tool_result") {
      other = true;
      continue;
    }
    const id = asString(block["tool_use_id"]) ?? "";
    if (!missing.delete(id)) {
      throw badRequest(
        `unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
        `${place}.content.${position}`,
      );
    }
    if (other) throw badRequest("`tool_result` blocks must come first in the content", place);
  }
  if (missing.size > 0) throw missingResults([...missing], place);
}

function missingResults(ids: readonly string[], place: string): Error {
  return badRequest(
    `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${ids.join(", ")}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
    place,
  );
}

/** After this message come tool results only: its thinking is still in use. */
function isCurrentTurn(later: readonly JsonObject[]): boolean {
  return later.every((message) => {
    if (message["role"] === "assistant") return true;
    const content = asArray(message["content"]) ?? [];
    return content.some((block) => asObject(block)?.["type"] === "tool_result");
  });
}

function checkThinkingFirst(blocks: readonly JsonObject[], place: string): void {
  const first = blocks[0]?.["type"];
  if (first === "thinking" || first === "redacted_thinking") return;
  throw badRequest(
    `Expected \`thinking\` or \`redacted_thinking\`, but found \`${String(first)}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block.`,
    `${place}.content.0.type`,
  );
}

function readToolChoice(body: JsonObject, tools: readonly TaskTool[]): TaskToolChoice {
  const choice = asObject(body["tool_choice"]);
  if (choice === undefined) return { kind: tools.length > 0 ? "auto" : "none" };
  if (tools.length === 0 && asArray(body["tools"]) === undefined) {
    throw badRequest("tool_choice may only be specified while providing tools", "tool_choice");
  }
  switch (choice["type"]) {
    case "auto":
      return { kind: "auto" };
    case "none":
      return { kind: "none" };
    case "any":
      return { kind: "required" };
    case "tool": {
      const name = asString(choice["name"]) ?? "";
      if (!tools.some((tool) => tool.name === name)) {
        throw badRequest(`Tool '${name}' not found in provided tools`, "tool_choice");
      }
      return { kind: "tool", name };
    }
    default:
      throw badRequest("Input should be 'auto', 'any', 'tool' or 'none'", "tool_choice.type");
  }
}

function readFormat(body: JsonObject): JsonObject | undefined {
  const format = asObject(asObject(body["output_config"])?.["format"]) ?? asObject(body["output_format"]);
  if (format === undefined) return undefined;
  const schema = asObject(format["schema"]);
  if (format["type"] !== "json_schema" || schema === undefined) {
    throw badRequest("Input should be {type: 'json_schema', schema}", "output_config.format");
  }
  checkClosedObjects(schema, "output_config.format.schema");
  return schema;
}

/** Structured outputs need every object of the schema to be closed. */
function checkClosedObjects(schema: JsonObject, place: string): void {
  if (schema["type"] === "object" && schema["additionalProperties"] !== false) {
    throw badRequest("For 'object' type, 'additionalProperties' must be explicitly set to false", place);
  }
  for (const [name, property] of Object.entries(asObject(schema["properties"]) ?? {})) {
    checkClosedObjects(asObject(property) ?? {}, `${place}.properties.${name}`);
  }
  const items = asObject(schema["items"]);
  if (items !== undefined) checkClosedObjects(items, `${place}.items`);
}

function readThinkingConfig(body: JsonObject, maxTokens: number | undefined, choice: TaskToolChoice): ReasoningStyle {
  const thinking = asObject(body["thinking"]);
  const type = thinking?.["type"];
  if (type === undefined || type === "disabled" || type === "between_tools") return "none";
  if (type !== "enabled" && type !== "adaptive") {
    throw badRequest("Input should be 'adaptive', 'between_tools', 'disabled' or 'enabled'", "thinking.type");
  }
  if (type === "enabled") {
    const budget = asNumber(thinking?.["budget_tokens"]);
    if (budget === undefined) throw badRequest("Field required", "thinking.enabled.budget_tokens");
    if (budget < MIN_THINKING_TOKENS) {
      throw badRequest(
        `Input should be greater than or equal to ${MIN_THINKING_TOKENS}`,
        "thinking.enabled.budget_tokens",
      );
    }
    if (maxTokens !== undefined && budget >= maxTokens) {
      throw badRequest("`max_tokens` must be greater than `thinking.budget_tokens`.");
    }
  }
  if (choice.kind === "required" || choice.kind === "tool") {
    throw badRequest("Thinking may not be enabled when tool_choice forces tool use.");
  }
  const temperature = asNumber(body["temperature"]);
  if (temperature !== undefined && temperature !== 1) {
    throw badRequest("`temperature` may only be set to 1 when thinking is enabled.");
  }
  return thinking?.["display"] === "omitted" ? "omitted" : "thinking";
}

function reasoningStyle(directives: Directives, asked: ReasoningStyle): ReasoningStyle {
  const wanted = directives.reasoning;
  if (wanted === undefined) return asked;
  return wanted === "content" || wanted === "think" ? "thinking" : wanted;
}
