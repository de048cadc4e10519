/**
 * Puts messages into a chat request as clients write it, and leaves the rest of it alone. Where they go is safe in every
 * conversation: never between a tool call and its result, never into what a cache marker marks, and what is there
 * already is not put there again.
 */
import type { DialectName } from "../../../dialects/form.ts";
import type { JsonObject, JsonValue } from "../../../lib/json.ts";

/** A message whose text is ready. */
export interface Decoration {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** What is put before and behind. */
export interface Decorations {
  /** `system`: before all instructions; others: before the conversation, as examples. */
  readonly prepend: readonly Decoration[];
  /** `system`: behind all instructions; `user`: behind the last thing that the user said. */
  readonly append: readonly Decoration[];
}

/**
 * Returns the members that change. What is no conversation is left for others to complain about.
 * @param members `messages`, and in Anthropic's dialect `system`
 */
export function decorate(dialect: DialectName, members: JsonObject, decorations: Decorations): JsonObject {
  const { messages } = members;
  if (!Array.isArray(messages)) {
    return {};
  }
  return dialect === "anthropic"
    ? decorateAnthropic(members["system"], messages, decorations)
    : { messages: decorateOpenAi(messages, decorations) };
}

function decorateOpenAi(messages: readonly JsonValue[], { prepend, append }: Decorations): JsonValue[] {
  const leading = messages.findIndex((message) => !isInstruction(message));
  const instructions = leading < 0 ? [...messages] : messages.slice(0, leading);
  const conversation = leading < 0 ? [] : messages.slice(leading);
  const isNew = ({ content }: Decoration): boolean => !instructions.some((message) => says(message, content));
  const before = prepend.filter((entry) => entry.role === "system" && isNew(entry));
  const behind = append.filter((entry) => entry.role === "system" && isNew(entry));
  const examples = prepend.filter(({ role }) => role !== "system");
  const context = append.filter(({ role }) => role !== "system");
  const rest = withoutExamples(conversation, examples);
  const last = rest.findLastIndex((message) => roleOf(message) === "user");
  if (!endsWith(rest.slice(0, last + 1), context)) {
    rest.splice(last + 1, 0, ...context.map(wire));
  }
  return [...before.map(wire), ...instructions, ...[...behind, ...examples].map(wire), ...rest];
}

/** Instructions are a member of their own here, and what the user says behind is a block of the same turn. */
function decorateAnthropic(
  system: JsonValue | undefined,
  messages: readonly JsonValue[],
  { prepend, append }: Decorations,
): JsonObject {
  const changes: JsonObject = {};
  const blocks = typeof system === "string" ? [textBlock(system)] : (system ?? []);
  if (Array.isArray(blocks)) {
    const isNew = ({ role, content }: Decoration): boolean =>
      role === "system" && !blocks.some((block) => isText(block, content));
    const before = prepend.filter(isNew).map(({ content }) => textBlock(content));
    const behind = append.filter(isNew).map(({ content }) => textBlock(content));
    if (before.length + behind.length > 0) {
      changes["system"] = [...before, ...blocks, ...behind];
    }
  }
  const examples = prepend.filter(({ role }) => role !== "system");
  const texts = append.flatMap(({ role, content }) => (role === "user" ? content : []));
  const rest = withoutExamples(messages, examples);
  const last = lastUserTurn(rest);
  const turn = rest[last];
  if (isObject(turn)) {
    rest[last] = { ...turn, content: withTexts(turn["content"], texts) };
  } else if (texts.length > 0) {
    rest.unshift({ role: "user", content: texts.map(textBlock) });
  }
  changes["messages"] = [...examples.map(wire), ...rest];
  return changes;
}

/** The last turn in which the user says something; if there is none, the last with results of tools. */
function lastUserTurn(messages: readonly JsonValue[]): number {
  const spoken = messages.findLastIndex((message) => roleOf(message) === "user" && !holdsOnlyResults(message));
  return spoken >= 0 ? spoken : messages.findLastIndex((message) => roleOf(message) === "user");
}

function holdsOnlyResults(message: JsonValue): boolean {
  const content = isObject(message) ? message["content"] : undefined;
  return (
    Array.isArray(content) &&
    content.length > 0 &&
    content.every((block) => isObject(block) && block["type"] === "tool_result")
  );
}

/** The blocks of a turn with these texts as the last ones. */
function withTexts(content: JsonValue | undefined, texts: readonly string[]): JsonValue {
  const blocks = typeof content === "string" ? [textBlock(content)] : content;
  if (!Array.isArray(blocks) || texts.length === 0) {
    return content ?? null;
  }
  const end = blocks.slice(-texts.length);
  const isThere = end.length === texts.length && end.every((block, index) => isText(block, texts[index]!));
  return isThere ? content! : [...blocks, ...texts.map(textBlock)];
}

/** The conversation itself: examples that a filter has put before it are no part of it. */
function withoutExamples(messages: readonly JsonValue[], examples: readonly Decoration[]): JsonValue[] {
  return messages.slice(startsWith(messages, examples) ? examples.length : 0);
}

function startsWith(messages: readonly JsonValue[], expected: readonly Decoration[]): boolean {
  return expected.every(({ role, content }, index) => {
    const message = messages[index];
    return message !== undefined && roleOf(message) === role && says(message, content);
  });
}

function endsWith(messages: readonly JsonValue[], expected: readonly Decoration[]): boolean {
  return messages.length >= expected.length && startsWith(messages.slice(messages.length - expected.length), expected);
}

function wire({ role, content }: Decoration): JsonObject {
  return { role, content };
}

function textBlock(text: string): JsonObject {
  return { type: "text", text };
}

function isText(block: JsonValue, text: string): boolean {
  return isObject(block) && block["type"] === "text" && block["text"] === text;
}

function says(message: JsonValue, text: string): boolean {
  const content = isObject(message) ? message["content"] : undefined;
  return content === text || (Array.isArray(content) && content.length === 1 && isText(content[0]!, text));
}

function isInstruction(message: JsonValue): boolean {
  const role = roleOf(message);
  return role === "system" || role === "developer";
}

function roleOf(message: JsonValue): JsonValue | undefined {
  return isObject(message) ? message["role"] : undefined;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
