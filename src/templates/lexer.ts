/** Cuts the source of a template into tokens, as Go's text/template does, with its error messages. */
import { describeCharacter, quote } from "./quoting.ts";

const KEYWORDS = [
  "block",
  "break",
  "continue",
  "define",
  "else",
  "end",
  "if",
  "nil",
  "range",
  "template",
  "with",
] as const;
/** Words that are no function names. */
type Keyword = (typeof KEYWORDS)[number];

/** Kinds of tokens; a keyword is a kind of its own. */
export type TokenType =
  | Keyword
  | "assign"
  | "bool"
  | "character"
  | "characterConstant"
  | "complex"
  | "declare"
  | "dot"
  | "end of file"
  | "error"
  | "field"
  | "identifier"
  | "leftDelimiter"
  | "leftParen"
  | "number"
  | "pipe"
  | "rawString"
  | "rightDelimiter"
  | "rightParen"
  | "space"
  | "string"
  | "text"
  | "variable";

/** A piece of the source. */
export interface Token {
  readonly type: TokenType;
  /** Offset in the source, in UTF-16 units. */
  readonly at: number;
  /** As written; of an error its message. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

const keywords: ReadonlyMap<string, Keyword> = new Map(KEYWORDS.map((word) => [word, word]));

/** A token as error messages show it. */
export function describeToken(token: Token): string {
  if (token.type === "end of file") return "EOF";
  if (token.type === "error") return token.text;
  if (token.type === "dot" || keywords.has(token.type)) return `<${token.text}>`;
  const characters = Array.from(token.text.slice(0, 22));
  // Go decides by bytes and cuts by characters
  if (Buffer.byteLength(token.text) > 10) return `${quote(characters.slice(0, 10).join(""))}...`;
  return quote(token.text);
}

const STARTS_COMMAND: ReadonlySet<TokenType> = new Set([
  ...(["bool", "characterConstant", "complex", "dot", "field", "identifier", "leftParen", "nil"] as const),
  ...(["number", "rawString", "string", "variable"] as const),
]);

/** Whether a command can begin with a token. */
export function startsCommand(token: Token): boolean {
  return STARTS_COMMAND.has(token.type);
}

const LETTER_OR_DIGIT = /^[\p{L}\p{Nd}_]$/u;

function isAlphanumeric(character: string): boolean {
  const code = character.charCodeAt(0);
  if (code < 128) return isAsciiWord(code);
  return LETTER_OR_DIGIT.test(character);
}

function isAsciiWord(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95;
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\t" || character === "\r" || character === "\n";
}

const LEFT = "{{";
const RIGHT = "}}";

/** Thrown inside the lexer; ends in a token of type `error`. */
class Refused extends Error {}

/** All tokens of a source. The last one is an error or the end. */
export function tokenize(source: string): Token[] {
  return new Lexer(source).run();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #start = 0;
  #line = 1;
  /** Where lines have been counted to. */
  #counted = 0;
  #parens = 0;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    try {
      while (this.#text()) while (this.#insideAction());
      this.#emit("end of file");
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#tokens.push({ type: "error", at: this.#start, text: error.message, line: this.#lineAt(this.#start) });
    }
    return this.#tokens;
  }

  #lineAt(offset: number): number {
    for (; this.#counted < offset; this.#counted++) if (this.#source.charCodeAt(this.#counted) === 10) this.#line++;
    return this.#line;
  }

