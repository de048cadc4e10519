import assert from "node:assert/strict";
import { test } from "node:test";
import { OutputEstimate } from "./output-estimate.ts";

test("nothing is known before ten answers", () => {
  const estimate = new OutputEstimate();
  for (let count = 0; count < 9; count++) estimate.learn(100);
  assert.equal(estimate.p90, undefined);
  estimate.learn(100);
  estimate.learn(100);
  assert.ok(estimate.p90! >= 100 && estimate.p90! <= 119);
});

test("nine in ten answers are no longer, whatever their lengths", () => {
  let seed = 7;
  const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  for (const length of [() => random() * 1_000, () => Math.exp(random() * 9), () => (random() < 0.5 ? 3 : 4_000)]) {
    const estimate = new OutputEstimate();
    const seen: number[] = [];
    for (let count = 0; count < 3_000; count++) {
      const tokens = Math.floor(length());
      estimate.learn(tokens);
      seen.push(tokens);
    }
    const exact = seen.toSorted((left, right) => left - right)[Math.floor(seen.length * 0.9)]!;
    assert.ok(estimate.p90! >= exact * 0.9 && estimate.p90! <= exact * 1.3, `${estimate.p90} for ${exact}`);
  }
});

test("it follows when answers become shorter, and takes hostile numbers", () => {
  const estimate = new OutputEstimate();
  for (let count = 0; count < 1_000; count++) estimate.learn(8_000);
  for (let count = 0; count < 5_000; count++) estimate.learn(50);
  assert.ok(estimate.p90! < 100);
  for (const hostile of [Number.NaN, -1, Infinity, 2 ** 53]) estimate.learn(hostile);
  assert.ok(estimate.p90! > 0);
});
