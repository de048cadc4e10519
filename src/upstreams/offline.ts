/**
 * The built-in test model `echo`: it answers inside the gateway, without network, in the OpenAI dialect. Every answer
 * says that it comes from a test model, so that nobody takes it for a real one.
 */
import { randomUUID } from "node:crypto";
import type { Operation } from "../dialects/contract.ts";
import { scanObject } from "../lib/json-scan.ts";
import { isObject, type JsonObject, type JsonValue } from "../lib/json.ts";
import { estimateTokens, estimateTokensOfBody, PROMPT_MEMBERS } from "../lib/token-estimate.ts";
import { embedOffline } from "./offline-embedding.ts";

/** What every answer begins with. */
export const ECHO_LABEL = "[echo, the built-in test model of Sluice]";
const DEFAULT_DIMENSIONS = 64;
const MAX_DIMENSIONS = 4096;
/** Of all embeddings of one answer together: some 20 MB. */
const MAX_NUMBERS = 1_000_000;

/** An answer of the built-in model. `chunks` are whole SSE events. */
export type OfflineAnswer =
  | { readonly kind: "json"; readonly status: number; readonly body: JsonObject }
  | { readonly kind: "stream"; readonly chunks: readonly string[] };

/**
 * Repeats the last user message, word by word if streamed. A tool that the request forces is called; embeddings
 * depend on the input alone. Other operations are answered with an error of status 400.
 */
export function answerOffline(operation: Operation, body: JsonObject): OfflineAnswer {
  switch (operation) {
    case "chat":
      return answerChat(body);
    case "completions":
      return answerCompletion(body);
    case "embeddings":
      return answerEmbeddings(body);
    default:
      return refuse(`${ECHO_LABEL} has no operation ${operation}.`, null);
  }
}

function answerChat(body: JsonObject): OfflineAnswer {
  const messages = arrayOf(body["messages"]);
  if (messages.length === 0) return refuse("messages must be an array with at least one message.", "messages");
  const asked = messages.map(objectOf).findLast((message) => message["role"] === "user");
  const calls = forcedCalls(body);
  const text = calls.length > 0 ? null : `${ECHO_LABEL} ${textOf(asked?.["content"])}`.trimEnd();
  const usage = usageOf(estimateTokensOfMessages(messages), text ?? JSON.stringify(calls));
  const head = headOf("chatcmpl-", body);
  const reason = calls.length > 0 ? "tool_calls" : "stop";
  if (body["stream"] !== true) {
    const message: JsonObject = { role: "assistant", content: text, refusal: null };
    if (calls.length > 0) message["tool_calls"] = calls;
    const choice: JsonObject = { index: 0, message, logprobs: null, finish_reason: reason };
    return { kind: "json", status: 200, body: { ...head, object: "chat.completion", choices: [choice], usage } };
  }
  const deltas: JsonObject[] = [{ role: "assistant", content: text === null ? null : "" }];
  for (const word of text === null ? [] : wordsOf(text)) deltas.push({ content: word });
  for (const [index, call] of calls.entries()) deltas.push({ tool_calls: [{ index, ...call }] });
  const chunks: JsonObject[] = deltas.map((delta) => ({ index: 0, delta, logprobs: null, finish_reason: null }));
  chunks.push({ index: 0, delta: {}, logprobs: null, finish_reason: reason });
  return streamOf({ ...head, object: "chat.completion.chunk" }, chunks, body, usage);
}

function answerCompletion(body: JsonObject): OfflineAnswer {
  const prompt = body["prompt"];
  const asked =
    typeof prompt === "string"
      ? prompt
      : arrayOf(prompt)
          .filter((part) => typeof part === "string")
          .join("\n");
  const text = `${ECHO_LABEL} ${asked}`.trimEnd();
  const usage = usageOf(estimateTokens(asked), text);
  const head: JsonObject = { ...headOf("cmpl-", body), object: "text_completion" };
  const choice = (words: string, reason: string | null): JsonObject => ({
    index: 0,
    text: words,
    logprobs: null,
    finish_reason: reason,
  });
  if (body["stream"] !== true)
    return { kind: "json", status: 200, body: { ...head, choices: [choice(text, "stop")], usage } };
  return streamOf(head, [...wordsOf(text).map((word) => choice(word, null)), choice("", "stop")], body, usage);
}

