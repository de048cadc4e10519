/**
 * Rough token counts without a tokenizer, for targets that cannot count. A linear model over kinds of
 * characters: it is within some ten per cent of the usual tokenizers on prose and code, not exact anywhere.
 */
import type { JsonValue } from "./json.ts";

/** Estimated tokens of `text`. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/** Estimated tokens of all text in `value`: keys, strings, numbers and what holds them together. */
export function estimateTokensOfJson(value: JsonValue): number {
  return estimateTokens(JSON.stringify(value));
}
