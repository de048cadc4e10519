/**
 * A strict scanner of a JSON object in bytes (RFC 8259). It accepts what `JSON.parse` accepts and builds
 * nothing: it finds where chosen top-level members lie, so that a body can be forwarded as it came.
 * The one difference to `JSON.parse`, which knows no limit: nesting deeper than MAX_DEPTH is refused.
 */
import { isUtf8 } from "node:buffer";

/** How deep arrays and objects may nest, the outermost one included. */
export const MAX_DEPTH = 1000;

/** Where one member of the object lies; offsets in bytes, ends exclusive. */
export interface MemberSpan {
  /** Of the key's opening quote. */
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** What `scanObject` found. */
export interface ObjectScan {
  /** The wanted members that exist; of a duplicate, the last one, as JSON.parse has it. */
  readonly members: ReadonlyMap<string, MemberSpan>;
  /** Wanted keys that occur more than once. */
  readonly duplicates: readonly string[];
  /** Offset of the closing brace. */
  readonly closingBrace: number;
  /** The object has no members at all. */
  readonly empty: boolean;
}

/** Not JSON, or not an object; says where. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
  /** In bytes. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Line and column of a byte offset, both from 1; the column counts characters (code points). */
export function positionOf(body: Buffer, offset: number): { line: number; column: number } {
  let line = 1;
  let column = 1;
  const end = Math.min(offset, body.length);
  for (let at = 0; at < end; at++) {
    const byte = body[at]!;
    if (byte === LF) {
      line++;
      column = 1;
    } else if ((byte & 0xc0) !== 0x80) {
      column++;
    }
  }
  return { line, column };
}

const LF = 10;
const QUOTE = 34;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const LOWER_E = 101;
const UPPER_E = 69;
const LOWER_F = 102;
const LOWER_N = 110;
const LOWER_T = 116;
const LOWER_U = 117;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** 1 for bytes that may stand in a string as they are: all but the quote, the backslash and controls. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
);
/** 1 for what may follow a backslash, `u` apart. */
const ESCAPABLE = Uint8Array.from({ length: 256 }, (_, byte) =>
  '"\\/bfnrt'.includes(String.fromCharCode(byte)) ? 1 : 0,
);
const HEX = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[0-9a-fA-F]/.test(String.fromCharCode(byte)) ? 1 : 0,
);
/** What closes each open array or object. The scanner is synchronous, so one stack serves all scans. */
const closers = new Uint8Array(MAX_DEPTH + 1);

/**
 * Scans all of `body`, which must be one JSON object.
 * @throws JsonSyntaxError if it is not
 */
export function scanObject(body: Buffer, wanted: readonly string[]): ObjectScan {
  if (!isUtf8(body)) throw new JsonSyntaxError("The body is not valid UTF-8", invalidUtf8At(body));
  const members = new Map<string, MemberSpan>();
  const duplicates: string[] = [];
  let at = skipSpace(body, 0);
  if (body[at] !== OPEN_BRACE) {
    if (at < body.length) skipValue(body, at);
    throw unexpected(body, at, "an object");
  }
  at = skipSpace(body, at + 1);
  const empty = body[at] === CLOSE_BRACE;
  if (!empty) {
    for (;;) {
      if (body[at] !== QUOTE) throw unexpected(body, at, "a key in double quotes");
      const keyStart = at;
      at = skipString(body, at);
      const key = wantedKey(body, keyStart, at, wanted);
      at = skipSpace(body, at);
      if (body[at] !== COLON) throw unexpected(body, at, "':'");
      const valueStart = skipSpace(body, at + 1);
      const valueEnd = skipValue(body, valueStart);
      if (key !== undefined) {
        if (members.has(key) && !duplicates.includes(key)) duplicates.push(key);
        members.set(key, { keyStart, valueStart, valueEnd });
      }
      at = skipSpace(body, valueEnd);
      if (body[at] === CLOSE_BRACE) break;
      if (body[at] !== COMMA) throw unexpected(body, at, "',' or '}'");
      at = skipSpace(body, at + 1);
    }
  }
  const closingBrace = at;
  at = skipSpace(body, at + 1);
  if (at < body.length) throw unexpected(body, at, "nothing after the object");
  return { members, duplicates, closingBrace, empty };
}

/** The one of `wanted` that the key at `[start, end)`, quotes included, spells. */
function wantedKey(
  body: Buffer,
  start: number,
  end: number,
  wanted: readonly string[],
): string | undefined {
  const length = end - start - 2;
  let plain = true;
  for (let at = start + 1; at < end - 1 && plain; at++) {
    const byte = body[at]!;
    plain = byte < 0x80 && byte !== BACKSLASH;
  }
  if (!plain) {
    const key: unknown = JSON.parse(body.toString("utf8", start, end));
    return wanted.find((candidate) => candidate === key);
  }
  for (const candidate of wanted) {
    if (candidate.length !== length) continue;
    let same = 0;
    while (same < length && body[start + 1 + same] === candidate.charCodeAt(same)) same++;
    if (same === length) return candidate;
  }
  return undefined;
}

function skipSpace(body: Buffer, at: number): number {
  while (at < body.length) {
    const byte = body[at]!;
    if (byte !== 32 && byte !== LF && byte !== 13 && byte !== 9) break;
    at++;
  }
  return at;
}