function streamOf(
  head: JsonObject,
  choices: readonly JsonObject[],
  body: JsonObject,
  usage: JsonObject,
): OfflineAnswer {
  const includeUsage = objectOf(body["stream_options"])["include_usage"] === true;
  const chunks = choices.map((choice): JsonObject => ({
    ...head,
    choices: [choice],
    ...(includeUsage ? { usage: null } : {}),
  }));
  if (includeUsage) chunks.push({ ...head, choices: [], usage });
  return {
    kind: "stream",
    chunks: [...chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`), "data: [DONE]\n\n"],
  };
}

function answerEmbeddings(body: JsonObject): OfflineAnswer {
  const input = body["input"];
  const isOne = typeof input === "string" || (Array.isArray(input) && input.every((part) => typeof part === "number"));
  const inputs = (isOne ? [input] : arrayOf(input)).map((part) =>
    typeof part === "string" ? part : JSON.stringify(part),
  );
  if (inputs.length === 0) return refuse("input must be a string or an array of inputs.", "input");
  const dimensions = body["dimensions"] ?? DEFAULT_DIMENSIONS;
  if (
    typeof dimensions !== "number" ||
    !Number.isInteger(dimensions) ||
    dimensions < 1 ||
    dimensions > MAX_DIMENSIONS
  ) {
    return refuse(`dimensions must be a whole number from 1 to ${MAX_DIMENSIONS}.`, "dimensions");
  }
  if (inputs.length * dimensions > MAX_NUMBERS) {
    return refuse(`input is too much for a test model: at most ${MAX_NUMBERS} numbers in one answer.`, "input");
  }
  const isBase64 = body["encoding_format"] === "base64";
  const data = inputs.map((text, index): JsonObject => {
    const vector = embedOffline(text, dimensions);
    const embedding = isBase64 ? Buffer.from(vector.buffer).toString("base64") : [...vector];
    return { object: "embedding", index, embedding };
  });
  const tokens = inputs.reduce((sum, text) => sum + estimateTokens(text), 0);
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  return { kind: "json", status: 200, body: { object: "list", data, model: modelOf(body), usage } };
}

/** The call that `tool_choice` forces: the named tool, or the first one. */
function forcedCalls(body: JsonObject): JsonObject[] {
  const choice = body["tool_choice"];
  const definitions = arrayOf(body["tools"]).map((tool) => objectOf(objectOf(tool)["function"]));
  const wanted = objectOf(objectOf(choice)["function"])["name"];
  const chosen = choice === "required" ? definitions[0] : definitions.find((tool) => tool["name"] === wanted);
  if (typeof chosen?.["name"] !== "string") return [];
  const call = { name: chosen["name"], arguments: JSON.stringify(sampleOf(objectOf(chosen["parameters"]))) };
  return [{ id: `call_${randomUUID().replaceAll("-", "")}`, type: "function", function: call }];
}

/** Arguments of the right types: required properties only, one level of them. */
function sampleOf(schema: JsonObject): JsonObject {
  const properties = objectOf(schema["properties"]);
  const sample: JsonObject = {};
  for (const name of arrayOf(schema["required"])) {
    if (typeof name !== "string") continue;
    const property = objectOf(properties[name]);
    sample[name] = arrayOf(property["enum"])[0] ?? SAMPLES[String(property["type"])] ?? "echo";
  }
  return sample;
}

const SAMPLES: Readonly<Record<string, JsonValue>> = {
  integer: 1,
  number: 1,
  boolean: true,
  array: [],
  object: {},
  null: null,
};

function headOf(prefix: string, body: JsonObject): JsonObject {
  const id = `${prefix}echo-${randomUUID()}`;
  return { id, created: Math.floor(Date.now() / 1000), model: modelOf(body), system_fingerprint: "sluice-echo" };
}

function modelOf(body: JsonObject): string {
  return typeof body["model"] === "string" ? body["model"] : "echo";
}

function estimateTokensOfMessages(messages: readonly JsonValue[]): number {
  const body = Buffer.from(JSON.stringify({ messages }));
  return estimateTokensOfBody(body, scanObject(body, PROMPT_MEMBERS).members);
}

function usageOf(promptTokens: number, answer: string): JsonObject {
  const completionTokens = estimateTokens(answer);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

function refuse(message: string, param: string | null): OfflineAnswer {
  return { kind: "json", status: 400, body: { error: { message, type: "invalid_request_error", param, code: null } } };
}

/** Words with the space before them, so that together they are the text. */
function wordsOf(text: string): string[] {
  return text.match(/\s*\S+|\s+$/g) ?? [];
}

function textOf(content: JsonValue | undefined): string {
  if (typeof content === "string") return content;
  return arrayOf(content)
    .map((part) => objectOf(part)["text"])
    .filter((text) => typeof text === "string")
    .join("");
}

const arrayOf = (value: JsonValue | undefined): JsonValue[] => (Array.isArray(value) ? value : []);

function objectOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}