  #emit(type: TokenType): void {
    const text = this.#source.slice(this.#start, this.#at);
    this.#tokens.push({ type, at: this.#start, text, line: this.#lineAt(this.#start) });
    this.#start = this.#at;
  }

  /** The character at the current place, "" at the end. */
  #peek(): string {
    const code = this.#source.codePointAt(this.#at);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  #next(): string {
    const character = this.#peek();
    this.#at += character.length;
    return character;
  }

  #accept(characters: string): boolean {
    const character = this.#source[this.#at];
    if (character === undefined || !characters.includes(character)) return false;
    this.#at++;
    return true;
  }

  #acceptRun(characters: string): void {
    while (this.#accept(characters));
  }

  /** `- ` behind a left delimiter. */
  #hasLeftTrim(at: number): boolean {
    return this.#source[at] === "-" && isSpace(this.#source[at + 1]);
  }

  /** ` -` before a right delimiter. */
  #hasRightTrim(at: number): boolean {
    return isSpace(this.#source[at]) && this.#source[at + 1] === "-" && this.#source.startsWith(RIGHT, at + 2);
  }

  /** Scans text up to an action and the action's delimiter; false at the end of the source. */
  #text(): boolean {
    for (;;) {
      const left = this.#source.indexOf(LEFT, this.#at);
      if (left < 0) {
        this.#at = this.#source.length;
        if (this.#at > this.#start) this.#emit("text");
        return false;
      }
      let end = left;
      if (this.#hasLeftTrim(left + 2)) while (end > this.#start && isSpace(this.#source[end - 1])) end--;
      this.#at = end;
      if (end > this.#start) this.#emit("text");
      this.#at = left;
      this.#start = left;
      if (!this.#comment()) break;
    }
    this.#at += LEFT.length;
    this.#emit("leftDelimiter");
    if (this.#hasLeftTrim(this.#at)) this.#at += 2;
    this.#start = this.#at;
    this.#parens = 0;
    return true;
  }

  /** Steps over a comment, if there is one. */
  #comment(): boolean {
    const inner = this.#at + LEFT.length + (this.#hasLeftTrim(this.#at + LEFT.length) ? 2 : 0);
    if (!this.#source.startsWith("/*", inner)) return false;
    this.#start = inner;
    const end = this.#source.indexOf("*/", inner + 2);
    if (end < 0) throw new Refused("unclosed comment");
    this.#at = end + 2;
    const trims = this.#hasRightTrim(this.#at);
    if (!trims && !this.#source.startsWith(RIGHT, this.#at)) {
      throw new Refused("comment ends before closing delimiter");
    }
    this.#at += RIGHT.length + (trims ? 2 : 0);
    if (trims) while (isSpace(this.#source[this.#at])) this.#at++;
    this.#start = this.#at;
    return true;
  }

  /** Scans one element inside an action; false behind its right delimiter. */
  #insideAction(): boolean {
    const trims = this.#hasRightTrim(this.#at);
    if (trims || this.#source.startsWith(RIGHT, this.#at)) {
      if (this.#parens > 0) throw new Refused("unclosed left paren");
      this.#rightDelimiter(trims);
      return false;
    }
    const character = this.#next();
    if (character === "") throw new Refused("unclosed action");
    if (isSpace(character)) this.#spaces();
    else if (isAlphanumeric(character) && !/[0-9]/.test(character)) this.#word("identifier");
    else this.#sign(character);
    return true;
  }

  #rightDelimiter(trims: boolean): void {
    if (trims) this.#at += 2;
    this.#start = this.#at;
    this.#at += RIGHT.length;
    this.#emit("rightDelimiter");
    if (trims) while (isSpace(this.#source[this.#at])) this.#at++;
    this.#start = this.#at;
  }

  #spaces(): void {
    while (isSpace(this.#source[this.#at])) this.#at++;
    // the last space belongs to a trimming delimiter
    if (this.#hasRightTrim(this.#at - 1)) this.#at--;
    if (this.#at > this.#start) this.#emit("space");
  }

  #sign(character: string): void {
    switch (character) {
      case "=":
        return this.#emit("assign");
      case ":":
        if (this.#next() !== "=") throw new Refused("expected :=");
        return this.#emit("declare");
      case "|":
        return this.#emit("pipe");
      case '"':
        return this.#quoted('"', "string", "unterminated quoted string");
      case "'":
        return this.#quoted("'", "characterConstant", "unterminated character constant");
      case "`":
        return this.#rawString();
      case "$":
        return this.#word("variable");
      case "(":
        this.#parens++;
        return this.#emit("leftParen");
      case ")":
        if (--this.#parens < 0) throw new Refused("unexpected right paren");
        return this.#emit("rightParen");
      default:
        return this.#numberOrCharacter(character);
    }
  }

  #numberOrCharacter(character: string): void {
    const following = this.#source[this.#at];
    if (character === "." && following !== undefined && !/[0-9]/.test(following)) {
      this.#word("field");
    } else if (/[0-9+.-]/.test(character)) {
      this.#at--;
      this.#number();
    } else if (/[\u0020-\u007e]/.test(character)) {
      this.#emit("character");
    } else {
      throw new Refused(`unrecognized character in action: ${describeCharacter(character.codePointAt(0)!)}`);
    }
  }

  /** Scans the rest of an identifier, a `.field` or a `$variable`. */
  #word(type: "identifier" | "field" | "variable"): void {
    if (type !== "identifier" && this.#atTerminator()) return this.#emit(type === "field" ? "dot" : type);
    let character = this.#peek();
    while (character !== "" && isAlphanumeric(character)) {
      this.#at += character.length;
      character = this.#peek();
    }
    if (!this.#atTerminator()) throw new Refused(`bad character ${describeCharacter(character.codePointAt(0)!)}`);
    if (type !== "identifier") return this.#emit(type);
    const word = this.#source.slice(this.#start, this.#at);
    this.#emit(keywords.get(word) ?? (word === "true" || word === "false" ? "bool" : "identifier"));
  }

  #atTerminator(): boolean {
    const character = this.#source[this.#at];
    if (character === undefined || isSpace(character) || ".,|:)(".includes(character)) return true;
    return this.#source.startsWith(RIGHT, this.#at);
  }

  #quoted(delimiter: string, type: "string" | "characterConstant", message: string): void {
    for (;;) {
      let character = this.#next();
      if (character === delimiter) return this.#emit(type);
      const escaped = character === "\\";
      if (escaped) character = this.#next();
      if (character === "" || character === "\n") throw new Refused(message);
    }
  }

  #rawString(): void {
    const end = this.#source.indexOf("`", this.#at);
    if (end < 0) throw new Refused("unterminated raw quoted string");
    this.#at = end + 1;
    this.#emit("rawString");
  }

  #number(): void {
    let type: "number" | "complex" = "number";
    let valid = this.#scanNumber();
    if (valid && (this.#peek() === "+" || this.#peek() === "-")) {
      type = "complex";
      valid = this.#scanNumber() && this.#source[this.#at - 1] === "i";
    }
    if (!valid) throw new Refused(`bad number syntax: ${quote(this.#source.slice(this.#start, this.#at))}`);
    this.#emit(type);
  }

  /** Takes what may be a number; whether it is one, the parser finds out. */
  #scanNumber(): boolean {
    this.#accept("+-");
    let digits = "0123456789_";
    if (this.#accept("0")) {
      if (this.#accept("xX")) digits = "0123456789abcdefABCDEF_";
      else if (this.#accept("oO")) digits = "01234567_";
      else if (this.#accept("bB")) digits = "01_";
    }
    this.#acceptRun(digits);
    if (this.#accept(".")) this.#acceptRun(digits);
    if ((digits.length === 11 && this.#accept("eE")) || (digits.length === 23 && this.#accept("pP"))) {
      this.#accept("+-");
      this.#acceptRun("0123456789_");
    }
    this.#accept("i");
    const following = this.#peek();
    if (following === "" || !isAlphanumeric(following)) return true;
    this.#at += following.length;
    return false;
  }
}
