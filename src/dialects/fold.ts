/** Folds a streamed answer into the whole answer that it tells piece by piece. */
import { SluiceError } from "../lib/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../lib/json.ts";
import type { ChatAnswer, ChatChoice, ChatEvent, ContentPart, Extra } from "./form.ts";

/**
 * Joins two pieces of one streamed value: strings and arrays grow, objects are joined field by field, null adds
 * nothing, anything else is the later one.
 */
export function joinPieces(earlier: JsonValue | undefined, later: JsonValue): JsonValue {
  if (earlier === undefined || earlier === null) return later;
  if (later === null) return earlier;
  if (typeof earlier === "string" && typeof later === "string") return earlier + later;
  if (Array.isArray(earlier) && Array.isArray(later)) return [...earlier, ...later];
  if (isObject(earlier) && isObject(later)) return joinObjects(earlier, later);
  return later;
}

function joinObjects(earlier: JsonObject, later: JsonObject): JsonObject {
  const joined: JsonObject = { ...earlier };
  for (const [name, value] of Object.entries(later)) {
    if (value !== undefined) joined[name] = joinPieces(joined[name], value);
  }
  return joined;
}

/** Joins what two pieces of a stream say beyond the form; of two dialects, which one stream cannot mix, the later. */
function joinExtras(earlier: Extra | undefined, later: Extra): Extra {
  if (earlier === undefined || earlier.dialect !== later.dialect) return later;
  const fields = joinObjects(earlier.fields, later.fields);
  if (earlier.hints === undefined && later.hints === undefined) return { dialect: later.dialect, fields };
  return { dialect: later.dialect, fields, hints: { ...earlier.hints, ...later.hints } };
}

type PartEvent = Extract<ChatEvent, { part: number }>;
type PartOf<Kind extends ContentPart["kind"]> = Extract<ContentPart, { kind: Kind }>;

/** A candidate being put together; parts keep the order in which they first appeared. */
class ChoiceFold {
  readonly choice: ChatChoice = { content: [], finishReason: null };
  readonly #parts = new Map<number, ContentPart>();

  /** The part of that number if it is of that kind, else a new one at the end. */
  #open<Kind extends ContentPart["kind"]>(number: number, fresh: PartOf<Kind>): PartOf<Kind> {
    const known = this.#parts.get(number);
    if (known?.kind === fresh.kind) return known as PartOf<Kind>;
    this.#parts.set(number, fresh);
    this.choice.content.push(fresh);
    return fresh;
  }

  addLogprobs(logprobs: JsonValue): void {
    this.choice.logprobs = joinPieces(this.choice.logprobs, logprobs);
  }

  addExtra(extra: Extra): void {
    this.choice.extra = joinExtras(this.choice.extra, extra);
  }

  push(event: PartEvent): void {
    const { part } = event;
    switch (event.kind) {
      case "text": {
        const text = this.#open<"text">(part, { kind: "text", text: "" });
        text.text += event.text;
        if (event.logprobs !== undefined) this.addLogprobs(event.logprobs);
        if (event.extra !== undefined) text.extra = event.extra;
        return;
      }
      case "citation": {
        const text = this.#open<"text">(part, { kind: "text", text: "" });
        (text.citations ??= []).push(event.citation);
        return;
      }
      case "refusal":
        this.#open<"refusal">(part, { kind: "refusal", text: "" }).text += event.text;
        return;
      case "reasoning": {
        const reasoning = this.#open<"reasoning">(part, { kind: "reasoning", text: "" });
        reasoning.text += event.text;
        if (event.extra !== undefined) reasoning.extra = joinExtras(reasoning.extra, event.extra);
        return;
      }
      case "signature": {
        const reasoning = this.#open<"reasoning">(part, { kind: "reasoning", text: "" });
        reasoning.signature = event.signature;
        if (event.extra !== undefined) reasoning.extra = joinExtras(reasoning.extra, event.extra);
        return;
      }
      case "redactedReasoning": {
        const reasoning = this.#open<"reasoning">(part, { kind: "reasoning", text: "" });
        reasoning.redacted = event.data;
        if (event.extra !== undefined) reasoning.extra = joinExtras(reasoning.extra, event.extra);
        return;
      }
      case "toolCallStart": {
        const call = this.#open<"toolCall">(part, { kind: "toolCall", id: event.id, name: event.name, arguments: "" });
        if (event.extra !== undefined) call.extra = event.extra;
        return;
      }
      case "toolCallArguments":
        this.#open<"toolCall">(part, { kind: "toolCall", id: "", name: "", arguments: "" }).arguments += event.text;
        return;
      case "opaque":
        // a vendor's delta to a part that is already there says nothing by itself
        if (this.#parts.has(part)) return;
        this.#open<"opaque">(part, { kind: "opaque", dialect: event.dialect, value: event.value });
        return;
      case "partEnd":
        // a number may come again for a part of its own
        this.#parts.delete(part);
    }
  }
}

/**
 * The whole answer of a stream's events.
 * @throws SluiceError `upstream_stream_broken` if the stream reported an error
 */
export function foldEvents(events: Iterable<ChatEvent>): ChatAnswer {
  const answer: ChatAnswer = { id: "", model: "", created: 0, choices: [] };
  const folds: ChoiceFold[] = [];
  const choiceFold = (index: number): ChoiceFold => {
    while (folds.length <= index) {
      const fold = new ChoiceFold();
      folds.push(fold);
      answer.choices.push(fold.choice);
    }
    return folds[index]!;
  };
  for (const event of events) {
    switch (event.kind) {
      case "start":
        answer.id = event.id;
        answer.model = event.model;
        answer.created = event.created;
        if (event.usage !== undefined) answer.usage = event.usage;
        if (event.extra !== undefined) answer.extra = event.extra;
        break;
      case "usage":
        answer.usage = event.usage;
        break;
      case "finish": {
        const fold = choiceFold(event.choice);
        fold.choice.finishReason = event.finishReason;
        if (event.stopSequence !== undefined) fold.choice.stopSequence = event.stopSequence;
        if (event.logprobs !== undefined) fold.addLogprobs(event.logprobs);
        if (event.extra !== undefined) fold.addExtra(event.extra);
        break;
      }
      case "extra": {
        const fold = choiceFold(event.choice);
        if (event.logprobs !== undefined) fold.addLogprobs(event.logprobs);
        if (event.extra !== undefined) fold.addExtra(event.extra);
        break;
      }
      case "error":
        throw new SluiceError("upstream_stream_broken", event.message);
      case "ping":
      case "end":
        break;
      default:
        choiceFold(event.choice).push(event);
    }
  }
  return answer;
}
