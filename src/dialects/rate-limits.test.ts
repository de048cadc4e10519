import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DIALECTS } from "./builtin.ts";

const NOW = Date.parse("2026-11-25T12:00:00Z");

test("what OpenAI says is left, in all forms of its durations", () => {
  const read = (reset: string): number | undefined =>
    DIALECTS.openai.target.readRateLimits(
      { "x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": reset },
      NOW,
    )?.requests?.resetMs;
  assert.deepEqual(["17ms", "1s", "6m0s", "1h2m3.5s", "2", "soon"].map(read), [
    17,
    1_000,
    360_000,
    3_723_500,
    2_000,
    undefined,
  ]);
  const headers = { "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "6m0s" };
  assert.deepEqual(DIALECTS.openai.target.readRateLimits(headers, NOW), {
    requests: undefined,
    tokens: { amount: 149_984, resetMs: 360_000 },
  });
});

test("what Anthropic says is left, by its times", () => {
  const headers = {
    "anthropic-ratelimit-requests-remaining": "0",
    "anthropic-ratelimit-requests-reset": "2026-11-25T12:00:07Z",
    "anthropic-ratelimit-tokens-remaining": "1000",
    "anthropic-ratelimit-tokens-reset": "2020-01-01T00:00:00Z",
  };
  assert.deepEqual(DIALECTS.anthropic.target.readRateLimits(headers, NOW), {
    requests: { amount: 0, resetMs: 7_000 },
    tokens: { amount: 1_000, resetMs: 0 },
  });
});

test("nothing, and nothing that makes sense, is nothing", () => {
  for (const { target } of Object.values(DIALECTS)) {
    assert.equal(target.readRateLimits({ "content-type": "application/json" }, NOW), undefined);
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, reset) => {
        const headers = {
          "x-ratelimit-remaining-requests": left,
          "x-ratelimit-reset-requests": reset,
          "anthropic-ratelimit-tokens-remaining": left,
          "anthropic-ratelimit-tokens-reset": reset,
        };
        const limits = target.readRateLimits(headers, NOW);
        for (const remaining of [limits?.requests, limits?.tokens]) {
          if (remaining !== undefined) {
            assert.ok(Number.isSafeInteger(remaining.amount) && remaining.amount >= 0);
            assert.ok(remaining.resetMs === undefined || remaining.resetMs >= 0);
          }
        }
      }),
    );
  }
});
