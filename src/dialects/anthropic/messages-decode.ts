/** `system` and `messages` of a request, from the wire to the form. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { Message } from "../form.ts";
import { decodeContent } from "./blocks-decode.ts";
import { arrayOf, extraOf, invalidField, objectOf, under } from "./fields.ts";

const MESSAGE_KEYS = new Set(["role", "content"]);

/**
 * The conversation: the `system` parameter becomes the first message, `system` messages between turns
 * (Claude Opus 4.8 and later take them) keep their places.
 * @throws SluiceError `invalid_request` naming the field
 */
export function decodeConversation(body: JsonObject): Message[] {
  const messages: Message[] = [];
  const system = body["system"] ?? undefined;
  if (system !== undefined) messages.push(withContent({ role: "system", content: [] }, system, "system"));
  const list = arrayOf(body["messages"], "messages");
  if (list.length === 0) throw invalidField("messages", "at least one message is required");
  list.forEach((value, index) => messages.push(decodeMessage(value, index)));
  return messages;
}

function decodeMessage(value: JsonValue, index: number): Message {
  const path = under("messages", index);
  const object = objectOf(value, path);
  const { role } = object;
  if (role !== "user" && role !== "assistant" && role !== "system") {
    throw invalidField(under(path, "role"), "must be 'user', 'assistant' or 'system'");
  }
  if (role === "system" && index === 0) {
    throw invalidField(path, "use the top-level 'system' parameter for the initial system prompt");
  }
  const message: Message = { role, content: [] };
  const extra = extraOf(object, MESSAGE_KEYS);
  if (extra !== undefined) message.extra = extra;
  // a system message may change settings only and say nothing
  if (role === "system" && object["content"] === undefined) return message;
  return withContent(message, object["content"], under(path, "content"));
}

function withContent(message: Message, value: JsonValue | undefined, path: string): Message {
  const { content, plain } = decodeContent(value, path);
  message.content = content;
  if (plain) message.plain = true;
  return message;
}
