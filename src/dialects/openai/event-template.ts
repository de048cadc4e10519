/**
 * The shape of a stream's ordinary events. Within one stream the events that carry text differ in little but that
 * text, so an event that is alike up to it and after it needs no reading: it holds text and nothing else.
 */

/** Members whose strings differ from event to event. */
const VARIABLE = /"(content|reasoning_content|reasoning|text|arguments|refusal|obfuscation)": ?"(?!")/g;
const PADDING = "obfuscation";
/** Of what stands before the first string only so much is compared: the way to it in the candidate. */
const MAX_WAY_BYTES = 64;
/** An event with more around its strings (log probabilities …) is no ordinary one. */
const MAX_EVENT_BYTES = 2048;
const MAX_HOLES = 4;
const QUOTE = 34;
const BACKSLASH = 92;

export class EventTemplate {
  /** From the event's start to its first string, in bytes. */
  readonly #firstHole: number;
  /** What stands before the first string, between the strings, and after the last one. */
  readonly #segments: readonly Buffer[];

  private constructor(firstHole: number, segments: readonly Buffer[]) {
    this.#firstHole = firstHole;
    this.#segments = segments;
  }

  /**
   * Learns from `buffer[start, end)`, whose characters (latin1) are `text`; undefined if it is no ordinary event.
   * A quote that ends a key cannot stand in a string, where it would follow a backslash.
   */
  static of(buffer: Buffer, start: number, end: number, text: string): EventTemplate | undefined {
    if (end - start > MAX_EVENT_BYTES) return undefined;
    const segments: Buffer[] = [];
    let from = 0;
    let firstHole = 0;
    for (const match of text.matchAll(VARIABLE)) {
      const hole = match.index + match[0].length;
      if (hole < from || segments.length === MAX_HOLES) return undefined;
      if (segments.length === 0) {
        if (match[1] === PADDING) return undefined;
        firstHole = hole;
        from = Math.max(0, hole - MAX_WAY_BYTES);
      }
      segments.push(Buffer.from(buffer.subarray(start + from, start + hole)));
      const close = closingQuote(buffer, start + hole, end);
      if (close === -1) return undefined;
      from = close - start;
    }
    if (segments.length === 0) return undefined;
    segments.push(Buffer.from(buffer.subarray(start + from, end)));
    return new EventTemplate(firstHole, segments);
  }

  /** True if `buffer[start, end)` differs from the event that was learned only in its strings, none of them empty. */
  matches(buffer: Buffer, start: number, end: number): boolean {
    const segments = this.#segments;
    let segment = segments[0]!;
    let at = start + this.#firstHole - segment.length;
    for (let index = 0; ;) {
      const { length } = segment;
      if (at + length > end) return false;
      for (let offset = 0; offset < length; offset++) if (buffer[at + offset] !== segment[offset]) return false;
      at += length;
      if (++index === segments.length) return at === end;
      segment = segments[index]!;
      const close = closingQuote(buffer, at, end);
      if (close === -1 || close === at) return false;
      at = close;
    }
  }
}

/** Offset of the quote that ends the string whose first character is at `at`; -1 if there is none. */
function closingQuote(buffer: Buffer, at: number, end: number): number {
  for (; at < end; at++) {
    const byte = buffer[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  return -1;
}
