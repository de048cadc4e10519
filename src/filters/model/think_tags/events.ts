/** Turns tagged thinking in a stream of events into reasoning events. */
import type { ChatEvent } from "../../../dialects/form.ts";
import type { EventFilter } from "../../contract.ts";
import { type PieceKind, type Tags, TagSplitter } from "./tag-splitter.ts";

type TextEvent = Extract<ChatEvent, { kind: "text" }>;
type PartEvent = Extract<ChatEvent, { part: number }>;
type PieceEvent = Extract<ChatEvent, { kind: "text" | "reasoning" | "partEnd" }>;
type Pass = (event: ChatEvent) => void;

/** A text part on its way: which part its pieces go out in. */
interface TextPart {
  readonly splitter: TagSplitter;
  readonly part: number;
  segment: number;
  /** The part that its last piece went out in; undefined before the first. */
  out: number | undefined;
  /** The part that its last plain text went out in, where citations belong. */
  textOut: number | undefined;
}

/** One candidate. Parts get new numbers, since one part may become several. */
class ChoiceFilter {
  readonly #tags: Tags;
  readonly #choice: number;
  #starts: PieceKind;
  #nextPart = 0;
  readonly #numbers = new Map<number, number>();
  #text: TextPart | undefined;

  constructor(tags: Tags, starts: PieceKind, choice: number) {
    this.#tags = tags;
    this.#starts = starts;
    this.#choice = choice;
  }

  push(event: PartEvent, emit: Pass): void {
    const text = this.#text;
    if (event.kind === "text") {
      if (text !== undefined && text.part !== event.part) this.#end(emit);
      this.#pushText(event, emit);
      return;
    }
    if (text === undefined || text.part !== event.part) {
      // whatever else begins, no tag goes on across it
      if (text !== undefined) this.flush(emit);
      emit({ ...event, part: this.#numberOf(event.part) });
      if (event.kind === "partEnd") this.#numbers.delete(event.part);
      return;
    }
    if (event.kind === "partEnd") {
      this.#end(emit);
    } else if (event.kind === "citation") {
      this.flush(emit);
      text.textOut ??= this.#nextPart++;
      emit({ ...event, part: text.textOut });
    }
    // nothing else belongs to a text part
  }

  /** Passes on what was held back. */
  flush(emit: Pass): void {
    const text = this.#text;
    text?.splitter.flush((kind, piece, segment) => this.#emitPiece(text, kind, piece, segment, emit));
  }

  #pushText(event: TextEvent, emit: Pass): void {
    const text = (this.#text ??= this.#beginText(event.part));
    const { splitter } = text;
    if (
      splitter.passes &&
      text.textOut !== undefined &&
      text.out === text.textOut &&
      !event.text.includes(splitter.awaited)
    ) {
      emit(text.textOut === event.part ? event : { ...event, part: text.textOut });
      return;
    }
    // what an event says besides its text cannot be told apart by pieces
    const { logprobs, extra } = event;
    if (logprobs !== undefined) emit({ kind: "extra", choice: this.#choice, logprobs });
    let first = extra;
    const emitPiece = (out: PieceEvent): void => {
      if (out.kind === "partEnd" || first === undefined) {
        emit(out);
        return;
      }
      emit({ ...out, extra: first });
      first = undefined;
    };
    splitter.push(event.text, (kind, piece, segment) => this.#emitPiece(text, kind, piece, segment, emitPiece));
  }

  #beginText(part: number): TextPart {
    const splitter = new TagSplitter(this.#tags, this.#starts);
    // the prompt's opening tag is closed once
    this.#starts = "outside";
    return { splitter, part, segment: 0, out: undefined, textOut: undefined };
  }

  #emitPiece(text: TextPart, kind: PieceKind, piece: string, segment: number, emit: (event: PieceEvent) => void): void {
    if (text.out === undefined || text.segment !== segment) {
      this.#endPiece(text, emit);
      text.segment = segment;
      text.out = this.#nextPart++;
      if (kind === "outside") text.textOut = text.out;
    }
    const event = { choice: this.#choice, part: text.out, text: piece };
    emit(kind === "inside" ? { kind: "reasoning", ...event } : { kind: "text", ...event });
  }

  #endPiece(text: TextPart, emit: (event: PieceEvent) => void): void {
    if (text.out !== undefined) emit({ kind: "partEnd", choice: this.#choice, part: text.out });
    text.out = undefined;
  }

  #end(emit: Pass): void {
    this.flush(emit);
    if (this.#text !== undefined) this.#endPiece(this.#text, emit);
    this.#text = undefined;
  }

  #numberOf(part: number): number {
    let number = this.#numbers.get(part);
    if (number === undefined) {
      number = this.#nextPart++;
      this.#numbers.set(part, number);
    }
    return number;
  }
}

/** Makes the filter of one stream. */
export function createEventFilter(tags: Tags, starts: PieceKind): EventFilter {
  const choices = new Map<number, ChoiceFilter>();
  return (event, emit) => {
    if ("part" in event) {
      let choice = choices.get(event.choice);
      if (choice === undefined) {
        choice = new ChoiceFilter(tags, starts, event.choice);
        choices.set(event.choice, choice);
      }
      choice.push(event, emit);
      return;
    }
    if (event.kind === "finish") choices.get(event.choice)?.flush(emit);
    else if (event.kind === "end" || event.kind === "error") for (const choice of choices.values()) choice.flush(emit);
    emit(event);
  };
}
