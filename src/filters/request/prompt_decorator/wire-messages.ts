/**
 * Puts messages into a chat request as clients write it, and leaves the rest of it alone. Where they go is safe in every
 * conversation: never between a tool call and its result, never into what a cache marker marks, and what is there
 * already is not put there again.
 */
import type { DialectName } from "../../../dialects/form.ts";
import { isObject, type ExactJson, type ExactObject } from "../../../lib/json.ts";

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
export function decorate(dialect: DialectName, members: ExactObject, decorations: Decorations): ExactObject {
  const { messages } = members;
  if (!Array.isArray(messages)) {
    return {};
  }
  return dialect === "anthropic"
    ? decorateAnthropic(members["system"], messages, decorations)
    : { messages: decorateOpenAi(messages, decorations) };
}

function decorateOpenAi(messages: readonly ExactJson[], { prepend, append }: Decorations): ExactJson[] {
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
  system: ExactJson | undefined,
  messages: readonly ExactJson[],
  { prepend, append }: Decorations,
): ExactObject {
  const changes: ExactObject = {};
  const blocks = typeof system === "string" ? textBlocks(system) : (system ?? []);
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
  if (examples.length + texts.length > 0) {
    changes["messages"] = [...examples.map(wire), ...withContext(withoutExamples(messages, examples), texts)];
  }
  return changes;
}

/** The conversation with these texts behind what the user said last. */
function withContext(messages: readonly ExactJson[], texts: readonly string[]): ExactJson[] {
  const last = lastUserTurn(messages);
  const turn = messages[last];
  if (texts.length === 0) {
    return [...messages];
  }
  return isObject(turn)
    ? messages.with(last, { ...turn, content: withTexts(turn["content"], texts) })
    : [{ role: "user", content: texts.map(textBlock) }, ...messages];
}

/** The last turn in which the user says something; if there is none, the last with results of tools. */
function lastUserTurn(messages: readonly ExactJson[]): number {
  const spoken = messages.findLastIndex((message) => roleOf(message) === "user" && !holdsOnlyResults(message));
  return spoken >= 0 ? spoken : messages.findLastIndex((message) => roleOf(message) === "user");
}

function holdsOnlyResults(message: ExactJson): boolean {
  const content = isObject(message) ? message["content"] : undefined;
  return (
    Array.isArray(content) &&
    content.length > 0 &&
    content.every((block) => isObject(block) && block["type"] === "tool_result")
  );
}

/** The blocks of a turn with these texts as the last ones. */
function withTexts(content: ExactJson | undefined, texts: readonly string[]): ExactJson | undefined {
  const blocks = typeof content === "string" ? textBlocks(content) : content;
  if (!Array.isArray(blocks)) {
    return blocks;
  }
  const end = blocks.slice(-texts.length);
  const isThere = end.length === texts.length && end.every((block, index) => isText(block, texts[index]!));
  return isThere ? blocks : [...blocks, ...texts.map(textBlock)];
}

/** The conversation itself: examples that a filter has put before it are no part of it. */
function withoutExamples(messages: readonly ExactJson[], examples: readonly Decoration[]): ExactJson[] {
  return messages.slice(startsWith(messages, examples) ? examples.length : 0);
}

function startsWith(messages: readonly ExactJson[], expected: readonly Decoration[]): boolean {
  return expected.every(({ role, content }, index) => {
    const message = messages[index];
    return message !== undefined && roleOf(message) === role && says(message, content);
  });
}

function endsWith(messages: readonly ExactJson[], expected: readonly Decoration[]): boolean {
  return messages.length >= expected.length && startsWith(messages.slice(messages.length - expected.length), expected);
}

function wire({ role, content }: Decoration): ExactObject {
  return { role, content };
}

function textBlock(text: string): ExactObject {
  return { type: "text", text };
}

/** Anthropic takes no empty blocks. */
function textBlocks(text: string): ExactObject[] {
  return text === "" ? [] : [textBlock(text)];
}

function isText(block: ExactJson, text: string): boolean {
  return isObject(block) && block["type"] === "text" && block["text"] === text;
}

function says(message: ExactJson, text: string): boolean {
  const content = isObject(message) ? message["content"] : undefined;
  return content === text || (Array.isArray(content) && content.length === 1 && isText(content[0]!, text));
}

function isInstruction(message: ExactJson): boolean {
  const role = roleOf(message);
  return role === "system" || role === "developer";
}

function roleOf(message: ExactJson): ExactJson | undefined {
  return isObject(message) ? message["role"] : undefined;
}