/** Offset after the value that starts at `at`. */
function skipValue(body: Buffer, at: number): number {
  let depth = 0;
  for (;;) {
    const byte = at < body.length ? body[at]! : 0;
    if (byte === QUOTE) {
      at = skipString(body, at);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      // the outermost object counts too
      if (depth + 2 > MAX_DEPTH) throw new JsonSyntaxError(`Nested deeper than ${MAX_DEPTH}`, at);
      const closer = byte + 2;
      closers[++depth] = closer;
      at = skipSpace(body, at + 1);
      if (body[at] !== closer) {
        if (closer === CLOSE_BRACE) at = skipKey(body, at);
        continue;
      }
    } else {
      at = skipScalar(body, at, byte);
      if (depth === 0) return at;
    }
    for (;;) {
      if (depth === 0) return at;
      at = skipSpace(body, at);
      const next = body[at];
      if (next === COMMA) {
        at = skipSpace(body, at + 1);
        if (closers[depth] === CLOSE_BRACE) at = skipKey(body, at);
        break;
      }
      if (next !== closers[depth]) {
        throw unexpected(body, at, closers[depth] === CLOSE_BRACE ? "',' or '}'" : "',' or ']'");
      }
      depth--;
      at++;
    }
  }
}

/** Offset of the value that belongs to the key at `at`. */
function skipKey(body: Buffer, at: number): number {
  if (body[at] !== QUOTE) throw unexpected(body, at, "a key in double quotes");
  at = skipSpace(body, skipString(body, at));
  if (body[at] !== COLON) throw unexpected(body, at, "':'");
  return skipSpace(body, at + 1);
}

/** Offset after the closing quote of the string that opens at `at`. */
function skipString(body: Buffer, at: number): number {
  const { length } = body;
  at++;
  for (;;) {
    while (at < length && PLAIN[body[at]!] === 1) at++;
    if (at >= length) throw new JsonSyntaxError("A string is not closed", at);
    const byte = body[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte !== BACKSLASH) {
      throw new JsonSyntaxError("A control character in a string must be escaped", at);
    }
    const escape = body[at + 1] ?? 0;
    if (ESCAPABLE[escape] === 1) {
      at += 2;
    } else if (escape === LOWER_U) {
      for (let digit = at + 2; digit < at + 6; digit++) {
        if (digit >= length || HEX[body[digit]!] !== 1) {
          throw new JsonSyntaxError("\\u needs four hexadecimal digits", at);
        }
      }
      at += 6;
    } else {
      throw new JsonSyntaxError("Unknown escape in a string", at);
    }
  }
}

function skipScalar(body: Buffer, at: number, byte: number): number {
  if (byte === MINUS || (byte >= ZERO && byte <= NINE)) return skipNumber(body, at);
  if (byte === LOWER_T) return skipWord(body, at, "true");
  if (byte === LOWER_F) return skipWord(body, at, "false");
  if (byte === LOWER_N) return skipWord(body, at, "null");
  throw unexpected(body, at, "a value");
}

function skipWord(body: Buffer, at: number, word: string): number {
  for (let i = 1; i < word.length; i++) {
    if (body[at + i] !== word.charCodeAt(i)) throw unexpected(body, at + i, `'${word}'`);
  }
  return at + word.length;
}

function skipNumber(body: Buffer, at: number): number {
  if (body[at] === MINUS) at++;
  at = body[at] === ZERO ? at + 1 : skipDigits(body, at);
  if (body[at] === DOT) at = skipDigits(body, at + 1);
  if (body[at] === LOWER_E || body[at] === UPPER_E) {
    at++;
    if (body[at] === PLUS || body[at] === MINUS) at++;
    at = skipDigits(body, at);
  }
  return at;
}

/** Offset after one or more digits. */
function skipDigits(body: Buffer, at: number): number {
  const start = at;
  while (at < body.length && body[at]! >= ZERO && body[at]! <= NINE) at++;
  if (at === start) throw unexpected(body, at, "a digit");
  return at;
}

function unexpected(body: Buffer, at: number, expected: string): JsonSyntaxError {
  if (at >= body.length) return new JsonSyntaxError(`Ends where ${expected} should follow`, at);
  const point = String.fromCodePoint(body.toString("utf8", at, at + 4).codePointAt(0) ?? 0xfffd);
  return new JsonSyntaxError(`Unexpected ${JSON.stringify(point)}, expected ${expected}`, at);
}

/** Offset of the first byte that is not UTF-8: the longest valid prefix, found by halving. */
function invalidUtf8At(body: Buffer): number {
  let valid = 0;
  let invalid = body.length;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    if (prefixIsUtf8(body, middle)) valid = middle;
    else invalid = middle;
  }
  return valid;
}

/** True if `body[0, end)` is UTF-8, the last character perhaps cut. */
function prefixIsUtf8(body: Buffer, end: number): boolean {
  for (let cut = 0; cut <= 3 && cut <= end; cut++) {
    if (isUtf8(body.subarray(0, end - cut))) return true;
    // only continuation bytes and one lead byte can belong to a cut character
  }
  return false;
}
