/** Finds the usage of a whole answer without parsing the rest of it. */
import type { Usage } from "../form.ts";
import { isObject } from "./fields.ts";
import { decodeUsage } from "./usage.ts";
import { parseJson } from "../../lib/json-parse.ts";

const KEY = Buffer.from('"usage"');
const QUOTE = 34;
const COLON = 58;
const OPEN_BRACE = 123;
const BACKSLASH = 92;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;

/** What lies behind the usage is walked byte by byte; beyond this, parsing everything is faster. */
const MAX_TAIL_BYTES = 16_384;

/**
 * Usage of a message; a count of tokens (POST /messages/count_tokens) is none. Anthropic writes it near the end: the last
 * `"usage"` is taken if what follows shows that it is a member of the outermost object. (Inside a string its
 * quotes would be escaped.) Else all is parsed.
 */
export function readUsage(body: Buffer): Usage | undefined {
  const at = body.lastIndexOf(KEY);
  if (at === -1) return undefined;
  return usageOf(memberAt(body, at + KEY.length)) ?? usageOf(member(parse(body, 0, body.length), "usage"));
}

function usageOf(value: unknown): Usage | undefined {
  if (!isObject(value)) return undefined;
  return typeof value["input_tokens"] === "number" || typeof value["output_tokens"] === "number"
    ? decodeUsage(value)
    : undefined;
}

function parse(body: Buffer, start: number, end: number): unknown {
  try {
    return parseJson(body.toString("utf8", start, end));
  } catch {
    return undefined;
  }
}

function member(value: unknown, key: string): unknown {
  return isObject(value) ? value[key] : undefined;
}

/** The object behind a key that ends at `at`, if it is a member of the outermost object. */
function memberAt(body: Buffer, at: number): unknown {
  let start = at;
  while (body[start] === 32 || body[start] === COLON) start++;
  if (body[start] !== OPEN_BRACE || body.length - start > MAX_TAIL_BYTES) return undefined;
  const end = closeOf(body, start + 1, 1, 0);
  if (end === -1) return undefined;
  // one closing brace must remain, the outermost
  const last = closeOf(body, end, 1, 0);
  if (last === -1 || body.subarray(last).some((byte) => byte > 32)) return undefined;
  return parse(body, start, end);
}

/** Offset after the bracket that brings the nesting from `depth` to `target`; -1 if there is none. */
function closeOf(body: Buffer, at: number, depth: number, target: number): number {
  for (; at < body.length; at++) {
    const byte = body[at];
    if (byte === QUOTE) {
      at++;
      while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (--depth === target) return at + 1;
    }
  }
  return -1;
}
