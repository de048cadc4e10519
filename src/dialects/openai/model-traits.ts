/**
 * Which words OpenAI's own models take, by the generation in their name (platform.openai.com: "Reasoning models",
 * "Create chat completion"). It serves requests that come from another dialect, where Sluice chooses the words;
 * what a client says in this dialect's words is left for the vendor to judge.
 */

/** What one model accepts. */
export interface ModelTraits {
  /** OpenAI's reasoning models refuse `max_tokens`; many engines and older servers know nothing else. */
  readonly limitField: "max_tokens" | "max_completion_tokens";
  /** The `reasoning_effort` that makes the model think least; undefined if saying nothing is all one can do. */
  readonly leastEffort: "none" | "minimal" | undefined;
}

/** o1, o3-mini, gpt-5, gpt-5.1-codex, openai/gpt-6: not gpt-oss, not gpt-4o. */
const OPENAI_REASONING = /^(?:[a-z]+\/)?(?:o\d|gpt-(\d+)(?:\.(\d+))?)(?![\d.])/;

/** Traits of the model that a provider calls `model`; names that tell nothing count as an engine's. */
export function traitsOf(model: string): ModelTraits {
  const match = OPENAI_REASONING.exec(model.toLowerCase());
  const version = Number(match?.[1] ?? 0) * 100 + Number(match?.[2] ?? 0);
  if (match === null || (match[1] !== undefined && version < 500)) {
    return { limitField: "max_tokens", leastEffort: undefined };
  }
  return {
    limitField: "max_completion_tokens",
    leastEffort: version > 500 ? "none" : version === 500 ? "minimal" : undefined,
  };
}
