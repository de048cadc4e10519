/** Reads the content blocks of a Messages conversation and refuses what Anthropic refuses. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { PromptBuilder } from "../prompt.ts";
import { asArray, asObject, asString } from "../read.ts";
import { badRequest } from "../vendor-error.ts";
import { verifyRedacted, verifyThinking } from "./signature.ts";

const ID = /^[A-Za-z0-9_-]+$/;
const IMAGE_TYPES = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"]);

/** The blocks of a `content`, a string being one text block. @throws VendorError 400 */
export function readBlocks(content: JsonValue | undefined, place: string): JsonObject[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  const list = asArray(content);
  if (list === undefined) throw badRequest("Input should be a valid list", place);
  return list.map((entry, index) => {
    const block = asObject(entry);
    if (block === undefined) throw badRequest("Input should be an object", `${place}.${index}`);
    return block;
  });
}

/** Tells the prompt where a cacheable prefix ends. @throws VendorError 400 */
export function readCacheControl(of: JsonObject, place: string, prompt: PromptBuilder): void {
  const control = of["cache_control"];
  if (control === undefined || control === null) return;
  const ttl = asObject(control)?.["ttl"] ?? "5m";
  if (asObject(control)?.["type"] !== "ephemeral" || (ttl !== "5m" && ttl !== "1h")) {
    throw badRequest("Input should be {type: 'ephemeral', ttl?: '5m' | '1h'}", `${place}.cache_control`);
  }
  prompt.mark(ttl);
}

/** Adds one block to the prompt. `user` text is added by the caller, whole. @throws VendorError 400 */
export function readBlock(block: JsonObject, role: string, place: string, prompt: PromptBuilder): void {
  switch (block["type"]) {
    case "text":
      readText(block, role, place, prompt);
      break;
    case "image":
      readImage(block, place, prompt);
      break;
    case "document":
      readDocument(block, place, prompt);
      break;
    case "thinking":
      readThinking(block, place, prompt);
      break;
    case "redacted_thinking":
      if (!verifyRedacted(asString(block["data"]) ?? "")) {
        throw badRequest("Invalid `data` in `redacted_thinking` block", place);
      }
      break;
    case "tool_use":
      readToolUse(block, place, prompt);
      break;
    case "tool_result":
      prompt.addToolResult(toolResultText(block, place, prompt));
      break;
    case "search_result":
    case "server_tool_use":
    case "web_search_tool_result":
    case "web_fetch_tool_result":
    case "code_execution_tool_result":
    case "container_upload":
      prompt.add("block", JSON.stringify(block));
      break;
    default:
      throw badRequest(
        `Input tag '${String(block["type"])}' found using 'type' does not match any of the expected tags`,
        place,
      );
  }
  readCacheControl(block, place, prompt);
}

function readText(block: JsonObject, role: string, place: string, prompt: PromptBuilder): void {
  const text = asString(block["text"]);
  if (text === undefined) throw badRequest("Field required", `${place}.text`);
  if (text === "") throw badRequest("text content blocks must be non-empty", place.split(".")[0]);
  if (role === "user") prompt.addUser(text);
  else prompt.add(role, text);
}

function readImage(block: JsonObject, place: string, prompt: PromptBuilder): void {
  const source = asObject(block["source"]);
  switch (source?.["type"]) {
    case "base64": {
      const data = asString(source["data"]) ?? "";
      if (!IMAGE_TYPES.has(asString(source["media_type"]) ?? "")) {
        throw badRequest(`Input should be ${[...IMAGE_TYPES].join(", ")}`, `${place}.source.base64.media_type`);
      }
      if (data === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(data)) {
        throw badRequest("invalid base64 data", `${place}.source.base64`);
      }
      prompt.addImage(data);
      return;
    }
    case "url":
      if (!/^https?:\/\//.test(asString(source["url"]) ?? "")) {
        throw badRequest("Only HTTP and HTTPS URLs are supported.", `${place}.source.url`);
      }
      prompt.addImage(asString(source["url"]) ?? "");
      return;
    case "file":
      prompt.addImage(asString(source["file_id"]) ?? "");
      return;
    default:
      throw badRequest("Input should be 'base64', 'url' or 'file'", `${place}.source`);
  }
}

function readDocument(block: JsonObject, place: string, prompt: PromptBuilder): void {
  const source = asObject(block["source"]);
  const type = asString(source?.["type"]);
  if (type === undefined || !["base64", "text", "content", "url", "file"].includes(type)) {
    throw badRequest("Input should be 'base64', 'text', 'content', 'url' or 'file'", `${place}.source`);
  }
  prompt.addDocument(asString(source?.["data"]) ?? asString(source?.["url"]) ?? type);
}

function readThinking(block: JsonObject, place: string, prompt: PromptBuilder): void {
  const text = asString(block["thinking"]);
  const signature = asString(block["signature"]);
  if (text === undefined) throw badRequest("Field required", `${place}.thinking`);
  if (signature === undefined) throw badRequest("Field required", `${place}.signature`);
  if (!verifyThinking(text, signature)) throw badRequest("Invalid `signature` in `thinking` block", place);
  prompt.add("thinking", text);
}

function readToolUse(block: JsonObject, place: string, prompt: PromptBuilder): void {
  const id = asString(block["id"]) ?? "";
  if (!ID.test(id)) throw badRequest(`String should match pattern '${ID.source}'`, `${place}.tool_use.id`);
  if (asObject(block["input"]) === undefined) {
    throw badRequest("Input should be a valid dictionary", `${place}.tool_use.input`);
  }
  prompt.add("call", `${String(block["name"])} ${JSON.stringify(block["input"])}`);
}

function toolResultText(block: JsonObject, place: string, prompt: PromptBuilder): string {
  if (block["content"] === undefined) return "";
  let text = "";
  for (const [index, inner] of readBlocks(block["content"], `${place}.content`).entries()) {
    if (inner["type"] === "text") text += asString(inner["text"]) ?? "";
    else readBlock(inner, "tool", `${place}.content.${index}`, prompt);
  }
  return block["is_error"] === true ? `error: ${text}` : text;
}
