import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyBudget } from "./body-budget.ts";

test("bodies have room up to the sum, what is given back can be taken again", () => {
  const budget = new BodyBudget(10);
  assert.deepEqual([budget.take(6, 0), budget.take(4, 0), budget.take(1, 0)], [true, true, false]);
  budget.giveBack(4);
  assert.deepEqual([budget.take(5, 0), budget.take(4, 0)], [false, true]);
  assert.equal(budget.usedBytes, 10);
});

test("a body that is alone has room whatever its size", () => {
  const budget = new BodyBudget(10);
  assert.deepEqual([budget.take(8, 0), budget.take(8, 8), budget.take(1, 0)], [true, true, false]);
});
