/**
 * Token counts, both ways. Vendors put what the protocol has no field for in fields of their own: DeepSeek its
 * cache hits, Moonshot `cached_tokens`, aggregators what Anthropic's cache took in.
 */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { Usage } from "../form.ts";
import { isObject } from "./fields.ts";
import { parseJson } from "../../lib/json-parse.ts";

/** Reads a `usage` object; undefined if it counts nothing. */
export function decodeUsage(value: JsonValue | undefined): Usage | undefined {
  if (!isObject(value)) return undefined;
  const prompt = count(value["prompt_tokens"]) ?? count(value["input_tokens"]);
  const completion = count(value["completion_tokens"]) ?? count(value["output_tokens"]);
  if (prompt === undefined && completion === undefined) return undefined;
  const promptDetails = detailsOf(value["prompt_tokens_details"]);
  const completionDetails = detailsOf(value["completion_tokens_details"]);
  const reasoningTokens = count(completionDetails["reasoning_tokens"]) ?? count(value["reasoning_tokens"]) ?? 0;
  const total = count(value["total_tokens"]);
  const heard = count(promptDetails["audio_tokens"]) ?? 0;
  const spoken = count(completionDetails["audio_tokens"]) ?? 0;
  // xAI counts reasoning beside the completion, and only the total shows it
  const apart = total !== undefined && total === (prompt ?? 0) + (completion ?? 0) + reasoningTokens;
  return {
    promptTokens: prompt ?? 0,
    cachedTokens:
      count(promptDetails["cached_tokens"]) ??
      count(value["cached_tokens"]) ??
      count(value["prompt_cache_hit_tokens"]) ??
      count(value["cache_read_input_tokens"]) ??
      0,
    cacheWriteTokens:
      count(promptDetails["cache_write_tokens"]) ??
      count(promptDetails["cache_creation_tokens"]) ??
      count(value["cache_creation_input_tokens"]) ??
      0,
    ...(heard > 0 && { audioPromptTokens: heard }),
    completionTokens: (completion ?? 0) + (apart ? reasoningTokens : 0),
    reasoningTokens,
    ...(spoken > 0 && { audioCompletionTokens: spoken }),
    extra: { dialect: "openai", fields: value },
  };
}

const NONE: JsonObject = {};

function detailsOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : NONE;
}

function count(value: JsonValue | undefined): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** Writes a `usage` object; one that came in this dialect as its vendor wrote it. */
export function encodeUsage(usage: Usage): JsonObject {
  if (usage.extra?.dialect === "openai") return usage.extra.fields;
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens, cache_write_tokens: usage.cacheWriteTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}

const KEY = Buffer.from('"usage"');
const QUOTE = 34;
const COLON = 58;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
/** No vendor's `usage` is longer. */
const MAX_USAGE_BYTES = 16_384;

/**
 * Reads the usage of a whole answer and parses nothing else: the last member of the name `usage` whose value is
 * an object of counts. In a string that name could only stand with its quotes escaped.
 */
export function readUsage(body: Buffer): Usage | undefined {
  for (let at = body.lastIndexOf(KEY); at !== -1; at = at === 0 ? -1 : body.lastIndexOf(KEY, at - 1)) {
    if (body[at - 1] === BACKSLASH) continue;
    let start = skipSpace(body, at + KEY.length);
    if (body[start] !== COLON) continue;
    start = skipSpace(body, start + 1);
    const usage = decodeUsage(objectAt(body, start));
    if (usage !== undefined) return usage;
  }
  return undefined;
}

function skipSpace(body: Buffer, at: number): number {
  while (body[at] === 32 || body[at] === 9 || body[at] === 10 || body[at] === 13) at++;
  return at;
}

/** The object that starts at `start`, parsed; undefined if there is none. */
function objectAt(body: Buffer, start: number): JsonValue | undefined {
  if (body[start] !== OPEN_BRACE) return undefined;
  const limit = Math.min(body.length, start + MAX_USAGE_BYTES);
  let depth = 0;
  let inString = false;
  for (let at = start; at < limit; at++) {
    const byte = body[at];
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) {
      inString = true;
    } else if (byte === OPEN_BRACE) {
      depth++;
    } else if (byte === CLOSE_BRACE && --depth === 0) {
      return parse(body.toString("utf8", start, at + 1));
    }
  }
  return undefined;
}

function parse(text: string): JsonValue | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
