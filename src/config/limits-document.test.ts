import assert from "node:assert/strict";
import { test } from "node:test";
import { limitsDocument, readLimits } from "./limits-document.ts";

const DEFAULTS = { burstMs: 10_000, mode: "soft" } as const;

function problems(value: unknown): readonly string[] {
  const reading = readLimits(value, DEFAULTS);
  assert.equal(reading.isValid, false);
  return reading.isValid ? [] : reading.problems;
}

test("limits mean what they mean in the file, with its defaults, and are written as the file would have them", () => {
  const value = { rpm: 120, monthly: { tokens: 5, usd: 0.25 }, mode: "hard" };
  const reading = readLimits(value, DEFAULTS);
  const limits = { rpm: 120, monthlyTokens: 5, monthlyNanoUsd: 250_000_000, burstMs: 10_000, mode: "hard" };
  assert.deepEqual(reading, { isValid: true, limits });
  assert.deepEqual(reading.isValid && reading.limits && limitsDocument(reading.limits), { ...value, burst: "10s" });
  const odd = { tpm: 10, concurrency: 0, burst: "1500ms", mode: "soft" };
  const again = readLimits(odd, DEFAULTS);
  assert.deepEqual(again.isValid && again.limits && limitsDocument(again.limits), odd);
  const atOnce = readLimits({ concurrency: 1 }, DEFAULTS);
  assert.deepEqual(atOnce.isValid && atOnce.limits && limitsDocument(atOnce.limits), { concurrency: 1, mode: "soft" });
});

test("an empty map limits nothing", () => {
  assert.deepEqual(readLimits({}, DEFAULTS), { isValid: true, limits: undefined });
});

test("what is wrong is said of its key, with what to do", () => {
  assert.deepEqual(problems({ rpn: 1, tpm: -1 }), [
    "tpm: must be a whole number from 0 to 1000000000000.",
    'rpn: there is no such key. Did you mean "rpm"?',
  ]);
  assert.deepEqual(problems({ monthly: {} }), ["monthly: limits nothing. Add `tokens` or `usd`."]);
  assert.deepEqual(problems({ monthly: { usd: 1e-10 } }), [
    "monthly.usd: may have at most 9 decimals: less than a billionth of a dollar is not counted.",
  ]);
  assert.deepEqual(problems({ burst: "5s" }), [
    "limits nothing. Add `rpm`, `tpm`, `concurrency` or `monthly`; an empty map lifts all limits.",
  ]);
  assert.deepEqual(problems({ rpm: 1, burst: "2m" }), ["burst: must be from 1s to 60s."]);
  assert.deepEqual(problems([1]), ["must be a map, not a list."]);
  assert.deepEqual(problems({ daily: 1 }), ["daily: a limit of a day is not supported yet. Remove it."]);
  assert.deepEqual(problems({ rpm: "${RPM}" }), ["rpm: must be a whole number from 0 to 1000000000."]);
  assert.deepEqual(problems(JSON.parse('{ "__proto__": { "rpm": 1 } }')).length, 1);
});
