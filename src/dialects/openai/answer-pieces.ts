/**
 * What one message of an answer, or one delta of a stream, says. Lenient: vendors and engines answer in many
 * ways, and what cannot be read is left out rather than refused.
 */
import { randomUUID } from "node:crypto";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import { isObject } from "./fields.ts";

/** Words for the text of a model's reasoning, the one that counts first. */
export const REASONING_WORDS = ["reasoning_content", "reasoning"] as const;
/** Members of a message that the form has a place for. */
export const MESSAGE_KEYS: ReadonlySet<string> = new Set([
  "role",
  "content",
  "refusal",
  "tool_calls",
  "reasoning_details",
  "thinking_blocks",
  ...REASONING_WORDS,
]);

/** A piece of reasoning with what belongs to it alone. */
export interface ReasoningDetail {
  readonly text: string;
  readonly signature?: string;
  readonly redacted?: string;
  /** How the entry was worded: `type`, `id`, `format`, `index`. */
  readonly hints: JsonObject;
}

/** One message or delta. */
export interface AnswerPiece {
  readonly text: string;
  readonly reasoning: string;
  /** The words that the reasoning's text came in. */
  readonly reasoningWords: readonly string[];
  readonly details: readonly ReasoningDetail[];
  readonly refusal: string;
  readonly toolCalls: readonly JsonObject[];
}

/** Reads a message or delta. */
export function readPiece(message: JsonObject): AnswerPiece {
  const { content } = message;
  const parts = Array.isArray(content) ? readParts(content) : undefined;
  let reasoning = parts?.reasoning ?? "";
  const reasoningWords: string[] = [];
  for (const word of REASONING_WORDS) {
    const value = message[word];
    if (typeof value !== "string" || value === "") continue;
    if (reasoningWords.length === 0) reasoning += value;
    reasoningWords.push(word);
  }
  const { refusal, tool_calls: toolCalls } = message;
  return {
    text: parts?.text ?? (typeof content === "string" ? content : ""),
    reasoning,
    reasoningWords,
    details: readDetails(message),
    refusal: typeof refusal === "string" ? refusal : "",
    toolCalls: Array.isArray(toolCalls) ? toolCalls.filter(isObject) : [],
  };
}

/** Mistral: content in parts, thinking among them. */
function readParts(parts: readonly JsonValue[]): { text: string; reasoning: string } {
  let text = "";
  let reasoning = "";
  for (const part of parts) {
    if (!isObject(part)) continue;
    const { thinking } = part;
    if (typeof part["text"] === "string") text += part["text"];
    else if (typeof thinking === "string") reasoning += thinking;
    else if (Array.isArray(thinking)) reasoning += readParts(thinking).text;
  }
  return { text, reasoning };
}

function readDetails(message: JsonObject): ReasoningDetail[] {
  const { reasoning_details: details, thinking_blocks: blocks } = message;
  const list = Array.isArray(details) && details.length > 0 ? details : Array.isArray(blocks) ? blocks : [];
  return list.filter(isObject).map(readDetail);
}

function readDetail(entry: JsonObject): ReasoningDetail {
  const { type, text, summary, thinking, signature, data } = entry;
  const words = [text, summary, thinking].find((value) => typeof value === "string");
  const hints: JsonObject = {};
  for (const key of ["type", "id", "format", "index"]) {
    const value = entry[key];
    if (value !== undefined && value !== null) hints[key] = value;
  }
  // LiteLLM's blocks are written as entries
  if (type === "thinking" || type === "redacted_thinking") delete hints["type"];
  const redacted = type === "reasoning.encrypted" || type === "redacted_thinking" ? data : undefined;
  return {
    text: typeof words === "string" ? words : "",
    ...(typeof signature === "string" && signature !== "" ? { signature } : {}),
    ...(typeof redacted === "string" ? { redacted } : {}),
    hints,
  };
}

/** A tool call as far as an answer says it: engines leave out ids, or write arguments as an object. */
export interface CallPiece {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  /** Fields that the form has no place for; `type` if it is not `function`. */
  readonly rest: JsonObject;
}

/** Reads one element of `tool_calls`. */
export function readCall(call: JsonObject): CallPiece {
  const { id, type, function: definition, custom, index: _, ...others } = call;
  const rest: JsonObject = type === "custom" ? { type, ...others } : others;
  const inner = type === "custom" ? custom : definition;
  const { name, arguments: value, input, ...beside } = isObject(inner) ? inner : {};
  if (Object.keys(beside).length > 0) rest[type === "custom" ? "custom" : "function"] = beside;
  const written = type === "custom" ? input : value;
  return {
    id: typeof id === "string" ? id : "",
    name: typeof name === "string" ? name : "",
    arguments: typeof written === "string" ? written : isObject(written) ? JSON.stringify(written) : "",
    rest,
  };
}

/** An id for a call that its engine gave none: results must be able to name it, whatever the turn. */
export function freshCallId(): string {
  return `call_${randomUUID().replaceAll("-", "").slice(0, 24)}`;
}
