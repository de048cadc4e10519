/** Puts the reasoning of earlier answers into a request the way that the engine knows it. */
import type { ContentPart, Message } from "../../../dialects/form.ts";
import type { Tags } from "./tag-splitter.ts";

/** `tags`: as tagged text before what followed it; `drop`: not at all; `keep`: as reasoning of the dialect. */
export type History = "tags" | "drop" | "keep";

/**
 * The messages for an engine that writes its thinking in tags. Signatures and redacted thinking are of other
 * vendors and mean nothing to it: they go. A message of which nothing remains goes as well.
 */
export function rewriteHistory(messages: readonly Message[], tags: Tags, history: History): Message[] {
  if (history === "keep") return [...messages];
  const rewritten: Message[] = [];
  for (const message of messages) {
    if (message.role === "assistant" && message.content.some((part) => part.kind === "reasoning")) {
      const content = history === "drop" ? withoutReasoning(message.content) : withTags(message.content, tags);
      if (content.length === 0) continue;
      message.content = content;
      // templates look for the tags in a string
      const texts = content.filter((part) => part.kind !== "toolCall");
      if (texts.length === 1 && texts[0]?.kind === "text") message.plain = true;
    }
    rewritten.push(message);
  }
  return rewritten;
}

function withoutReasoning(content: readonly ContentPart[]): ContentPart[] {
  return content.filter((part) => part.kind !== "reasoning");
}

function withTags(content: readonly ContentPart[], tags: Tags): ContentPart[] {
  const parts: ContentPart[] = [];
  let thoughts = "";
  const flush = (): void => {
    if (thoughts !== "") parts.push({ kind: "text", text: thoughts });
    thoughts = "";
  };
  for (const part of content) {
    if (part.kind === "reasoning") {
      if (part.text !== "") thoughts += tagged(part.text, tags);
    } else if (part.kind === "text" && thoughts !== "") {
      parts.push({ ...part, text: thoughts + part.text });
      thoughts = "";
    } else {
      flush();
      parts.push(part);
    }
  }
  flush();
  return parts;
}

/** On lines of their own, as the models write them. */
function tagged(text: string, { open, close }: Tags): string {
  return `${open}\n${text}${text.endsWith("\n") ? "" : "\n"}${close}\n\n`;
}
