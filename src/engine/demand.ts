/** What a request asks for, as far as quotas care: how long its prompt is, and how long its answer may become. */
import type { Operation } from "../dialects/contract.ts";
import type { BodyScan } from "../lib/json-body.ts";
import type { PromptEstimate } from "../lib/token-estimate.ts";
import type { CompiledModel } from "./engine.ts";
import type { QuotaPlan } from "./quota-plan.ts";

/** Members of a request that say how long its answer may become. */
export const OUTPUT_MEMBERS = ["max_tokens", "max_completion_tokens", "n"] as const;

/** What a soft limit expects of an answer before it has seen any of the kind. */
const DEFAULT_SOFT_OUTPUT_TOKENS = 1_024;
/** What a hard limit expects where neither the request nor the model says how long an answer may be. */
const DEFAULT_HARD_OUTPUT_TOKENS = 4_096;
const MAX_CHOICES = 1_024;
/** No answer has more, whatever a request allows; sums of what is reserved must stay exact. */
const MAX_ANSWER_TOKENS = 1_000_000_000;

/** One request's demand. */
export class Demand {
  /** The prompt, not yet corrected for the model that is to serve. */
  readonly prompt: PromptEstimate;
  /** Tokens that one answer may have, as the request says; undefined if it does not. */
  readonly #maxTokens: number | undefined;
  /** Answers that are asked for. */
  readonly #choices: number;
  readonly #answers: boolean;

  constructor(operation: Operation, scan: BodyScan, prompt: PromptEstimate) {
    this.prompt = prompt;
    this.#answers = operation === "chat" || operation === "completions";
    this.#maxTokens =
      count(scan, "max_completion_tokens", MAX_ANSWER_TOKENS) ?? count(scan, "max_tokens", MAX_ANSWER_TOKENS);
    this.#choices = Math.max(1, count(scan, "n", MAX_CHOICES) ?? 1);
  }

  /**
   * Output tokens to reserve. What a soft limit reserves always fits in, if the prompt does.
   * @param promptTokens as corrected for the model
   */
  outputTokens({ maxOutputTokens }: CompiledModel, plan: QuotaPlan | undefined, promptTokens: number): number {
    if (!this.#answers) {
      return 0;
    }
    const asked = Math.min(this.#maxTokens ?? Infinity, maxOutputTokens ?? Infinity);
    if (plan?.mode === "hard") {
      return (asked === Infinity ? DEFAULT_HARD_OUTPUT_TOKENS : asked) * this.#choices;
    }
    const usual = plan?.output.p90 ?? DEFAULT_SOFT_OUTPUT_TOKENS;
    const room = Math.max(0, (plan?.tokenCapacity ?? Infinity) - promptTokens);
    return Math.min(Math.min(asked, usual) * this.#choices, room);
  }
}

/** A whole number up to `most`, not negative; what is none is the client's mistake, which the provider will name. */
function count(scan: BodyScan, member: (typeof OUTPUT_MEMBERS)[number], most: number): number | undefined {
  const value = scan.get(member);
  return typeof value === "number" && value >= 0 ? Math.min(most, Math.ceil(value)) : undefined;
}
