import type { Usage } from "../dialects/form.ts";
import { estimateTokensOfJson } from "../lib/token-estimate.ts";
import type { Attempt } from "./attempt.ts";
import { promptOnly } from "./whole-answer.ts";

/**
 * Records the tokens of a stream that has ended, however it did.
 * @param usage what the upstream reported
 * @param contentEvents content events seen: about one token each
 */
export function recordStreamUsage(
  attempt: Attempt,
  usage: Usage | undefined,
  contentEvents: number,
  ending: "complete" | "partial",
): void {
  const { exchange, scan } = attempt.call;
  if (usage !== undefined && ending === "complete") {
    exchange.entry.tokens(usage, "reported");
    return;
  }
  // a report from the beginning (Anthropic's message_start) knows the prompt but not the tokens that came after
  const known = usage ?? promptOnly(estimateTokensOfJson(scan.value()));
  exchange.entry.tokens({ ...known, completionTokens: Math.max(known.completionTokens, contentEvents) }, "estimated");
}
