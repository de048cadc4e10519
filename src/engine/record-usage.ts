/** Writes the tokens of a call into its usage entry: as reported, or estimated where the upstream did not say. */
import type { Usage } from "../dialects/form.ts";
import type { ModelCall } from "./model-call.ts";

/**
 * Records the tokens of a stream that has ended, however it did.
 * @param usage what the upstream reported
 * @param contentEvents content events seen: about one token each
 */
export function recordStreamUsage(
  call: ModelCall,
  usage: Usage | undefined,
  contentEvents: number,
  ending: "complete" | "partial",
): void {
  if (usage !== undefined && ending === "complete") {
    recordReportedUsage(call, usage);
    return;
  }
  call.exchange.entry.tokens(usageSoFar(call, usage, contentEvents), "estimated");
}

/** Records what the upstream reported at the end of its answer, and learns from it how the model counts. */
export function recordReportedUsage(call: ModelCall, usage: Usage): void {
  call.exchange.entry.tokens(usage, "reported");
  call.learnPromptTokens(usage.promptTokens);
}

/** What a stream that has not ended has used, as far as anybody knows. */
export function usageSoFar(call: ModelCall, usage: Usage | undefined, contentEvents: number): Usage {
  // a report from the beginning (Anthropic's message_start) knows the prompt but not the tokens that came after
  const known = usage ?? estimatedPrompt(call);
  return { ...known, completionTokens: Math.max(known.completionTokens, contentEvents) };
}

/** Records the prompt of a call whose answer never came: the upstream has read it. */
export function recordPromptEstimate(call: ModelCall): void {
  if (call.operation === "count_tokens") {
    return; // what is only counted is not used
  }
  call.exchange.entry.tokens(estimatedPrompt(call), "estimated");
}

/** Usage with nothing but an estimate of the prompt. */
export function estimatedPrompt({ promptTokens }: ModelCall): Usage {
  return {
    promptTokens,
    cachedTokens: 0,
    cacheWriteTokens: 0,
    completionTokens: 0,
    reasoningTokens: 0,
  };
}
