/** `messages` of a request, from the wire to the form. */
import type { JsonValue } from "../../lib/json.ts";
import type { CacheControl, ContentPart, Message, ToolCallPart, ToolResultPart } from "../form.ts";
import { decodeCacheMarker } from "./cache-marker.ts";
import { FieldReader, invalidValue, objectOf, under } from "./fields.ts";
import { decodeContent } from "./parts-decode.ts";
import { decodeReasoning } from "./reasoning-history.ts";

/**
 * What clients send back of an answer though no model reads it: citations, a parsed content, an aggregator's
 * own notes. Another dialect may leave them out.
 */
const ECHOED = ["annotations", "citations", "parsed", "provider_specific_fields"];

/** @throws SluiceError `invalid_request` naming the field */
export function decodeMessages(list: readonly JsonValue[]): Message[] {
  if (list.length === 0) throw invalidValue("messages", "expected at least one message");
  return list.map((value, index) => decodeMessage(value, under("messages", index)));
}

function decodeMessage(value: JsonValue, path: string): Message {
  const reader = new FieldReader(objectOf(value, path), path);
  const role = reader.requiredString("role");
  switch (role) {
    case "system":
    case "developer":
    case "user":
      return decodeSpoken(role, reader);
    case "assistant":
      return decodeAssistant(reader);
    case "tool":
      return decodeToolResult(reader);
    case "function":
      return decodeFunctionResult(reader);
    default:
      throw invalidValue(
        reader.at("role"),
        `expected one of 'system', 'developer', 'user', 'assistant', 'tool' and 'function', but got '${role.slice(0, 40)}'`,
      );
  }
}

function decodeSpoken(role: "system" | "developer" | "user", reader: FieldReader): Message {
  const { content, plain } = decodeContent(reader.value("content"), reader.at("content"));
  mark(content, decodeCacheMarker(reader));
  const name = reader.string("name");
  return {
    role,
    content,
    ...(name === undefined ? {} : { name }),
    ...(plain ? { plain } : {}),
    ...reader.extraMember(),
  };
}

/** A marker on the message (a way to mark plain strings) stands for one on its last part. */
function mark(content: readonly ContentPart[], cacheControl: CacheControl | undefined): void {
  const last = content.at(-1);
  if (last !== undefined && cacheControl !== undefined) last.cacheControl ??= cacheControl;
}

function decodeAssistant(reader: FieldReader): Message {
  const value = reader.value("content");
  const { content, plain } =
    value === undefined ? { content: [], plain: false } : decodeContent(value, reader.at("content"));
  if (Array.isArray(value) && value.length === 0) reader.hint("content", []);
  mark(content, decodeCacheMarker(reader));
  const refusal = reader.string("refusal");
  if (refusal !== undefined) {
    reader.hint("refusal", refusal);
    if (refusal !== "") content.push({ kind: "refusal", text: refusal });
  }
  const calls = reader.array("tool_calls") ?? [];
  if (calls.length === 0 && reader.peek("tool_calls") !== undefined) reader.hint("tool_calls", []);
  calls.forEach((call, index) => content.push(decodeToolCall(call, under(reader.at("tool_calls"), index))));
  const parts = decodeReasoning(reader, content);
  for (const key of ECHOED) {
    const echoed = reader.value(key);
    if (echoed !== undefined) reader.hint(key, echoed);
  }
  const name = reader.string("name");
  return {
    role: "assistant",
    content: parts,
    ...(name === undefined ? {} : { name }),
    ...(plain ? { plain } : {}),
    ...reader.extraMember(),
  };
}

function decodeToolCall(value: JsonValue, path: string): ToolCallPart {
  const reader = new FieldReader(objectOf(value, path), path);
  const id = reader.requiredString("id");
  // only `function` needs no saying; what else there is stays among the fields, for its own vendor
  const custom = reader.peek("type") === "custom";
  if (!custom) reader.value("type");
  const call = reader.nested(custom ? "custom" : "function");
  const name = call.requiredString("name");
  const text = call.requiredString(custom ? "input" : "arguments");
  return { kind: "toolCall", id, name, arguments: text, ...reader.extraMember() };
}

function decodeToolResult(reader: FieldReader): Message {
  const toolCallId = reader.requiredString("tool_call_id");
  const { content, plain } = decodeContent(reader.value("content"), reader.at("content"));
  const result: ToolResultPart = { kind: "toolResult", toolCallId, content };
  if (plain) result.plain = true;
  const cacheControl = decodeCacheMarker(reader);
  if (cacheControl !== undefined) result.cacheControl = cacheControl;
  // the id says it already
  const name = reader.string("name");
  if (name !== undefined) reader.hint("name", name);
  return { role: "tool", content: [result], ...reader.extraMember() };
}

/** The result of a call by the former `functions` interface, which has no ids: only this dialect can say it. */
function decodeFunctionResult(reader: FieldReader): Message {
  const name = reader.requiredString("name");
  const value = reader.value("content");
  const { content, plain } =
    value === undefined ? { content: [], plain: false } : decodeContent(value, reader.at("content"));
  const extra = reader.extra();
  return {
    role: "tool",
    content,
    name,
    ...(plain ? { plain } : {}),
    extra: { dialect: "openai", fields: { ...extra?.fields, role: "function" }, hints: { ...extra?.hints } },
  };
}
