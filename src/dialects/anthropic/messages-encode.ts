/**
 * The conversation, from the form to `system` and `messages`.
 *
 * - Leading system and developer messages become the `system` parameter.
 * - What the form has in `tool` messages becomes `tool_result` blocks, which open the user's turn that follows
 *   the calls; several of them, and the user's words after them, are one turn.
 * - A later system message stays where it is if the model takes it there (after a user's turn, and last or
 *   followed by an assistant's). Else it becomes text in the user's turn, marked by `<system-reminder>` tags,
 *   the form that Claude knows for this.
 */
import { SluiceError } from "../../lib/errors.ts";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { Message } from "../form.ts";
import { type BlockContext, encodeParts, isBareText } from "./blocks-encode.ts";
import { putBack } from "./fields.ts";

/** The two members of a request. */
export interface EncodedConversation {
  readonly system?: JsonValue;
  readonly messages: JsonObject[];
}

/** Writes a conversation; `systemTurns` as in ModelTraits. @throws SluiceError through the context's report */
export function encodeConversation(
  messages: readonly Message[],
  systemTurns: boolean,
  context: BlockContext,
): EncodedConversation {
  const first = messages.findIndex((message) => !isSystem(message));
  const leading = messages.slice(0, first === -1 ? messages.length : first);
  const system = encodeSystem(leading, context);
  const rest = messages.slice(leading.length);
  const encoded = context.own
    ? rest.map((message, index) => encodeOwn(message, leading.length + index, context))
    : encodeTurns(rest, leading.length, systemTurns, context);
  if (encoded.length === 0) {
    throw new SluiceError(
      "invalid_request",
      "messages: Anthropic needs at least one message that is not a system message",
      {
        param: "messages",
      },
    );
  }
  return system === undefined ? { messages: encoded } : { system, messages: encoded };
}

function isSystem(message: Message): boolean {
  return message.role === "system" || message.role === "developer";
}

function encodeSystem(messages: readonly Message[], context: BlockContext): JsonValue | undefined {
  const only = messages.length === 1 ? messages[0] : undefined;
  const text = only === undefined || !context.own ? undefined : plainText(only);
  if (text !== undefined) return text;
  const blocks = messages.flatMap((message, index) => encodeForeign(message, index, context));
  return blocks.length === 0 ? undefined : blocks;
}

/** What a plain string can say of a message that the wire had as one. */
function plainText(message: Message): string | undefined {
  const part = message.content[0];
  if (message.plain !== true || message.content.length !== 1 || part === undefined) return undefined;
  return part.kind === "text" && isBareText(part) ? part.text : undefined;
}

/** A message of Anthropic's own dialect: its place and shape stay. */
function encodeOwn(message: Message, index: number, context: BlockContext): JsonObject {
  const role = isSystem(message) ? "system" : message.role === "assistant" ? "assistant" : "user";
  const encoded: JsonObject = { role };
  const blocks = plainText(message) ?? encodeParts(message.content, `messages[${index}]`, context);
  // a system message that only changes settings has no content
  if (role !== "system" || blocks.length > 0) encoded["content"] = blocks;
  return putBack(encoded, message.extra);
}

/** The blocks of a message of another dialect, and a complaint about what is none. */
function encodeForeign(message: Message, index: number, context: BlockContext): JsonObject[] {
  const owner = `messages[${index}]`;
  context.report.foreign(message.extra, owner);
  // a tool's name repeats what the call says
  if (message.name !== undefined && message.role !== "tool") {
    context.report.unsupported(`${owner}.name`, "Participants have no names there; put it into the text.");
  }
  const blocks = encodeParts(message.content, owner, context);
  if (!isSystem(message)) return blocks;
  return blocks.filter((block) => {
    if (block["type"] === "text") return true;
    context.report.unsupported(`${owner}.content`, "System messages hold only text.");
    return false;
  });
}

/** One turn being put together. */
interface Turn {
  role: "user" | "assistant" | "system";
  blocks: JsonObject[];
  /** Holds tool results, which must come first. */
  results: number;
}

function encodeTurns(
  messages: readonly Message[],
  offset: number,
  systemTurns: boolean,
  context: BlockContext,
): JsonObject[] {
  const turns: Turn[] = [];
  messages.forEach((message, index) => {
    const blocks = encodeForeign(message, offset + index, context);
    if (blocks.length === 0) return;
    if (isSystem(message)) addSystem(turns, blocks, systemTurns && endsUserTurn(messages, index));
    else if (message.role === "assistant") turns.push({ role: "assistant", blocks, results: 0 });
    else addUser(turns, blocks);
  });
  return turns.map(({ role, blocks }) => ({ role, content: blocks }));
}

/** True if nothing but system messages lies between this one and an assistant's turn, or the end. */
function endsUserTurn(messages: readonly Message[], index: number): boolean {
  const next = messages.slice(index + 1).find((message) => !isSystem(message));
  return next === undefined || next.role === "assistant";
}

function addUser(turns: Turn[], blocks: JsonObject[]): void {
  const results = blocks.filter((block) => block["type"] === "tool_result");
  const others = blocks.filter((block) => block["type"] !== "tool_result");
  const last = turns.at(-1);
  // words of the user's after words of the user's stay messages of their own, which Anthropic joins
  if (last?.role !== "user" || (last.results === 0 && results.length === 0 && !isReminder(last.blocks.at(-1)))) {
    turns.push({ role: "user", blocks: [...results, ...others], results: results.length });
    return;
  }
  last.blocks.splice(last.results, 0, ...results);
  last.blocks.push(...others);
  last.results += results.length;
}

function addSystem(turns: Turn[], blocks: JsonObject[], native: boolean): void {
  const last = turns.at(-1);
  if (native && (last?.role === "user" || last?.role === "system")) {
    if (last.role === "system") last.blocks.push(...blocks);
    else turns.push({ role: "system", blocks, results: 0 });
    return;
  }
  const reminders = blocks.map((block) => ({
    ...block,
    text: `${OPEN_REMINDER}${String(block["text"])}${CLOSE_REMINDER}`,
  }));
  if (last?.role === "user") last.blocks.push(...reminders);
  else turns.push({ role: "user", blocks: reminders, results: 0 });
}

const OPEN_REMINDER = "<system-reminder>\n";
const CLOSE_REMINDER = "\n</system-reminder>";

function isReminder(block: JsonObject | undefined): boolean {
  const text = block?.["text"];
  return typeof text === "string" && text.startsWith(OPEN_REMINDER);
}
