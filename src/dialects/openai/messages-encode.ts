/**
 * `messages` of a request, from the form to the wire. Where other dialects put a tool's results into a user's
 * message, they become messages of their own before it; what a tool message may not hold (images, documents)
 * follows in the user's message. `is_error`, for which the protocol has no word, becomes the text's beginning.
 */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import { clientPath, messagePath, partPath } from "../client-path.ts";
import type { ChatRequest, ContentPart, Message, ToolCallPart, ToolResultPart } from "../form.ts";
import { CACHE_MARKER_KEYS, encodeCacheMarker } from "./cache-marker.ts";
import { fieldsOf, hintsOf, putBack } from "./fields.ts";
import { encodePart, type PartContext } from "./parts-encode.ts";
import { encodeReasoning, REASONING_WORDED } from "./reasoning-history.ts";

/** Hints on messages that tell how something of the form was worded. */
const MESSAGE_WORDED: ReadonlySet<string> = new Set([...CACHE_MARKER_KEYS, ...REASONING_WORDED, "refusal"]);
const ERROR_PREFIX = "Error: ";

/** @throws SluiceError `unsupported_field` through the report */
export function encodeMessages(request: ChatRequest, context: PartContext): JsonObject[] {
  return request.messages.flatMap((message, index) => {
    const path = messagePath(request, index);
    context.report.foreign(message.extra, path);
    const paths = message.content.map((_, part) => partPath(request, index, part));
    if (message.role === "assistant") return [encodeAssistant(message, paths, context)];
    return encodeSpoken(message, paths, context);
  });
}

/** The messages of one that no model spoke: tool results first, then what else it holds. */
function encodeSpoken(message: Message, paths: readonly string[], context: PartContext): JsonObject[] {
  const results: JsonObject[] = [];
  const rest: JsonObject[] = [];
  message.content.forEach((part, index) => {
    const path = paths[index] ?? "";
    if (part.kind !== "toolResult") {
      rest.push(...encodePart(part, path, context));
      return;
    }
    const { result, moved } = encodeToolResult(part, path, context);
    results.push(result);
    rest.push(...moved);
  });
  const [only] = results;
  if (only !== undefined && results.length === 1 && rest.length === 0) {
    putBack(only, message.extra, MESSAGE_WORDED);
    const [part] = message.content;
    encodeCacheMarker(only, part?.cacheControl, message.extra, undefined);
    return results;
  }
  if (rest.length === 0 && results.length > 0) return results;
  const spoken: JsonObject = { role: roleOf(message) };
  // a content that came as null is put back
  if (rest.length > 0 || hintsOf(message.extra)["content"] !== null)
    spoken["content"] = contentOf(rest, message, context);
  if (message.name !== undefined) spoken["name"] = message.name;
  encodeCacheMarker(spoken, message.content.at(-1)?.cacheControl, message.extra, undefined);
  putBack(spoken, message.extra, MESSAGE_WORDED);
  return [...results, spoken];
}

function roleOf(message: Message): JsonValue {
  const { role } = fieldsOf(message.extra);
  if (role !== undefined) return role;
  // what is left of a tool's results goes on in the user's name
  return message.role === "tool" ? "user" : message.role;
}

/** One text as a plain string, where it came so or where it is ours to choose: every server takes that. */
function contentOf(parts: JsonObject[], message: Message, context: PartContext): JsonValue {
  const [first] = parts;
  if (first === undefined) return message.plain === true || !context.own ? "" : [];
  const text = plainText(first);
  if (parts.length > 1 || text === undefined) return parts;
  return message.plain === true || !context.own ? text : parts;
}

/** The text of a part that says nothing else. */
function plainText(part: JsonObject): string | undefined {
  const { text } = part;
  if (part["type"] !== "text" || typeof text !== "string") return undefined;
  return Object.keys(part).length === 2 ? text : undefined;
}

interface EncodedResult {
  readonly result: JsonObject;
  /** Parts for the user's message that follows. */
  readonly moved: readonly JsonObject[];
}

