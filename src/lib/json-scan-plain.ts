/**
 * The JSON scanner in plain TypeScript: byte by byte, and exact about where an error lies. It is the twin of
 * json-scan.wat, which is several times as fast and knows only yes and no; it serves where that one said no
 * and where there is no WebAssembly SIMD.
 */

/** How deep arrays and objects may nest, the outermost one included. */
export const MAX_DEPTH = 1000;

/** The shape of a JSON object: where its top-level members lie. Offsets in bytes, ends exclusive. */
export interface ObjectShape {
  readonly count: number;
  /** Four numbers a member: key start, key end (both with the quotes), value start, value end. */
  readonly members: ArrayLike<number>;
  readonly closingBrace: number;
  /** A key, at any depth, is written with an escape; see json-parse.ts for why that matters. */
  readonly hasEscapedKey: boolean;
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
const HEX = Uint8Array.from({ length: 256 }, (_, byte) => (/[0-9a-fA-F]/.test(String.fromCharCode(byte)) ? 1 : 0));
/** What closes each open array or object. The scanner is synchronous, so one stack serves all scans. */
const closers = new Uint8Array(MAX_DEPTH + 1);
let hasEscapedKey = false;

/**
 * Scans all of `body`, which must be valid UTF-8.
 * @throws JsonSyntaxError if it is not one JSON object
 */
export function scanPlainly(body: Buffer): ObjectShape {
  const members: number[] = [];
  hasEscapedKey = false;
  let at = skipSpace(body, 0);
  if (body[at] !== OPEN_BRACE) {
    // what is not even JSON is reported as that
    if (at < body.length) skipValue(body, at);
    throw unexpected(body, at, "an object");
  }
  at = skipSpace(body, at + 1);
  if (body[at] !== CLOSE_BRACE) {
    for (;;) {
      const keyStart = at;
      const keyEnd = skipKey(body, at);
      const valueStart = skipColon(body, keyEnd);
      const valueEnd = skipValue(body, valueStart);
      members.push(keyStart, keyEnd, valueStart, valueEnd);
      at = skipSpace(body, valueEnd);
      if (body[at] === CLOSE_BRACE) break;
      if (body[at] !== COMMA) throw unexpected(body, at, "',' or '}'");
      at = skipSpace(body, at + 1);
    }
  }
  const closingBrace = at;
  at = skipSpace(body, at + 1);
  if (at < body.length) throw unexpected(body, at, "nothing after the object");
  return { count: members.length / 4, members, closingBrace, hasEscapedKey };
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
        if (closer === CLOSE_BRACE) at = skipColon(body, skipKey(body, at));
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
        if (closers[depth] === CLOSE_BRACE) at = skipColon(body, skipKey(body, at));
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

/** Offset after the key that opens at `at`. */
function skipKey(body: Buffer, at: number): number {
  if (body[at] !== QUOTE) throw unexpected(body, at, "a key in double quotes");
  const end = skipString(body, at);
  for (let inside = at; inside < end && !hasEscapedKey; inside++) {
    hasEscapedKey = body[inside] === BACKSLASH;
  }
  return end;
}

/** Offset of the value behind the colon. */
function skipColon(body: Buffer, at: number): number {
  at = skipSpace(body, at);
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
