/** The tokens of a request's prompt before anybody has counted them: an estimate, corrected by what upstreams report. */
import type { PromptEstimate } from "../lib/token-estimate.ts";
import type { TokenCorrection } from "../quotas/token-correction.ts";
import type { CompiledModel } from "./engine.ts";

/**
 * What an estimate comes to when `model` serves. Its first endpoint's upstream model stands for all of them: which one
 * will serve is not known yet, and models behind one name usually count alike.
 * What was learned is about text: images and files count as estimated.
 */
export function correctedTokens(
  correction: TokenCorrection,
  model: CompiledModel,
  { tokens, mediaTokens }: PromptEstimate,
): number {
  const id = model.priorities[0]?.endpoints[0]?.target.upstreamModelId;
  return id === undefined ? tokens : mediaTokens + Math.ceil((tokens - mediaTokens) * correction.factor(id));
}
