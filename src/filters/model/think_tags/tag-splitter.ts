/**
 * Splits text into what stands inside a pair of tags and what stands outside, piece by piece as it streams.
 *
 * - Tags count wherever they stand; inside, another opening tag is text, and outside a closing tag is text.
 * - White space right after a tag is left out, and before a tag that opens the text.
 * - Text goes on at once; held back is only what may still become a tag (and white space at the very start).
 */

/** White space at the very start is held back no longer than this. */
export const MAX_HELD_SPACE = 1024;

/** A pair of tags. */
export interface Tags {
  readonly open: string;
  readonly close: string;
}

/** What a piece of text is. */
export type PieceKind = "inside" | "outside";

/** Receives a piece; never an empty one. Pieces of one `segment` belong together; a tag starts another one. */
export type Emit = (kind: PieceKind, text: string, segment: number) => void;

/** State of one text. */
export class TagSplitter {
  readonly #tags: Tags;
  #inside: boolean;
  #segment = 0;
  /** Nothing but white space has come. */
  #atStart = true;
  /** White space is being left out, right after a tag. */
  #trimming: boolean;
  #held = "";

  /** @param starts where the text begins: inside if the opening tag stood in the prompt */
  constructor(tags: Tags, starts: PieceKind) {
    this.#tags = tags;
    this.#inside = starts === "inside";
    this.#trimming = this.#inside;
  }

  /** True if text without the beginning of a tag would go on as it is. */
  get passes(): boolean {
    return !this.#inside && !this.#atStart && !this.#trimming && this.#held === "";
  }

  /** The first character of the tag that is waited for. */
  get awaited(): string {
    return (this.#inside ? this.#tags.close : this.#tags.open).charAt(0);
  }

  /** Takes the next piece of the text. */
  push(text: string, emit: Emit): void {
    let rest = this.#held + text;
    this.#held = "";
    if (this.#atStart) {
      const opened = this.#open(rest);
      if (opened === undefined) return;
      rest = opened;
    }
    while (rest !== "") {
      if (this.#trimming) {
        rest = rest.trimStart();
        if (rest === "") return;
        this.#trimming = false;
      }
      const tag = this.#inside ? this.#tags.close : this.#tags.open;
      const at = rest.indexOf(tag);
      if (at === -1) {
        const held = beginningOf(tag, rest);
        this.#held = rest.slice(rest.length - held);
        this.#emit(rest.slice(0, rest.length - held), emit);
        return;
      }
      this.#emit(rest.slice(0, at), emit);
      rest = rest.slice(at + tag.length);
      this.#turn(!this.#inside);
    }
  }

  /** The text has ended: what was held back is no tag. */
  flush(emit: Emit): void {
    const held = this.#inside && this.#atStart ? this.#held.trimStart() : this.#held;
    this.#held = "";
    this.#atStart = false;
    this.#emit(held, emit);
  }

  /** Looks for an opening tag that begins the text; what follows it, or undefined if more text must tell. */
  #open(rest: string): string | undefined {
    const { open } = this.#tags;
    const body = rest.trimStart();
    const nearStart = rest.length - body.length <= MAX_HELD_SPACE;
    if (nearStart && body !== open && open.startsWith(body)) {
      this.#held = rest;
      return undefined;
    }
    this.#atStart = false;
    if (!nearStart || !body.startsWith(open)) return rest;
    this.#turn(true);
    return body.slice(open.length);
  }

  #turn(inside: boolean): void {
    this.#inside = inside;
    this.#segment++;
    this.#trimming = true;
  }

  #emit(text: string, emit: Emit): void {
    if (text !== "") emit(this.#inside ? "inside" : "outside", text, this.#segment);
  }
}

/** How many characters at the end of `text` begin `tag` without finishing it. */
function beginningOf(tag: string, text: string): number {
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length--) {
    if (tag.startsWith(text.slice(text.length - length))) return length;
  }
  return 0;
}