function encodeToolResult(part: ToolResultPart, path: string, context: PartContext): EncodedResult {
  context.report.foreign(part.extra, path);
  const parts: JsonObject[] = [];
  const moved: JsonObject[] = [];
  part.content.forEach((inner, index) => {
    for (const encoded of encodePart(inner, clientPath(context.origin, path, "content", index), context)) {
      (context.own || encoded["type"] === "text" ? parts : moved).push(encoded);
    }
  });
  if (moved.length > 0) moved.unshift({ type: "text", text: `Part of the result of tool call ${part.toolCallId}:` });
  if (part.isError === true) prefixError(parts);
  const content = contentOfResult(parts, part, context);
  const result: JsonObject = { role: "tool", tool_call_id: part.toolCallId, content };
  encodeCacheMarker(result, part.cacheControl, part.extra, context.cacheMarkers);
  return { result: putBack(result, part.extra, CACHE_MARKER_KEYS), moved };
}

function contentOfResult(parts: JsonObject[], part: ToolResultPart, context: PartContext): JsonValue {
  const [first] = parts;
  if (first === undefined) return part.plain === true || !context.own ? "" : [];
  const text = parts.length === 1 ? plainText(first) : undefined;
  return text !== undefined && (part.plain === true || !context.own) ? text : parts;
}

function prefixError(parts: JsonObject[]): void {
  const [first] = parts;
  const text = first?.["type"] === "text" ? first["text"] : undefined;
  if (first === undefined || typeof text !== "string") parts.unshift({ type: "text", text: ERROR_PREFIX.trim() });
  else if (!/^\W*error\b/i.test(text)) first["text"] = ERROR_PREFIX + text;
}

function encodeAssistant(message: Message, paths: readonly string[], context: PartContext): JsonObject {
  const hints = hintsOf(message.extra);
  const content: JsonObject[] = [];
  const calls: JsonObject[] = [];
  let refusal: string | undefined;
  message.content.forEach((part, index) => {
    const path = paths[index] ?? "";
    if (part.kind === "reasoning") {
      context.report.foreign(part.extra, path);
    } else if (part.kind === "toolCall") {
      calls.push(encodeToolCall(part, path, context));
    } else if (part.kind === "refusal" && (hints["refusal"] !== undefined || !context.own)) {
      refusal = (refusal ?? "") + part.text;
    } else {
      content.push(...encodePart(part, path, context));
    }
  });
  const encoded: JsonObject = { role: "assistant" };
  if (content.length > 0) encoded["content"] = contentOf(content, message, context);
  else if (!context.own) encoded["content"] = null;
  if (refusal !== undefined) encoded["refusal"] = refusal;
  else if (hints["refusal"] === "") encoded["refusal"] = "";
  encodeReasoning(encoded, message.content, hints, context.own);
  if (calls.length > 0) encoded["tool_calls"] = calls;
  if (message.name !== undefined) encoded["name"] = message.name;
  encodeCacheMarker(encoded, lastSpoken(message.content)?.cacheControl, message.extra, undefined);
  return putBack(encoded, message.extra, MESSAGE_WORDED);
}

/** The part that a marker on the whole message stands on. */
function lastSpoken(content: readonly ContentPart[]): ContentPart | undefined {
  return content.findLast((part) => part.cacheControl !== undefined);
}

function encodeToolCall(part: ToolCallPart, path: string, context: PartContext): JsonObject {
  context.report.foreign(part.extra, path);
  const { type } = fieldsOf(part.extra);
  const encoded: JsonObject =
    type === "custom"
      ? { id: part.id, type, custom: { name: part.name, input: part.arguments } }
      : { id: part.id, type: "function", function: { name: part.name, arguments: part.arguments } };
  encodeCacheMarker(encoded, part.cacheControl, part.extra, context.cacheMarkers);
  return putBack(encoded, part.extra, CACHE_MARKER_KEYS);
}
