/**
 * JSON.parse that one client cannot spoil for another.
 *
 * V8 (from 12.8 up to at least 14.6) guesses the next key of an object from objects that it saw before. Where a
 * key is written with an escape, it compares the guess with the key's source instead of its meaning: once
 * {"m":1,"\\":1} was parsed anywhere in the thread, {"m":1,"\u0061":1} comes out with the key "\" instead of "a"
 * (nodejs/node#63785). In a gateway one client could so change what others say. So a text with escaped keys
 * is never handed to JSON.parse as it is.
 */
import type { ExactJson, ExactObject, JsonValue } from "./json.ts";
import { MAX_DEPTH } from "./json-scan-plain.ts";

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/**
 * Parses any JSON.
 * @throws SyntaxError as JSON.parse does, and for escaped keys in a text that nests deeper than MAX_DEPTH
 */
export function parseJson(text: string): JsonValue {
  return hasEscapedKey(text) ? parseWithEscapedKeys(text) : (JSON.parse(text) as JsonValue);
}

/**
 * `parseJson` for a text that is known to have escaped keys: several times slower than JSON.parse.
 * @throws SyntaxError as `parseJson`
 */
export function parseWithEscapedKeys(text: string): JsonValue {
  // refuses what is malformed; what it returns may have wrong keys
  JSON.parse(text);
  return new ValidTextReader(text, parsedLeaf).value(1) as JsonValue;
}

/** At least so many digits has an integer that a number cannot hold. */
const LONG_NUMBER = /\d{16}/;

/**
 * `parseJson`, but integers that a number cannot hold are bigints: an id of 64 bits comes out as it went in.
 * @throws SyntaxError as `parseJson`, and for long numbers in a text that nests deeper than MAX_DEPTH
 */
export function parseExactJson(text: string): ExactJson {
  if (!LONG_NUMBER.test(text)) {
    return parseJson(text);
  }
  JSON.parse(text);
  return new ValidTextReader(text, exactLeaf).value(1);
}

/** What `parseExactJson` returns, as JSON. */
export function stringifyExactJson(value: ExactJson): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "bigint" ? rawJSON(member.toString()) : member,
  );
}

// ECMAScript has it since 2025; TypeScript's libraries do not yet
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };

/** Without keys, JSON.parse has nothing to guess. */
function parsedLeaf(text: string): ExactJson {
  return JSON.parse(text) as JsonValue;
}

function exactLeaf(text: string): ExactJson {
  const value = JSON.parse(text) as JsonValue;
  const isLost = typeof value === "number" && !Number.isSafeInteger(value);
  return isLost && /^-?\d+$/.test(text) ? BigInt(text) : value;
}

/**
 * JSON has backslashes only inside strings, so only strings that hold one are looked at. In a malformed text
 * the answer may be wrong; JSON.parse will refuse that text either way.
 */
function hasEscapedKey(text: string): boolean {
  let escape = text.indexOf("\\");
  while (escape !== -1) {
    const end = stringEnd(text, escape);
    if (text.charCodeAt(skipSpace(text, end)) === COLON) return true;
    escape = text.indexOf("\\", end);
  }
  return false;
}

/** Offset after the quote that closes the string that `at` lies in, `at` not being right after a backslash. */
function stringEnd(text: string, at: number): number {
  let quote = text.indexOf('"', at);
  while (quote !== -1) {
    let escapes = quote;
    while (escapes > at && text.charCodeAt(escapes - 1) === BACKSLASH) escapes--;
    // an odd number of backslashes escapes the quote
    if ((quote - escapes) % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

function skipSpace(text: string, at: number): number {
  while (isSpace(text.charCodeAt(at))) at++;
  return at;
}

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}

/** Reads a text that is known to be valid, so it only has to tell kinds of values apart. */
class ValidTextReader {
  readonly #text: string;
  readonly #parseLeaf: (text: string) => ExactJson;
  #at = 0;

  constructor(text: string, parseLeaf: (text: string) => ExactJson) {
    this.#text = text;
    this.#parseLeaf = parseLeaf;
  }

  value(depth: number): ExactJson {
    switch (this.#next()) {
      case OPEN_BRACE:
        return this.#object(depth);
      case OPEN_BRACKET:
        return this.#array(depth);
      case QUOTE:
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  /** The code of the next character that is not white space. */
  #next(): number {
    this.#at = skipSpace(this.#text, this.#at);
    return this.#text.charCodeAt(this.#at);
  }

  /** Steps over the next character; false if that was `closer`. */
  #more(closer: number): boolean {
    const code = this.#next();
    this.#at++;
    return code !== closer;
  }

  #object(depth: number): ExactObject {
    checkDepth(depth);
    const object: ExactObject = {};
    this.#at++;
    if (this.#next() === CLOSE_BRACE) {
      this.#at++;
      return object;
    }
    do {
      this.#next();
      const key = this.#string();
      this.#more(COLON);
      const value = this.value(depth + 1);
      if (key === "__proto__") {
        const options = { enumerable: true, configurable: true, writable: true };
        Object.defineProperty(object, key, { value, ...options });
      } else {
        object[key] = value;
      }
    } while (this.#more(CLOSE_BRACE));
    return object;
  }

  #array(depth: number): ExactJson[] {
    checkDepth(depth);
    const array: ExactJson[] = [];
    this.#at++;
    if (this.#next() === CLOSE_BRACKET) {
      this.#at++;
      return array;
    }
    do array.push(this.value(depth + 1));
    while (this.#more(CLOSE_BRACKET));
    return array;
  }

  #string(): string {
    return this.#leaf(stringEnd(this.#text, this.#at + 1)) as string;
  }

  #scalar(): ExactJson {
    let end = this.#at;
    while (end < this.#text.length && !endsScalar(this.#text.charCodeAt(end))) end++;
    return this.#leaf(end);
  }

  #leaf(end: number): ExactJson {
    const value = this.#parseLeaf(this.#text.slice(this.#at, end));
    this.#at = end;
    return value;
  }
}

function endsScalar(code: number): boolean {
  return code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET || isSpace(code);
}

function checkDepth(depth: number): void {
  if (depth > MAX_DEPTH) throw new SyntaxError(`JSON nests deeper than ${MAX_DEPTH}`);
}
