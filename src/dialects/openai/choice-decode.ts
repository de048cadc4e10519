/**
 * One candidate of a stream, chunk by chunk, from the wire to events. The wire has no parts: they follow from the
 * order in which kinds of content come. Tool calls stay open to the end, because their pieces may interleave.
 */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { ChatEvent, Extra } from "../form.ts";
import {
  type CallPiece,
  freshCallId,
  MESSAGE_KEYS,
  readCall,
  readPiece,
  type AnswerPiece,
  type ReasoningDetail,
} from "./answer-pieces.ts";
import { isObject } from "./fields.ts";
import { decodeFinish } from "./finish-reasons.ts";
import { REASONING_WORDS_HINT } from "./reasoning-history.ts";

const CHOICE_KEYS: ReadonlySet<string> = new Set(["index", "delta", "message", "logprobs", "finish_reason"]);
const NONE: JsonObject = {};

type OpenKind = "text" | "reasoning" | "refusal";

/** A tool call under way. */
interface Call {
  /** As the wire counts; undefined where it does not. */
  readonly index: number | undefined;
  /** As the wire says it, "" if it has not. */
  id: string;
  name: string;
  /** Its part's number once it has begun, which needs a name. */
  part: number | undefined;
  waiting: string;
  rest: JsonObject;
}

/** State of one candidate. */
export class ChoiceDecoder {
  readonly #choice: number;
  #nextPart = 0;
  #open: { kind: OpenKind; part: number } | undefined;
  /** Text of the open reasoning part: an entry with a signature may say it again. */
  #reasoningText = "";
  readonly #calls: Call[] = [];
  #finished = false;

  constructor(choice: number) {
    this.#choice = choice;
  }

