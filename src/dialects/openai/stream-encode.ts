/**
 * A stream, from events to the wire: `chat.completion.chunk`s, the role in each candidate's first one, `[DONE]` at
 * the end. Nothing is written before there is something to say, so that a failure before it can still be an answer
 * of its own.
 */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { AnswerContext, StreamEncoder } from "../contract.ts";
import type { ChatEvent, Extra, ReasoningPart, Usage } from "../form.ts";
import { answerId, creationTime, encodeCitation } from "./answer-encode.ts";
import { encodeStreamError } from "./errors.ts";
import { fieldsOf, isObject } from "./fields.ts";
import { encodeFinishReason } from "./finish-reasons.ts";
import { encodeDetail, isDetailed, wordsOf } from "./reasoning-history.ts";
import { encodeUsage } from "./usage.ts";

type EventOf<Kind extends ChatEvent["kind"]> = Extract<ChatEvent, { kind: Kind }>;

/** What one candidate has said so far. */
interface ChoiceState {
  roleSent: boolean;
  /** Characters of content, which citations point into. */
  contentLength: number;
  /** Where the text parts that citations belong to begin, and what they cite. */
  readonly textStarts: Map<number, number>;
  readonly cited: Map<number, JsonValue[]>;
  readonly annotations: JsonValue[];
  readonly citations: JsonValue[];
  /** Open reasoning parts: an entry with a signature says the whole text again. */
  readonly reasoning: Map<number, ReasoningPart>;
  /** Entries of `reasoning_details` that wait for the next content: SDKs that keep only the last list get all of a run. */
  details: JsonObject[];
  /** Tool calls by their part: how the wire counts them, and whether they are custom. */
  readonly calls: Map<number, { readonly index: number; readonly custom: boolean }>;
}

function newChoice(): ChoiceState {
  return {
    roleSent: false,
    contentLength: 0,
    textStarts: new Map(),
    cited: new Map(),
    annotations: [],
    citations: [],
    reasoning: new Map(),
    details: [],
    calls: new Map(),
  };
}

/** One object a stream. */
export class OpenaiStreamEncoder implements StreamEncoder {
  readonly #context: AnswerContext;
  readonly #choices = new Map<number, ChoiceState>();
  /** A chunk's text up to and after its one candidate. */
  #head: string;
  readonly #tail: string;
  #base: JsonObject;
  #usage: Usage | undefined;
  #ended = false;

  constructor(context: AnswerContext) {
    this.#context = context;
    this.#tail = context.includeUsage ? '],"usage":null}\n\n' : "]}\n\n";
    this.#base = this.#makeBase("", 0, undefined);
    this.#head = headOf(this.#base);
  }

  #makeBase(id: string, created: number, extra: Extra | undefined): JsonObject {
    return {
      id: answerId(id, this.#context),
      object: "chat.completion.chunk",
      created: creationTime(created),
      model: this.#context.model,
      ...fieldsOf(extra),
    };
  }

  encode(event: ChatEvent): string {
    if (this.#ended) return "";
    switch (event.kind) {
      case "start":
        this.#base = this.#makeBase(event.id, event.created, event.extra);
        this.#head = headOf(this.#base);
        this.#usage = event.usage;
        return "";
      case "text":
        return this.#text(event);
      case "reasoning":
        return this.#reasoning(event);
      case "signature":
        this.#thought(event.choice, event.part, event.extra).signature = event.signature;
        return "";
      case "redactedReasoning":
        this.#thought(event.choice, event.part, event.extra).redacted = event.data;
        return "";
      case "refusal":
        return this.#delta(event.choice, `{"refusal":${JSON.stringify(event.text)}}`);
      case "citation":
        this.#cite(event);
        return "";
      case "toolCallStart":
        return this.#callStart(event);
      case "toolCallArguments":
        return this.#callArguments(event);
      case "partEnd":
        this.#partEnd(event.choice, event.part);
        return "";
      case "extra":
        return this.#extra(event);
      case "finish":
        return this.#finish(event);
      case "usage":
        this.#usage = event.usage;
        return "";
      case "error":
        this.#ended = true;
        return this.#error(event);
      case "end":
        this.#ended = true;
        return this.#end();
      case "opaque":
      case "ping":
        // another vendor's own blocks, which only its own protocol can say; silence is filled by heartbeats
        return "";
    }
  }

  #choice(index: number): ChoiceState {
    let choice = this.#choices.get(index);
    if (choice === undefined) {
      choice = newChoice();
      this.#choices.set(index, choice);
    }
    return choice;
  }

