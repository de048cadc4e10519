import assert from "node:assert/strict";
import { test } from "node:test";
import { mostWithin, overshoot, utilisation } from "./exactness.ts";

/** So many at once. */
const burst = (count: number, at: number): number[] => Array.from({ length: count }, () => at);
/** One each so many milliseconds. */
const steady = (count: number, from: number, stepMs: number): number[] =>
  Array.from({ length: count }, (_, index) => from + index * stepMs);

test("utilisation counts what came between two moments, the second not included", () => {
  assert.equal(utilisation(steady(20, 0, 10), 50, 150, 0.1), 1);
  assert.equal(utilisation(steady(20, 0, 20), 100, 300, 0.1), 0.5);
});

test("a fixed window admits twice its size around its edge, and that is found wherever it lies", () => {
  const times = [...burst(100, 990), ...burst(100, 1_005)];
  assert.equal(mostWithin(times, 1_000), 200);
  assert.equal(mostWithin(times, 15), 100);
  assert.equal(overshoot(times, 100, 0.1), 98);
});

test("a full bucket and then its refill is no overshoot, one request more is", () => {
  const exact = [...burst(100, 0), ...steady(50, 10, 10)];
  assert.equal(overshoot(exact, 100, 0.1), 0);
  assert.equal(overshoot([...exact, 200], 100, 0.1), 1);
  assert.equal(overshoot([], 100, 0.1), 0);
});
