/**
 * Content blocks, from the wire to the form. Blocks that only Anthropic knows (server tools, search results,
 * compaction …) stay opaque: whole, with their cache markers.
 */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { ContentPart, DocumentPart, MediaSource, ToolResultPart } from "../form.ts";
import {
  arrayOf,
  cacheControlOf,
  extraOf,
  invalidField,
  isObject,
  objectOf,
  optionalBoolean,
  optionalString,
  stringOf,
  under,
} from "./fields.ts";

const TEXT_KEYS = new Set(["type", "text", "cache_control", "citations"]);
const IMAGE_KEYS = new Set(["type", "source", "cache_control"]);
const DOCUMENT_KEYS = new Set(["type", "source", "title", "context", "citations", "cache_control"]);
const TOOL_USE_KEYS = new Set(["type", "id", "name", "input", "cache_control"]);
const TOOL_RESULT_KEYS = new Set(["type", "tool_use_id", "content", "is_error", "cache_control"]);
const THINKING_KEYS = new Set(["type", "thinking", "signature", "cache_control"]);
const REDACTED_KEYS = new Set(["type", "data", "cache_control"]);

/** Parts and whether the wire had a plain string in their place. */
export interface DecodedContent {
  readonly content: ContentPart[];
  readonly plain: boolean;
}

/** `content` as a string or an array of blocks. @throws SluiceError `invalid_request` */
export function decodeContent(value: JsonValue | undefined, path: string): DecodedContent {
  if (typeof value === "string") return { content: [{ kind: "text", text: value }], plain: true };
  if (!Array.isArray(value)) throw invalidField(path, "must be a string or an array of content blocks");
  return { content: value.map((block, index) => decodeBlock(block, under(path, index))), plain: false };
}

/** One content block. @throws SluiceError `invalid_request` naming the field below `path` */
export function decodeBlock(value: JsonValue, path: string): ContentPart {
  const block = objectOf(value, path);
  const type = stringOf(block["type"], under(path, "type"));
  const decode = DECODERS.get(type);
  if (decode === undefined) return { kind: "opaque", dialect: "anthropic", value: block };
  const { part, known } = decode(block, path);
  if (part.kind === "opaque") return part;
  const cacheControl = cacheControlOf(block, path);
  if (cacheControl !== undefined) part.cacheControl = cacheControl;
  const extra = extraOf(block, known);
  if (extra !== undefined) part.extra = extra;
  return part;
}

interface Decoded {
  readonly part: ContentPart;
  /** Members that the part has a place for. */
  readonly known: ReadonlySet<string>;
}

const DECODERS: ReadonlyMap<string, (block: JsonObject, path: string) => Decoded> = new Map([
  ["text", decodeText],
  ["image", decodeImage],
  ["document", decodeDocument],
  ["tool_use", decodeToolUse],
  ["tool_result", decodeToolResult],
  ["thinking", decodeThinking],
  ["redacted_thinking", decodeRedactedThinking],
]);

function decodeText(block: JsonObject, path: string): Decoded {
  const text = stringOf(block["text"], under(path, "text"));
  const citations = block["citations"] ?? undefined;
  if (citations === undefined) return { part: { kind: "text", text }, known: TEXT_KEYS };
  return {
    part: { kind: "text", text, citations: [...arrayOf(citations, under(path, "citations"))] },
    known: TEXT_KEYS,
  };
}

function decodeImage(block: JsonObject, path: string): Decoded {
  const source = decodeSource(block, path);
  if (source === undefined) return opaque(block);
  return { part: { kind: "image", source }, known: IMAGE_KEYS };
}

function decodeDocument(block: JsonObject, path: string): Decoded {
  const source = decodeSource(block, path);
  // a document made of content blocks (`source.type` content) has no counterpart in the form
  if (source === undefined) return opaque(block);
  const part: DocumentPart = { kind: "document", source };
  const title = optionalString(block, "title", path);
  if (title !== undefined) part.title = title;
  const context = optionalString(block, "context", path);
  if (context !== undefined) part.context = context;
  const citations = block["citations"] ?? undefined;
  if (citations !== undefined) {
    const at = under(path, "citations");
    part.citations = optionalBoolean(objectOf(citations, at), "enabled", at) ?? false;
  }
  return { part, known: DOCUMENT_KEYS };
}

/** Where the bytes are; undefined for a source that the form cannot say in full. */
function decodeSource(block: JsonObject, path: string): MediaSource | undefined {
  const at = under(path, "source");
  const source = objectOf(block["source"], at);
  const member = (key: string): string => stringOf(source[key], under(at, key));
  const known = (count: number, decoded: MediaSource): MediaSource | undefined =>
    Object.keys(source).length === count ? decoded : undefined;
  switch (member("type")) {
    case "base64":
      return known(3, { kind: "base64", mediaType: member("media_type"), data: member("data") });
    case "url":
      return known(2, { kind: "url", url: member("url") });
    case "file":
      return known(2, { kind: "file", fileId: member("file_id") });
    case "text":
      return known(3, { kind: "text", mediaType: member("media_type"), text: member("data") });
    default:
      return undefined;
  }
}

function decodeToolUse(block: JsonObject, path: string): Decoded {
  const { input } = block;
  if (!isObject(input)) throw invalidField(under(path, "input"), "must be an object");
  return {
    part: {
      kind: "toolCall",
      id: stringOf(block["id"], under(path, "id")),
      name: stringOf(block["name"], under(path, "name")),
      arguments: JSON.stringify(input),
    },
    known: TOOL_USE_KEYS,
  };
}

function decodeToolResult(block: JsonObject, path: string): Decoded {
  const part: ToolResultPart = {
    kind: "toolResult",
    toolCallId: stringOf(block["tool_use_id"], under(path, "tool_use_id")),
    content: [],
  };
  const content = block["content"] ?? undefined;
  if (content !== undefined) {
    const decoded = decodeContent(content, under(path, "content"));
    part.content = decoded.content;
    if (decoded.plain) part.plain = true;
  }
  const isError = optionalBoolean(block, "is_error", path);
  if (isError !== undefined) part.isError = isError;
  return { part, known: TOOL_RESULT_KEYS };
}

function decodeThinking(block: JsonObject, path: string): Decoded {
  const text = stringOf(block["thinking"], under(path, "thinking"));
  const signature = optionalString(block, "signature", path);
  return {
    part: signature === undefined ? { kind: "reasoning", text } : { kind: "reasoning", text, signature },
    known: THINKING_KEYS,
  };
}

function decodeRedactedThinking(block: JsonObject, path: string): Decoded {
  const redacted = stringOf(block["data"], under(path, "data"));
  return { part: { kind: "reasoning", text: "", redacted }, known: REDACTED_KEYS };
}

function opaque(block: JsonObject): Decoded {
  return { part: { kind: "opaque", dialect: "anthropic", value: block }, known: new Set() };
}
