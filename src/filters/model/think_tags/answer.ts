/** Turns tagged thinking in a whole answer into reasoning parts. */
import type { ChatAnswer, ContentPart, ReasoningPart, TextPart } from "../../../dialects/form.ts";
import { type PieceKind, type Tags, TagSplitter } from "./tag-splitter.ts";

/** Changes the text parts of all candidates; the first text of each begins as `starts` says. */
export function splitAnswer(answer: ChatAnswer, tags: Tags, starts: PieceKind): void {
  for (const choice of answer.choices) {
    let next = starts;
    choice.content = choice.content.flatMap((part) => {
      if (part.kind !== "text") return [part];
      const parts = splitText(part, tags, next);
      next = "outside";
      return parts;
    });
  }
}

function splitText(part: TextPart, tags: Tags, starts: PieceKind): ContentPart[] {
  const parts: (TextPart | ReasoningPart)[] = [];
  let current = -1;
  const splitter = new TagSplitter(tags, starts);
  const add = (kind: PieceKind, text: string, segment: number): void => {
    const last = parts.at(-1);
    if (last !== undefined && segment === current) last.text += text;
    else parts.push(kind === "inside" ? { kind: "reasoning", text } : { kind: "text", text });
    current = segment;
  };
  splitter.push(part.text, add);
  splitter.flush(add);
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only?.kind === "text") {
    part.text = only.text;
    return [part];
  }
  // what else is said of the text belongs to what is read
  const answer = parts.findLast((piece) => piece.kind === "text");
  if (answer !== undefined) {
    const { text } = answer;
    Object.assign(answer, part, { text });
  }
  return parts;
}
