import assert from "node:assert/strict";
import { test } from "node:test";
import { BudgetAlerts } from "./budget-alerts.ts";
import type { MonthRow } from "./machine-store.ts";

const row = (used: number, more: Partial<MonthRow> = {}): MonthRow => ({
  subject: "consumer:search",
  kind: "monthlyTokens",
  month: 202_611,
  used,
  ...more,
});

const percents = (alerts: BudgetAlerts, used: number, stored: number, limit = 1_000): number[] =>
  alerts.passed(row(used), stored, limit).map(({ percent }) => percent);

test("80 and 100 percent, once each, at the very token", () => {
  const alerts = new BudgetAlerts();
  assert.deepEqual(percents(alerts, 799, 0), []);
  assert.deepEqual(percents(alerts, 800, 799), [80]);
  alerts.stored();
  assert.deepEqual(percents(alerts, 999, 800), []);
  assert.deepEqual(percents(alerts, 1_000, 999), [100]);
  alerts.stored();
  assert.deepEqual(percents(alerts, 5_000, 1_000), []);
});

test("both at once, when one request passes both; the alert says what is used of what", () => {
  const alerts = new BudgetAlerts().passed(row(1_500), 10, 1_000);
  assert.deepEqual(alerts, [
    { ...row(1_500), percent: 80, limit: 1_000 },
    { ...row(1_500), percent: 100, limit: 1_000 },
  ]);
});

test("what was told before a restart is not told again: the store knows it", () => {
  assert.deepEqual(percents(new BudgetAlerts(), 900, 850), []);
  assert.deepEqual(percents(new BudgetAlerts(), 1_001, 850), [100]);
});

test("while the store fails nothing is told twice, and nothing is kept untold", () => {
  const alerts = new BudgetAlerts();
  assert.deepEqual(percents(alerts, 850, 0), [80]);
  assert.deepEqual(percents(alerts, 900, 0), []);
  assert.deepEqual(percents(alerts, 1_000, 0), [100]);
  assert.deepEqual(percents(alerts, 1_001, 0), []);
  assert.equal(alerts.passed(row(850, { month: 202_612 }), 0, 1_000).length, 1, "another month");
  assert.equal(alerts.passed(row(850, { subject: "key:search/prod" }), 0, 1_000).length, 1, "another subject");
});

test("a raised limit has its own alerts; no limit and a limit of nothing have none", () => {
  const alerts = new BudgetAlerts();
  assert.deepEqual(percents(alerts, 900, 0), [80]);
  alerts.stored();
  assert.deepEqual(percents(alerts, 1_700, 900, 2_000), [80]);
  assert.deepEqual(percents(alerts, 10, 0, 0), []);
  assert.deepEqual(percents(alerts, 10, 0, Number.NaN), []);
});
