/** Reads a regular expression into a tree, as far as its matching needs no way back: no look-around, no back references. */

/** One part of a pattern. */
export type PatternNode =
  /** One character. `atom` is its source: `a`, `.`, `\d`, `[a-z]`. */
  | { readonly kind: "character"; readonly atom: string }
  | { readonly kind: "assertion"; readonly assertion: Assertion }
  | { readonly kind: "sequence"; readonly items: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly items: readonly PatternNode[] }
  | { readonly kind: "repeat"; readonly item: PatternNode; readonly min: number; readonly max: number };

export type Assertion = "start" | "end" | "boundary" | "noBoundary";

const ASSERTIONS: ReadonlyMap<string, Assertion> = new Map([
  ["^", "start"],
  ["$", "end"],
  ["\\b", "boundary"],
  ["\\B", "noBoundary"],
]);
const QUANTIFIER = /(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/y;
/** What a group may begin with; anything else that begins with `(?` looks around, or changes flags. */
const GROUP = /\((?:\?:|\?<[^=!>]+>)?(?!\?)/y;
/** A class, an escape, or a single character. `\1` and `\k<name>` are none of them. */
const ATOM =
  /\[(?:\\.|[^\]\\])*\]|\\(?:u\{[0-9a-fA-F]+\}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|[pP]\{[^}]*\}|0|[^0-9k])|[^\\()|*+?[]/suy;
const MAX_DEPTH = 500;

/**
 * @param source one that JavaScript takes
 * @throws Error that says what of it cannot be used
 */
export function parsePattern(source: string): PatternNode {
  return new Parser(source).parse();
}

class Parser {
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): PatternNode {
    const node = this.#choice();
    if (this.#at < this.#source.length) {
      throw this.#unusable();
    }
    return node;
  }

  #choice(): PatternNode {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) {
      throw new Error(`groups nest more than ${MAX_DEPTH} deep`);
    }
    const items = [this.#sequence()];
    while (this.#take("|")) {
      items.push(this.#sequence());
    }
    this.#depth -= 1;
    return items.length === 1 ? items[0]! : { kind: "choice", items };
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.#at < this.#source.length && this.#source[this.#at] !== "|" && this.#source[this.#at] !== ")") {
      items.push(this.#repeated(this.#term()));
    }
    return { kind: "sequence", items };
  }

  #term(): PatternNode {
    for (const [text, assertion] of ASSERTIONS) {
      if (this.#take(text)) {
        return { kind: "assertion", assertion };
      }
    }
    if (this.#match(GROUP) !== undefined) {
      const node = this.#choice();
      if (!this.#take(")")) {
        throw this.#unusable();
      }
      return node;
    }
    const atom = this.#match(ATOM)?.[0];
    if (atom === undefined) {
      throw this.#unusable();
    }
    return { kind: "character", atom };
  }

  #repeated(item: PatternNode): PatternNode {
    const found = this.#match(QUANTIFIER);
    if (found === undefined) {
      return item;
    }
    const [, sign, least = "", comma, most = ""] = found;
    switch (sign) {
      case "*":
        return { kind: "repeat", item, min: 0, max: Infinity };
      case "+":
        return { kind: "repeat", item, min: 1, max: Infinity };
      case "?":
        return { kind: "repeat", item, min: 0, max: 1 };
      default: {
        const min = Number(least);
        return { kind: "repeat", item, min, max: comma === undefined ? min : most === "" ? Infinity : Number(most) };
      }
    }
  }

  #take(text: string): boolean {
    const isThere = this.#source.startsWith(text, this.#at);
    this.#at += isThere ? text.length : 0;
    return isThere;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source) ?? undefined;
    this.#at += found?.[0].length ?? 0;
    return found;
  }

  #unusable(): Error {
    const rest = this.#source.slice(this.#at, this.#at + 10);
    return new Error(`"${rest}" cannot be used: look-around, back references and flags are not supported`);
  }
}
