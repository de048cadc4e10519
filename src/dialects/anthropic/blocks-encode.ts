/** Content blocks, from the form to the wire. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { FieldReport } from "../field-report.ts";
import type { ContentPart, DocumentPart, ImagePart, MediaSource, ToolCallPart, ToolResultPart } from "../form.ts";
import { encodeCacheControl, isObject, putBack } from "./fields.ts";
import { parseJson } from "../../lib/json-parse.ts";

/** What encoding needs to know about the request. */
export interface BlockContext {
  readonly report: FieldReport;
  /** The request came in Anthropic's own words: nothing is corrected, its vendor judges. */
  readonly own: boolean;
}

/**
 * The blocks of some parts; those that say nothing are left out, as Anthropic refuses blank text.
 * @param owner the message they belong to, as the clients of other dialects name it: `messages[2]`
 */
export function encodeParts(parts: readonly ContentPart[], owner: string, context: BlockContext): JsonObject[] {
  const blocks: JsonObject[] = [];
  let toolCalls = 0;
  parts.forEach((part, index) => {
    let path = `${owner}.content[${index}]`;
    if (part.kind === "toolCall") path = `${owner}.tool_calls[${toolCalls++}]`;
    else if (part.kind === "reasoning") path = `${owner}.reasoning_content`;
    const block = encodePart(part, path, context);
    if (block !== undefined) blocks.push(block);
  });
  return blocks;
}

function encodePart(part: ContentPart, path: string, context: BlockContext): JsonObject | undefined {
  context.report.foreign(part.extra, path);
  const block = encodeBare(part, path, context);
  if (block === undefined || part.kind === "opaque") return block;
  if (part.cacheControl !== undefined) block["cache_control"] = encodeCacheControl(part.cacheControl);
  return putBack(block, part.extra);
}

function encodeBare(part: ContentPart, path: string, context: BlockContext): JsonObject | undefined {
  const { report, own } = context;
  switch (part.kind) {
    case "text":
      if (!own && part.text.trim() === "") return undefined;
      return part.citations === undefined
        ? { type: "text", text: part.text }
        : { type: "text", text: part.text, citations: part.citations };
    case "refusal":
      return part.text.trim() === "" ? undefined : { type: "text", text: part.text };
    case "image":
      return encodeImage(part, path, context);
    case "document":
      return encodeDocument(part, path, context);
    case "audio":
      report.unsupported(path, "Audio input is not part of Anthropic's protocol; send a transcript.");
      return undefined;
    case "reasoning":
      if (part.redacted !== undefined) return { type: "redacted_thinking", data: part.redacted };
      if (part.signature !== undefined) return { type: "thinking", thinking: part.text, signature: part.signature };
      if (own) return { type: "thinking", thinking: part.text };
      report.unsupported(path, "Reasoning without Anthropic's signature is not accepted back; leave it out.");
      return undefined;
    case "toolCall":
      return encodeToolCall(part, path, context);
    case "toolResult":
      return encodeToolResult(part, path, context);
    case "opaque":
      if (part.dialect === "anthropic") return part.value;
      report.unsupported(path, "Leave it out.");
      return undefined;
  }
}

function encodeImage(part: ImagePart, path: string, context: BlockContext): JsonObject | undefined {
  if (part.detail === "low") {
    context.report.unsupported(`${path}.image_url.detail`, "Images are read in full; use auto or high.");
  }
  const source = encodeSource(part.source, path, context);
  return source === undefined ? undefined : { type: "image", source };
}

function encodeDocument(part: DocumentPart, path: string, context: BlockContext): JsonObject | undefined {
  const source = encodeSource(documentSource(part.source, context), path, context);
  if (source === undefined) return undefined;
  const block: JsonObject = { type: "document", source };
  if (part.title !== undefined) block["title"] = part.title;
  if (part.context !== undefined) block["context"] = part.context;
  if (part.citations !== undefined) block["citations"] = { enabled: part.citations };
  return block;
}

/** Anthropic takes plain text as text, not as base64. */
function documentSource(source: MediaSource, { own }: BlockContext): MediaSource {
  const inline = inlineSource(source);
  if (own || inline.kind !== "base64" || !inline.mediaType.startsWith("text/")) return inline;
  return { kind: "text", mediaType: "text/plain", text: Buffer.from(inline.data, "base64").toString("utf8") };
}

function encodeSource(source: MediaSource, path: string, context: BlockContext): JsonObject | undefined {
  const inline = context.own ? source : inlineSource(source);
  switch (inline.kind) {
    case "base64":
      return { type: "base64", media_type: inline.mediaType, data: inline.data };
    case "url":
      return { type: "url", url: inline.url };
    case "text":
      return { type: "text", media_type: inline.mediaType, data: inline.text };
    case "file":
      if (context.own) return { type: "file", file_id: inline.fileId };
      context.report.unsupported(
        `${path}.file.file_id`,
        "A file stored at one vendor is unknown to another; send its data.",
      );
      return undefined;
  }
}

/** A `data:` URL (RFC 2397) as the base64 data that it holds. */
function inlineSource(source: MediaSource): MediaSource {
  if (source.kind !== "url" || !/^data:/i.test(source.url)) return source;
  const comma = source.url.indexOf(",");
  if (comma === -1) return source;
  const [type = "", ...parameters] = source.url.slice("data:".length, comma).toLowerCase().split(";");
  const mediaType = type === "" ? (source.mediaType ?? "text/plain") : type;
  const data = source.url.slice(comma + 1);
  if (parameters.at(-1) === "base64") return { kind: "base64", mediaType, data };
  return { kind: "base64", mediaType, data: Buffer.from(decodePercent(data), "utf8").toString("base64") };
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function encodeToolCall(part: ToolCallPart, path: string, { report, own }: BlockContext): JsonObject {
  let input: JsonValue | undefined;
  try {
    // engines write nothing for a call without arguments
    input = part.arguments.trim() === "" ? {} : parseJson(part.arguments);
  } catch {
    input = undefined;
  }
  if (!isObject(input)) {
    report.unsupported(`${path}.function.arguments`, "Anthropic takes a tool call's arguments only as a JSON object.");
    input = {};
  }
  return { type: "tool_use", id: own ? part.id : toolId(part.id), name: part.name, input };
}

function encodeToolResult(part: ToolResultPart, path: string, context: BlockContext): JsonObject {
  const id = context.own ? part.toolCallId : toolId(part.toolCallId);
  const block: JsonObject = { type: "tool_result", tool_use_id: id };
  const first = part.content[0];
  if (part.plain === true && part.content.length === 1 && first?.kind === "text" && isBareText(first)) {
    if (context.own || first.text.trim() !== "") block["content"] = first.text;
  } else {
    const content = encodeParts(part.content, path, context);
    if (content.length > 0) block["content"] = content;
  }
  if (part.isError !== undefined) block["is_error"] = part.isError;
  return block;
}

/** True if a plain string can say all of the part. */
export function isBareText(part: ContentPart): boolean {
  return (
    part.kind === "text" && part.citations === undefined && part.cacheControl === undefined && part.extra === undefined
  );
}

/** Anthropic's ids are letters, digits, `_` and `-`; other vendors' (`functions.get:0`) are rewritten alike on call and result. */
function toolId(id: string): string {
  return id.replace(/[^a-zA-Z0-9_-]/g, (char) => `_${char.charCodeAt(0).toString(16)}`);
}