  /** Its `finish_reason` was seen. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Takes one element of a chunk's `choices`. What comes after the end is ignored. */
  push(choice: JsonObject, out: ChatEvent[]): void {
    if (this.#finished) return;
    const delta = isObject(choice["delta"]) ? choice["delta"] : isObject(choice["message"]) ? choice["message"] : NONE;
    const piece = readPiece(delta);
    this.#pushReasoning(piece, out);
    let logprobs: JsonValue | undefined = choice["logprobs"] ?? undefined;
    if (piece.text !== "") {
      const part = this.#openPart("text", out);
      out.push({
        kind: "text",
        choice: this.#choice,
        part,
        text: piece.text,
        ...(logprobs === undefined ? {} : { logprobs }),
      });
      logprobs = undefined;
    }
    if (piece.refusal !== "") {
      const part = this.#openPart("refusal", out);
      out.push({ kind: "refusal", choice: this.#choice, part, text: piece.refusal });
    }
    for (const call of piece.toolCalls) this.#pushCall(call, out);
    this.#pushRest(delta, choice, logprobs, out);
  }

  /** Ends the candidate if nothing has, as a stream may end without a reason. */
  end(out: ChatEvent[]): void {
    if (this.#finished) return;
    this.#closeAll(out);
    out.push({ kind: "finish", choice: this.#choice, finishReason: this.#calls.length > 0 ? "tool_calls" : "stop" });
  }

  /** The number of the open part of that kind; any other one is closed for it. */
  #openPart(kind: OpenKind, out: ChatEvent[]): number {
    if (this.#open?.kind === kind) return this.#open.part;
    this.#close(out);
    const part = this.#nextPart++;
    this.#open = { kind, part };
    return part;
  }

  #close(out: ChatEvent[]): void {
    if (this.#open === undefined) return;
    out.push({ kind: "partEnd", choice: this.#choice, part: this.#open.part });
    this.#open = undefined;
    this.#reasoningText = "";
  }

  #closeAll(out: ChatEvent[]): void {
    this.#finished = true;
    this.#close(out);
    for (const call of this.#calls) {
      if (call.part === undefined) this.#beginCall(call, out);
      if (call.part !== undefined) out.push({ kind: "partEnd", choice: this.#choice, part: call.part });
    }
  }

  #pushReasoning({ reasoning, reasoningWords, details }: AnswerPiece, out: ChatEvent[]): void {
    const words: JsonObject = reasoningWords.length === 0 ? {} : { [REASONING_WORDS_HINT]: [...reasoningWords] };
    // the same text may stand in a word of its own and in the entries
    const inDetails = details.some(({ text }) => text !== "");
    if (reasoning !== "" && !inDetails) this.#pushThought(reasoning, ownExtra(words), out);
    for (const detail of details) this.#pushDetail(detail, { ...words, ...detail.hints }, out);
  }

  #pushThought(text: string, extra: Extra, out: ChatEvent[]): void {
    const part = this.#openPart("reasoning", out);
    this.#reasoningText += text;
    out.push({ kind: "reasoning", choice: this.#choice, part, text, extra });
  }

  #pushDetail(detail: ReasoningDetail, hints: JsonObject, out: ChatEvent[]): void {
    const extra = ownExtra(hints);
    if (detail.redacted !== undefined) {
      this.#close(out);
      const part = this.#openPart("reasoning", out);
      out.push({ kind: "redactedReasoning", choice: this.#choice, part, data: detail.redacted, extra });
      this.#close(out);
      return;
    }
    const again = detail.text === this.#reasoningText && detail.signature !== undefined;
    if (detail.text !== "" && !again) this.#pushThought(detail.text, extra, out);
    if (detail.signature === undefined) return;
    const part = this.#openPart("reasoning", out);
    out.push({ kind: "signature", choice: this.#choice, part, signature: detail.signature, extra });
    // a signature is the last that is said of its text
    this.#close(out);
  }

  #pushCall(value: JsonObject, out: ChatEvent[]): void {
    const piece = readCall(value);
    const index = typeof value["index"] === "number" ? value["index"] : undefined;
    let call = this.#findCall(piece, index);
    if (call === undefined) {
      call = { index, id: "", name: "", part: undefined, waiting: "", rest: {} };
      this.#calls.push(call);
    }
    if (call.part === undefined) {
      if (call.id === "") call.id = piece.id;
      call.name = piece.name;
      call.waiting += piece.arguments;
      Object.assign(call.rest, piece.rest);
      if (call.name !== "") this.#beginCall(call, out);
    } else if (piece.arguments !== "") {
      out.push({ kind: "toolCallArguments", choice: this.#choice, part: call.part, text: piece.arguments });
    }
  }

  /** The call that a piece goes on with. Some servers leave out `index` or `id`, or give all calls the index 0. */
  #findCall(piece: CallPiece, index: number | undefined): Call | undefined {
    const last = this.#calls.at(-1);
    if (index !== undefined) {
      const known = this.#calls.findLast((call) => call.index === index);
      const other =
        piece.id !== "" && known !== undefined && known.id !== "" && known.id !== piece.id && piece.name !== "";
      return other ? undefined : known;
    }
    if (piece.id !== "") return this.#calls.find((call) => call.id === piece.id);
    return piece.name === "" ? last : undefined;
  }

  #beginCall(call: Call, out: ChatEvent[]): void {
    if (call.name === "" && call.waiting === "") return;
    this.#close(out);
    call.part = this.#nextPart++;
    const id = call.id === "" ? freshCallId() : call.id;
    out.push({
      kind: "toolCallStart",
      choice: this.#choice,
      part: call.part,
      id,
      name: call.name,
      ...(Object.keys(call.rest).length > 0 ? { extra: { dialect: "openai", fields: call.rest } } : {}),
    });
    if (call.waiting !== "") {
      out.push({ kind: "toolCallArguments", choice: this.#choice, part: call.part, text: call.waiting });
    }
  }

  /** What the form has no event for, and the end. */
  #pushRest(delta: JsonObject, choice: JsonObject, logprobs: JsonValue | undefined, out: ChatEvent[]): void {
    const fields: JsonObject = {};
    const message = leftOver(delta, MESSAGE_KEYS);
    if (message !== undefined) fields["message"] = message;
    const own = leftOver(choice, CHOICE_KEYS);
    if (own !== undefined) fields["choice"] = own;
    const finish = decodeFinish(choice, this.#calls.length > 0);
    if (finish === undefined) {
      if (logprobs === undefined && message === undefined && own === undefined) return;
      const event: ChatEvent = { kind: "extra", choice: this.#choice };
      if (logprobs !== undefined) event.logprobs = logprobs;
      if (message !== undefined || own !== undefined) event.extra = { dialect: "openai", fields };
      out.push(event);
      return;
    }
    this.#closeAll(out);
    if (finish.verbatim !== undefined) fields["choice"] = { ...own, finish_reason: finish.verbatim };
    out.push({
      kind: "finish",
      choice: this.#choice,
      finishReason: finish.finishReason,
      ...(finish.stopSequence === undefined ? {} : { stopSequence: finish.stopSequence }),
      ...(logprobs === undefined ? {} : { logprobs }),
      extra: { dialect: "openai", fields },
    });
  }
}

function ownExtra(hints: JsonObject): Extra {
  return { dialect: "openai", fields: {}, hints };
}

/** Members that are not known and say something; undefined if there are none. */
function leftOver(object: JsonObject, known: ReadonlySet<string>): JsonObject | undefined {
  let rest: JsonObject | undefined;
  for (const key in object) {
    const value = object[key];
    if (value === undefined || value === null || known.has(key)) continue;
    rest ??= {};
    rest[key] = value;
  }
  return rest;
}
