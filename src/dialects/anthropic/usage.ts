/**
 * Usage both ways. Anthropic's `input_tokens` excludes what was read from or written to the cache; the form's
 * `promptTokens` includes both.
 */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { Usage } from "../form.ts";
import { isObject, putBack } from "./fields.ts";

/** Members that the form computes anew; explicit zeros and nulls are kept so that they can go back. */
const COUNTED = new Set(["input_tokens", "output_tokens"]);
const CACHE_COUNTS = new Set(["cache_read_input_tokens", "cache_creation_input_tokens"]);

/** Where nothing was reported: Anthropic's clients expect the member all the same. */
export const NO_USAGE: Usage = Object.freeze({
  promptTokens: 0,
  cachedTokens: 0,
  cacheWriteTokens: 0,
  completionTokens: 0,
  reasoningTokens: 0,
});

function countOf(value: JsonValue | undefined): number {
  return typeof value === "number" && value > 0 ? value : 0;
}

/** Reads a `usage` object; lenient: what is missing counts as zero. */
export function decodeUsage(raw: JsonObject): Usage {
  const cachedTokens = countOf(raw["cache_read_input_tokens"]);
  const cacheWriteTokens = countOf(raw["cache_creation_input_tokens"]);
  const details = raw["output_tokens_details"];
  const written = raw["cache_creation"];
  const hour = isObject(written) ? countOf(written["ephemeral_1h_input_tokens"]) : 0;
  const fields: JsonObject = {};
  for (const [key, value] of Object.entries(raw)) {
    if (COUNTED.has(key) || (CACHE_COUNTS.has(key) && countOf(value) > 0)) continue;
    fields[key] = value;
  }
  return {
    promptTokens: countOf(raw["input_tokens"]) + cachedTokens + cacheWriteTokens,
    cachedTokens,
    cacheWriteTokens,
    ...(hour > 0 && { cacheWriteHourTokens: hour }),
    completionTokens: countOf(raw["output_tokens"]),
    reasoningTokens: isObject(details) ? countOf(details["thinking_tokens"]) : 0,
    extra: { dialect: "anthropic", fields },
  };
}

/**
 * One raw usage out of that of `message_start` and a later one: counts are cumulative, so what is present
 * replaces (MessageDeltaUsage).
 */
export function mergeUsage(earlier: JsonObject | undefined, later: JsonObject): JsonObject {
  const merged: JsonObject = { ...earlier };
  for (const [key, value] of Object.entries(later)) {
    if (value !== null || merged[key] === undefined) merged[key] = value;
  }
  return merged;
}

/** Writes a `usage` object. */
export function encodeUsage(usage: Usage): JsonObject {
  const { promptTokens, cachedTokens, cacheWriteTokens, completionTokens, reasoningTokens, extra } = usage;
  const own = extra?.dialect === "anthropic";
  const encoded: JsonObject = { input_tokens: Math.max(0, promptTokens - cachedTokens - cacheWriteTokens) };
  // a vendor that does not cache says nothing of it; to clients of ours the counts are always there
  if (!own || cacheWriteTokens > 0) encoded["cache_creation_input_tokens"] = cacheWriteTokens;
  if (!own || cachedTokens > 0) encoded["cache_read_input_tokens"] = cachedTokens;
  encoded["output_tokens"] = completionTokens;
  if (reasoningTokens > 0) encoded["output_tokens_details"] = { thinking_tokens: reasoningTokens };
  return putBack(encoded, extra);
}
