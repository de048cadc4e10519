/** Reads OpenAI requests as the vendor does: what it would refuse is refused in its words. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import { modelDirectives, parseDirectives, type Directives } from "../directives.ts";
import type { ResolvedOptions } from "../options.ts";
import { PromptBuilder } from "../prompt.ts";
import { asArray, asNumber, asObject, asString, asStrings } from "../read.ts";
import type { ReasoningStyle, Task, TaskTool, TaskToolChoice } from "../task.ts";
import { badRequest, VendorError } from "../vendor-error.ts";

/** Top-level fields of `ChatCompletionCreateParamsBase`, and those that only engines know. */
const CHAT_FIELDS = new Set(
  (
    "messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens " +
    "max_tokens metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key " +
    "prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier " +
    "stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options"
  ).split(" "),
);
const ROLES = new Set(["system", "developer", "user", "assistant", "tool", "function"]);
const MAX_STOPS = 4;
const MAX_CANDIDATES = 128;

/** Directives of header and model name; those of a message stand between the two. */
export function requestDirectives(header: string | undefined, model: string, message: Directives): Directives {
  return { ...modelDirectives(model), ...message, ...(header === undefined ? {} : parseDirectives(header)) };
}

/** @throws VendorError 400 */
export function readChat(body: JsonObject, header: string | undefined, options: ResolvedOptions): Task {
  if (options.strict) refuseUnknownFields(body);
  const model = readModel(body);
  const prompt = new PromptBuilder();
  const tools = readTools(body, prompt);
  readMessages(body, prompt);
  const directives = requestDirectives(header, model, prompt.directives);
  return {
    model,
    directives,
    prompt: prompt.text,
    cacheMarks: undefined,
    userText: prompt.userText,
    toolResults: prompt.toolResults,
    images: prompt.images,
    documents: prompt.documents,
    ...readCommon(body),
    maxTokens: readCount(body, "max_completion_tokens") ?? readCount(body, "max_tokens"),
    tools,
    toolChoice: readToolChoice(body, tools),
    parallelToolCalls: body["parallel_tool_calls"] !== false,
    schema: readFormat(body),
    reasoning: readReasoning(body, directives, options),
    logprobs: body["logprobs"] === true,
  };
}

/** @throws VendorError 400 */
export function readCompletion(body: JsonObject, header: string | undefined): Task {
  const model = readModel(body);
  const prompts = asStrings(body["prompt"]);
  const numbers = asArray(body["prompt"])
    ?.flat()
    .filter((token) => typeof token === "number");
  if (prompts.length === 0 && (numbers === undefined || numbers.length === 0)) {
    throw badRequest("you must provide a prompt", "prompt");
  }
  const prompt = new PromptBuilder();
  prompt.addUser(prompts.length > 0 ? prompts.join("\n") : `${numbers?.length ?? 0} tokens`);
  return {
    model,
    directives: requestDirectives(header, model, prompt.directives),
    prompt: prompt.text,
    cacheMarks: undefined,
    userText: prompt.userText,
    toolResults: [],
    images: 0,
    documents: 0,
    ...readCommon(body),
    // 16 is what the API gives if nothing is said; engines do the same.
    maxTokens: readCount(body, "max_tokens") ?? 16,
    tools: [],
    toolChoice: { kind: "none" },
    parallelToolCalls: false,
    schema: undefined,
    reasoning: "none",
    logprobs: false,
  };
}

function readCommon(body: JsonObject): Pick<Task, "stream" | "includeUsage" | "candidates" | "stop"> {
  const streamOptions = asObject(body["stream_options"]);
  const stream = body["stream"] === true;
  if (streamOptions !== undefined && !stream) {
    throw badRequest("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options");
  }
  const candidates = readCount(body, "n") ?? 1;
  if (candidates > MAX_CANDIDATES) throw badRequest(`n must be at most ${MAX_CANDIDATES}`, "n");
  const stop = asStrings(body["stop"]);
  if (stop.length > MAX_STOPS) throw badRequest(`at most ${MAX_STOPS} stop sequences`, "stop");
  const temperature = asNumber(body["temperature"]);
  if (temperature !== undefined && (temperature < 0 || temperature > 2)) {
    throw badRequest(`Invalid 'temperature': ${temperature} is not between 0 and 2.`, "temperature");
  }
  return { stream, includeUsage: streamOptions?.["include_usage"] === true, candidates, stop };
}

/** @throws VendorError 400 */
export function readModel(body: JsonObject): string {
  const model = asString(body["model"]);
  if (model === undefined || model === "") throw badRequest("you must provide a model parameter", "model");
  return model;
}

function readCount(body: JsonObject, field: string): number | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
    throw badRequest(`Invalid '${field}': must be a whole number from 1.`, field);
  }
  return value;
}

function refuseUnknownFields(body: JsonObject): void {
  for (const field of Object.keys(body)) {
    if (!CHAT_FIELDS.has(field)) {
      throw new VendorError(400, `Unknown parameter: '${field}'.`, { param: field, code: "unknown_parameter" });
    }
  }
}

function readMessages(body: JsonObject, prompt: PromptBuilder): void {
  const messages = asArray(body["messages"]);
  if (messages === undefined || messages.length === 0) {
    throw badRequest("Invalid 'messages': empty array. Expected an array with minimum length 1.", "messages");
  }
  const open = new Set<string>();
  for (const [index, entry] of messages.entries()) {
    const place = `messages[${index}]`;
    const message = asObject(entry);
    const role = asString(message?.["role"]);
    if (message === undefined || role === undefined || !ROLES.has(role)) {
      throw badRequest(
        `Invalid value: '${String(role)}'. Supported values are: ${[...ROLES].join(", ")}.`,
        `${place}.role`,
      );
    }
    if (role === "tool") {
      readToolMessage(message, place, open, prompt);
      continue;
    }
    if (open.size > 0) throw unansweredCalls(open, place);
    prompt.startTurn();
    readMessage(message, role, place, prompt);
    if (role === "assistant") readToolCalls(message, open, prompt);
  }
  if (open.size > 0) throw unansweredCalls(open, "messages");
}

