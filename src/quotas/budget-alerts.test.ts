import assert from "node:assert/strict";
import { test } from "node:test";
import { budgetAlerts } from "./budget-alerts.ts";
import type { MonthRow } from "./machine-store.ts";

const row = (used: number): MonthRow => ({
  subject: "consumer:search",
  kind: "monthlyTokens",
  month: 202_611,
  used,
});

const percents = (used: number, before: number, limit = 1_000): number[] =>
  budgetAlerts(row(used), before, limit).map(({ percent }) => percent);

test("80 and 100 percent, once each, at the very token", () => {
  assert.deepEqual(percents(799, 0), []);
  assert.deepEqual(percents(800, 799), [80]);
  assert.deepEqual(percents(999, 800), []);
  assert.deepEqual(percents(1_000, 999), [100]);
  assert.deepEqual(percents(5_000, 1_000), []);
});

test("both at once, when one request passes both; the alert says what is used of what", () => {
  assert.deepEqual(budgetAlerts(row(1_500), 10, 1_000), [
    { ...row(1_500), percent: 80, limit: 1_000 },
    { ...row(1_500), percent: 100, limit: 1_000 },
  ]);
});

test("a raised limit has its own alerts; no limit and a limit of nothing have none", () => {
  assert.deepEqual(percents(900, 0), [80]);
  assert.deepEqual(percents(1_700, 900, 2_000), [80]);
  assert.deepEqual(percents(10, 0, 0), []);
  assert.deepEqual(percents(10, 0, Number.NaN), []);
});

test("a counter that goes back and forth over a part is told of by who knows the most that it was", () => {
  assert.deepEqual(percents(790, 810), []);
  assert.deepEqual(percents(820, 810), []);
});