  /** One chunk, preceded by what the candidate has to say before it: its role, and what waits for new content. */
  #delta(index: number, delta: string, logprobs = "null"): string {
    const choice = this.#choice(index);
    const before = choice.roleSent && choice.details.length === 0 ? "" : this.#before(index, choice, delta);
    return before + this.#chunk(index, delta, logprobs);
  }

  #before(index: number, choice: ChoiceState, delta: string): string {
    let before = "";
    if (!choice.roleSent) {
      choice.roleSent = true;
      const content = delta.startsWith('{"content"') ? '""' : "null";
      before = this.#chunk(index, `{"role":"assistant","content":${content},"refusal":null}`, "null");
    }
    if (choice.details.length === 0) return before;
    const details = JSON.stringify({ reasoning_details: choice.details });
    choice.details = [];
    return before + this.#chunk(index, details, "null");
  }

  #chunk(index: number, delta: string, logprobs: string): string {
    return `${this.#head}{"index":${index},"delta":${delta},"logprobs":${logprobs},"finish_reason":null}${this.#tail}`;
  }

  #text({ choice, part, text, logprobs }: EventOf<"text">): string {
    const state = this.#choice(choice);
    if (!state.textStarts.has(part)) state.textStarts.set(part, state.contentLength);
    state.contentLength += text.length;
    if (text === "" && logprobs === undefined) return "";
    return this.#delta(
      choice,
      `{"content":${JSON.stringify(text)}}`,
      logprobs === undefined ? "null" : JSON.stringify(logprobs),
    );
  }

  #reasoning({ choice, part, text, extra }: EventOf<"reasoning">): string {
    const thought = this.#thought(choice, part, extra);
    thought.text += text;
    const words = wordsOf([thought]);
    if (text === "" || words.length === 0) return "";
    const value = JSON.stringify(text);
    return this.#delta(choice, `{${words.map((word) => `${JSON.stringify(word)}:${value}`).join(",")}}`);
  }

  /** The reasoning part of that number, with what the event adds to its own fields. */
  #thought(choice: number, part: number, extra: Extra | undefined): ReasoningPart {
    const { reasoning } = this.#choice(choice);
    let thought = reasoning.get(part);
    if (thought === undefined) {
      thought = { kind: "reasoning", text: "" };
      reasoning.set(part, thought);
    }
    if (extra !== undefined && extra !== thought.extra) {
      thought.extra = { ...extra, hints: { ...thought.extra?.hints, ...extra.hints } };
    }
    return thought;
  }

  #cite({ choice, part, citation }: EventOf<"citation">): void {
    const { cited } = this.#choice(choice);
    const list = cited.get(part);
    if (list === undefined) cited.set(part, [citation]);
    else list.push(citation);
  }

  #callStart({ choice, part, id, name, extra }: EventOf<"toolCallStart">): string {
    const { calls } = this.#choice(choice);
    const rest = fieldsOf(extra);
    const custom = rest["type"] === "custom";
    const index = calls.size;
    calls.set(part, { index, custom });
    const call: JsonObject = custom
      ? { index, id, type: "custom", custom: { name, input: "" } }
      : { index, id, type: "function", function: { name, arguments: "" } };
    return this.#delta(choice, JSON.stringify({ tool_calls: [{ ...rest, ...call }] }));
  }

  #callArguments({ choice, part, text }: EventOf<"toolCallArguments">): string {
    const call = this.#choice(choice).calls.get(part);
    if (call === undefined || text === "") return "";
    const inner = call.custom ? `"custom":{"input":` : `"function":{"arguments":`;
    return this.#delta(choice, `{"tool_calls":[{"index":${call.index},${inner}${JSON.stringify(text)}}}]}`);
  }

  #partEnd(choice: number, part: number): void {
    const state = this.#choice(choice);
    this.#endText(state, part);
    const thought = state.reasoning.get(part);
    if (thought === undefined) return;
    state.reasoning.delete(part);
    if (isDetailed(thought)) state.details.push(encodeDetail(thought, part));
  }

  /** Turns the citations of a text that is complete into what the candidate will say of them at its end. */
  #endText(state: ChoiceState, part: number): void {
    const cited = state.cited.get(part);
    const start = state.textStarts.get(part) ?? state.contentLength;
    // a number may come again for a part of its own
    state.textStarts.delete(part);
    state.cited.delete(part);
    for (const citation of cited ?? []) {
      const annotation = encodeCitation(citation, start, state.contentLength);
      if (annotation === undefined) state.citations.push(citation);
      else state.annotations.push(annotation);
    }
  }

  #extra({ choice, logprobs, extra }: EventOf<"extra">): string {
    const { message, choice: own, chunk } = fieldsOf(extra);
    if (logprobs === undefined && message === undefined && own === undefined && chunk === undefined) return "";
    const encoded: JsonObject = {
      index: choice,
      delta: message ?? {},
      logprobs: logprobs ?? null,
      finish_reason: null,
    };
    if (isObject(own)) Object.assign(encoded, own);
    const choices = message === undefined && own === undefined && logprobs === undefined ? [] : [encoded];
    return this.#whole({ choices, ...(isObject(chunk) ? chunk : undefined) });
  }

  #whole(fields: JsonObject): string {
    const usage = this.#context.includeUsage ? { usage: null } : undefined;
    return `data: ${JSON.stringify({ ...this.#base, ...usage, ...fields })}\n\n`;
  }

  #finish({ choice, finishReason, stopSequence, logprobs, extra }: EventOf<"finish">): string {
    const state = this.#choice(choice);
    for (const part of [...state.reasoning.keys()]) this.#partEnd(choice, part);
    let before = state.details.length === 0 ? "" : this.#before(choice, state, "");
    for (const part of [...state.cited.keys()]) this.#endText(state, part);
    const cited: JsonObject = {};
    if (state.annotations.length > 0) cited["annotations"] = state.annotations;
    if (state.citations.length > 0) cited["citations"] = state.citations;
    if (Object.keys(cited).length > 0) before += this.#delta(choice, JSON.stringify(cited));
    const { message, choice: own } = fieldsOf(extra);
    const delta: JsonObject = isObject(message) ? { ...message } : {};
    if (!state.roleSent) {
      state.roleSent = true;
      Object.assign(delta, { role: "assistant", content: "", refusal: null });
    }
    const encoded: JsonObject = {
      index: choice,
      delta,
      logprobs: logprobs ?? null,
      finish_reason: encodeFinishReason(finishReason),
    };
    if (isObject(own)) Object.assign(encoded, own);
    // as vLLM tells it; the protocol itself does not say which sequence it was
    else if (stopSequence !== undefined) encoded["stop_reason"] = stopSequence;
    return before + this.#whole({ choices: [encoded] });
  }

  #end(): string {
    if (!this.#context.includeUsage || this.#usage === undefined) return "data: [DONE]\n\n";
    return `${this.#whole({ choices: [], usage: encodeUsage(this.#usage) })}data: [DONE]\n\n`;
  }

  #error({ status, type, message, code }: EventOf<"error">): string {
    return encodeStreamError({ status, message, type, code: code ?? null, param: null });
  }
}

/** A chunk's text before its candidate. */
function headOf(base: JsonObject): string {
  return `data: ${JSON.stringify(base).slice(0, -1)},"choices":[`;
}