function unansweredCalls(open: ReadonlySet<string>, place: string): VendorError {
  const ids = [...open].join(", ");
  return badRequest(
    `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${ids}`,
    place,
  );
}

function readToolMessage(message: JsonObject, place: string, open: Set<string>, prompt: PromptBuilder): void {
  const id = asString(message["tool_call_id"]);
  if (id === undefined || !open.delete(id)) {
    throw badRequest(
      "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
      `${place}.tool_call_id`,
    );
  }
  prompt.addToolResult(contentText(message["content"]));
}

function readToolCalls(message: JsonObject, open: Set<string>, prompt: PromptBuilder): void {
  for (const entry of asArray(message["tool_calls"]) ?? []) {
    const call = asObject(entry);
    const id = asString(call?.["id"]);
    const name = asString(asObject(call?.["function"])?.["name"]) ?? asString(asObject(call?.["custom"])?.["name"]);
    const text = asString(asObject(call?.["function"])?.["arguments"]);
    if (id === undefined || name === undefined) throw badRequest("a tool call needs id and function.name", "messages");
    open.add(id);
    prompt.add("call", `${name} ${text ?? ""}`);
  }
}

function readMessage(message: JsonObject, role: string, place: string, prompt: PromptBuilder): void {
  const content = message["content"];
  if (role === "user" && (content === undefined || content === null)) {
    throw badRequest("Invalid value for 'content': expected a string, got null.", `${place}.content`);
  }
  for (const [index, entry] of (asArray(content) ?? []).entries()) {
    readAttachment(asObject(entry) ?? {}, `${place}.content[${index}]`, prompt);
  }
  if (role === "user") prompt.addUser(contentText(content));
  else prompt.add(role, contentText(content));
}

function readAttachment(part: JsonObject, place: string, prompt: PromptBuilder): void {
  switch (part["type"]) {
    case "text":
    case "refusal":
      return;
    case "image_url": {
      const url = asString(asObject(part["image_url"])?.["url"]);
      if (url === undefined || !/^(https?:\/\/|data:image\/)/.test(url)) {
        throw badRequest("Invalid image URL.", `${place}.image_url.url`);
      }
      prompt.addImage(url);
      return;
    }
    case "input_audio":
    case "file":
      prompt.addDocument(JSON.stringify(part).slice(0, 64));
      return;
    default:
      throw badRequest(`Invalid value: '${String(part["type"])}'.`, `${place}.type`);
  }
}

function contentText(content: JsonValue | undefined): string {
  if (typeof content === "string") return content;
  return (asArray(content) ?? [])
    .map((part) => asString(asObject(part)?.["text"]) ?? asString(asObject(part)?.["refusal"]) ?? "")
    .join("");
}

function readTools(body: JsonObject, prompt: PromptBuilder): TaskTool[] {
  const tools: TaskTool[] = [];
  for (const [index, entry] of (asArray(body["tools"]) ?? []).entries()) {
    const definition = asObject(asObject(entry)?.["function"]);
    const name = asString(definition?.["name"]);
    if (name === undefined || !/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
      throw badRequest(`Invalid 'tools[${index}].function.name'.`, `tools[${index}].function.name`);
    }
    tools.push({ name, parameters: asObject(definition?.["parameters"]) ?? {} });
    prompt.add("tool definition", JSON.stringify(definition));
  }
  return tools;
}

function readToolChoice(body: JsonObject, tools: readonly TaskTool[]): TaskToolChoice {
  const choice = body["tool_choice"];
  if (choice === undefined || choice === null) return { kind: tools.length > 0 ? "auto" : "none" };
  if (tools.length === 0) throw badRequest("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice");
  if (choice === "auto" || choice === "none" || choice === "required") return { kind: choice };
  const name = asString(asObject(asObject(choice)?.["function"])?.["name"]);
  if (name === undefined || !tools.some((tool) => tool.name === name)) {
    throw badRequest(`Tool choice '${String(name)}' not found in 'tools' parameter.`, "tool_choice");
  }
  return { kind: "tool", name };
}

function readFormat(body: JsonObject): JsonObject | undefined {
  const format = asObject(body["response_format"]) ?? { type: "text" };
  switch (format["type"]) {
    case "text":
      return undefined;
    case "json_object":
      return {};
    case "json_schema": {
      const definition = asObject(format["json_schema"]);
      const schema = asObject(definition?.["schema"]);
      if (asString(definition?.["name"]) === undefined || schema === undefined) {
        throw badRequest("Missing required parameter: 'response_format.json_schema'.", "response_format.json_schema");
      }
      return schema;
    }
    default:
      throw badRequest(`Invalid value: '${String(format["type"])}'.`, "response_format.type");
  }
}

function readReasoning(body: JsonObject, directives: Directives, options: ResolvedOptions): ReasoningStyle {
  if (directives.reasoning !== undefined) return directives.reasoning;
  const effort = asString(body["reasoning_effort"]);
  const template = asObject(body["chat_template_kwargs"]);
  const asked =
    (effort !== undefined && effort !== "none" && effort !== "minimal") || template?.["enable_thinking"] === true;
  return asked ? options.reasoning : "none";
}
