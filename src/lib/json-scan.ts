/**
 * A strict scanner of a JSON object in bytes (RFC 8259). It accepts what `JSON.parse` accepts and builds
 * nothing: it finds where chosen top-level members lie, so that a body can be forwarded as it came.
 * The one difference to `JSON.parse`, which knows no limit: nesting deeper than MAX_DEPTH is refused.
 */
import { isUtf8 } from "node:buffer";
import { JsonSyntaxError, scanPlainly } from "./json-scan-plain.ts";
import type { ObjectShape } from "./json-scan-plain.ts";
import { scanWithSimd } from "./json-scan-simd.ts";

const LF = 10;
const BACKSLASH = 92;

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
  /** Wanted keys that occur more than once, escapes or not. */
  readonly duplicates: readonly string[];
  /** Offset of the closing brace. */
  readonly closingBrace: number;
  /** The object has no members at all. */
  readonly empty: boolean;
  /** A key, at any depth, is written with an escape; see json-parse.ts for why that matters. */
  readonly hasEscapedKey: boolean;
}

/**
 * Scans all of `body`, which must be one JSON object in UTF-8 without a byte order mark.
 * @throws JsonSyntaxError if it is not
 */
export function scanObject(body: Buffer, wanted: readonly string[]): ObjectScan {
  if (!isUtf8(body)) throw new JsonSyntaxError("Not valid UTF-8", invalidUtf8At(body));
  return select(body, scanWithSimd(body) ?? scanPlainly(body), wanted);
}

/** Picks the wanted members out of all. */
function select(body: Buffer, shape: ObjectShape, wanted: readonly string[]): ObjectScan {
  const found = new Map<string, MemberSpan>();
  const duplicates: string[] = [];
  const { count, members, closingBrace, hasEscapedKey } = shape;
  for (let at = 0; at < 4 * count; at += 4) {
    const keyStart = members[at]!;
    const key = wantedKey(body, keyStart, members[at + 1]!, wanted);
    if (key === undefined) continue;
    if (found.has(key) && !duplicates.includes(key)) duplicates.push(key);
    found.set(key, { keyStart, valueStart: members[at + 2]!, valueEnd: members[at + 3]! });
  }
  return { members: found, duplicates, closingBrace, empty: count === 0, hasEscapedKey };
}

/** The one of `wanted` that the key at `[start, end)`, quotes included, spells. */
function wantedKey(body: Buffer, start: number, end: number, wanted: readonly string[]): string | undefined {
  const length = end - start - 2;
  for (let at = start + 1; at < end - 1; at++) {
    const byte = body[at]!;
    if (byte >= 0x80 || byte === BACKSLASH) {
      const key: unknown = JSON.parse(body.toString("utf8", start, end));
      return wanted.find((candidate) => candidate === key);
    }
  }
  for (const candidate of wanted) {
    if (candidate.length !== length) continue;
    let same = 0;
    while (same < length && body[start + 1 + same] === candidate.charCodeAt(same)) same++;
    if (same === length) return candidate;
  }
  return undefined;
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

/** Offset of the first byte that does not belong to a valid character, found by halving. */
function invalidUtf8At(body: Buffer): number {
  let valid = 0;
  let invalid = body.length;
  while (valid < invalid) {
    const middle = (valid + invalid + 1) >>> 1;
    const characters = wholeCharacters(body, middle);
    if (characters === -1) invalid = middle - 1;
    else valid = middle;
  }
  return wholeCharacters(body, valid);
}

/** Length of `body[0, end)` without a character that `end` cuts; -1 if there is another fault in it. */
function wholeCharacters(body: Buffer, end: number): number {
  for (let length = end; length >= Math.max(0, end - 3); length--) {
    if (isUtf8(body.subarray(0, length))) return length;
  }
  return -1;
}
