/**
 * What a Claude model accepts, by the generation in its name (platform.claude.com: "Thinking", "Effort",
 * "Mid-conversation system messages", "Models overview", "Migrating to Claude Opus 4.7").
 * It serves requests that come from another dialect, where Sluice chooses the words. What a client says in
 * Anthropic's own words is left for the vendor to judge.
 */

/** Levels of `output_config.effort`, in rising order. */
export type Effort = "low" | "medium" | "high" | "xhigh" | "max";

/** What one model accepts. */
export interface ModelTraits {
  /** Thinking takes a token budget; or the model decides for itself (`adaptive`) and an effort guides it. */
  readonly thinking: "budget" | "adaptive";
  /** The model thinks unless told not to. */
  readonly thinksByDefault: boolean;
  readonly efforts: readonly Effort[];
  /** Takes `temperature`, `top_p` and `top_k`. */
  readonly sampling: boolean;
  /** Takes `system` messages after a user's turn. */
  readonly systemTurns: boolean;
  /** `max_tokens` where the client set no limit: what the whole generation can give, at most 32,000. */
  readonly defaultMaxTokens: number;
}

/** A model of another vendor behind Anthropic's protocol: they follow the protocol of Claude 4. */
const FOREIGN: ModelTraits = {
  thinking: "budget",
  thinksByDefault: false,
  efforts: [],
  sampling: true,
  systemTurns: false,
  defaultMaxTokens: 8192,
};
/** A Claude whose name tells no version: a current one, as far as that is safe to assume. */
const UNVERSIONED: ModelTraits = {
  thinking: "adaptive",
  thinksByDefault: true,
  efforts: ["low", "medium", "high", "max"],
  sampling: true,
  systemTurns: false,
  defaultMaxTokens: 32_000,
};

// claude-opus-4-8, claude-sonnet-4-5-20250929, claude-3-5-haiku-20241022, us.anthropic.claude-opus-4-20250514-v1:0
const VERSION = /claude-(?:([a-z]+)-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?/;

/** Traits of the model that a provider calls `model`. */
export function traitsOf(model: string): ModelTraits {
  const name = model.toLowerCase();
  if (!name.includes("claude")) return FOREIGN;
  const match = VERSION.exec(name);
  if (match === null) return UNVERSIONED;
  const family = match[1] ?? "";
  const version = Number(match[2]) * 100 + Number(match[3] ?? 0);
  return {
    thinking: version >= 406 ? "adaptive" : "budget",
    thinksByDefault: version >= 500,
    efforts: version >= 407 ? ["low", "medium", "high", "xhigh", "max"] : UNVERSIONED.efforts,
    sampling: version < 407,
    // the first Sonnet 5 does not take them yet
    systemTurns: version >= 408 && !(family === "sonnet" && version === 500),
    defaultMaxTokens: version >= 307 ? 32_000 : version >= 305 ? 8192 : 4096,
  };
}
