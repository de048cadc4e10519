/** Go's quoted strings and characters: how it writes them and how it reads them. */

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Whether Go prints a character as it is instead of escaping it. */
export function isPrintable(code: number): boolean {
  if (code >= 0x20 && code < 0x7f) return true;
  if (code < 0xa1 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
  return PRINTABLE.test(String.fromCodePoint(code));
}

/** Which characters a quoted text may hold unescaped besides ASCII. */
export type QuoteCharset = "unicode" | "ascii";

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

/** A double-quoted Go string. */
export function quote(text: string, charset: QuoteCharset = "unicode"): string {
  let quoted = '"';
  for (const character of text) quoted += escapeCharacter(character, '"', charset);
  return quoted + '"';
}

/** A single-quoted Go character. */
export function quoteCharacter(code: number, charset: QuoteCharset): string {
  const valid = code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
  return `'${escapeCharacter(String.fromCodePoint(valid ? code : 0xfffd), "'", charset)}'`;
}

function escapeCharacter(character: string, delimiter: string, charset: QuoteCharset): string {
  if (character === delimiter || character === "\\") return `\\${character}`;
  let code = character.codePointAt(0)!;
  // a lone surrogate is no character
  if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
  if (charset === "ascii" ? code >= 0x20 && code < 0x7f : isPrintable(code)) return String.fromCodePoint(code);
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) return short;
  const hex = code.toString(16);
  if (code < 0x20 || code === 0x7f) return `\\x${hex.padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

/** Whether a text can stand between back quotes. */
export function canBackquote(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what this asks about
  return !/[\u0000-\u0008\u000a-\u001f\u007f`\ufeff]/.test(text) && text.isWellFormed();
}

/** `U+0023 '#'`, as error messages name a character. */
export function describeCharacter(code: number): string {
  const hex = code.toString(16).toUpperCase().padStart(4, "0");
  return isPrintable(code) ? `U+${hex} '${String.fromCodePoint(code)}'` : `U+${hex}`;
}

const INVALID = new SyntaxError("invalid syntax");

/**
 * The text that a Go string literal, quoted or raw, stands for. Bytes that are no UTF-8 become U+FFFD.
 * @throws SyntaxError with Go's message
 */
export function unquote(literal: string): string {
  const delimiter = literal[0]!;
  const inner = literal.slice(1, -1);
  if (delimiter === "`") return inner.replaceAll("\r", "");
  if (!inner.includes("\\")) return inner;
  const bytes: (string | number)[] = [];
  let hasBytes = false;
  for (let at = 0; at < inner.length;) {
    const unit = unquoteCharacter(inner, at, delimiter);
    hasBytes ||= unit.isByte && unit.code > 0x7f;
    bytes.push(unit.isByte ? unit.code : String.fromCodePoint(unit.code));
    at = unit.end;
  }
  if (!hasBytes) return bytes.map((unit) => (typeof unit === "number" ? String.fromCharCode(unit) : unit)).join("");
  return decodeBytes(Buffer.concat(bytes.map((unit) => Buffer.from(typeof unit === "number" ? [unit] : unit))));
}

/** One character of a literal: `isByte` when it was written as `\x41` or `\101`. */
export interface UnquotedCharacter {
  readonly code: number;
  readonly isByte: boolean;
  /** Offset behind it. */
  readonly end: number;
}

const SIMPLE: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, "\\": 92 };
const NUMERIC: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * Reads the character at `at` of what stands between quotes.
 * @throws SyntaxError with Go's message
 */
export function unquoteCharacter(text: string, at: number, delimiter: string): UnquotedCharacter {
  const code = text.codePointAt(at);
  if (code === undefined || text[at] === delimiter) throw INVALID;
  if (text[at] !== "\\") return { code, isByte: false, end: at + (code > 0xffff ? 2 : 1) };
  const escape = text[at + 1] ?? "";
  const simple = SIMPLE[escape];
  if (simple !== undefined) return { code: simple, isByte: false, end: at + 2 };
  if (escape === "'" || escape === '"') {
    if (escape !== delimiter) throw INVALID;
    return { code: escape.charCodeAt(0), isByte: false, end: at + 2 };
  }
  const length = NUMERIC[escape];
  if (length === undefined) return octalCharacter(text, at);
  const digits = text.slice(at + 2, at + 2 + length);
  if (digits.length < length || !/^[0-9a-fA-F]+$/.test(digits)) throw INVALID;
  const value = Number.parseInt(digits, 16);
  if (value > 0x10ffff || (length > 2 && value >= 0xd800 && value < 0xe000)) throw INVALID;
  return { code: value, isByte: length === 2, end: at + 2 + length };
}

function octalCharacter(text: string, at: number): UnquotedCharacter {
  const digits = text.slice(at + 1, at + 4);
  if (!/^[0-7]{3}$/.test(digits)) throw INVALID;
  const code = Number.parseInt(digits, 8);
  if (code > 255) throw INVALID;
  return { code, isByte: true, end: at + 4 };
}

/** Text of UTF-8; each byte that belongs to no character becomes one U+FFFD, as Go counts them. */
export function decodeBytes(bytes: Buffer): string {
  const text = bytes.toString();
  if (!text.includes("\ufffd")) return text;
  let decoded = "";
  for (let at = 0; at < bytes.length;) {
    const size = characterSize(bytes, at);
    decoded += size === 0 ? "\ufffd" : bytes.toString("utf8", at, at + size);
    at += size || 1;
  }
  return decoded;
}

/** Bytes of the valid character at `at`; 0 if there is none. */
function characterSize(bytes: Buffer, at: number): number {
  const lead = bytes[at]!;
  const size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (size === 0 || at + size > bytes.length) return 0;
  const text = bytes.toString("utf8", at, at + size);
  return Buffer.byteLength(text) === size && (text !== "\ufffd" || lead === 0xef) && !text.slice(1).includes("\ufffd")
    ? size
    : 0;
}
