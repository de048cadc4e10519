import assert from "node:assert/strict";
import { test } from "node:test";
import { createTokenCorrectionMemory, TokenCorrection } from "../quotas/token-correction.ts";
import type { CompiledModel } from "./engine.ts";
import { correctedTokens } from "./prompt-tokens.ts";

const modelOf = (...upstreamModelIds: number[]): CompiledModel =>
  ({
    priorities: upstreamModelIds.map((upstreamModelId) => ({ endpoints: [{ target: { upstreamModelId } }] })),
  }) as unknown as CompiledModel;

test("an estimate is corrected by what is known of the model's first upstream model, each model by its own", () => {
  const correction = new TokenCorrection(createTokenCorrectionMemory());
  for (let count = 0; count < 100; count++) {
    correction.learn(5, 1_000, 2_000);
    correction.learn(6, 1_000, 500);
  }
  const ofText = (model: CompiledModel, tokens: number): number =>
    correctedTokens(correction, model, { tokens, mediaTokens: 0 });
  assert.equal(ofText(modelOf(5, 6), 101), 202);
  assert.equal(ofText(modelOf(6, 5), 101), 51);
  assert.equal(ofText(modelOf(7), 101), 101);
  assert.equal(ofText(modelOf(), 101), 101);
  assert.equal(ofText(modelOf(5), 0), 0);
  assert.equal(correctedTokens(correction, modelOf(5), { tokens: 1_101, mediaTokens: 1_000 }), 1_202);
});
