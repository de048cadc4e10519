import assert from "node:assert/strict";
import { test } from "node:test";
import { NameTable } from "../lib/name-table.ts";
import { renderFamily } from "../observability/prometheus.ts";
import { KIND, type Subject, bucketKey } from "../quotas/bucket.ts";
import { createBucketMemory, DOUBLE } from "../quotas/bucket-layout.ts";
import { BucketTable } from "../quotas/bucket-table.ts";
import { MonthClock } from "../quotas/months.ts";
import { quotaMetrics } from "./quota-metrics.ts";

const month = MonthClock.of("UTC").at(Date.now()).month;
const nextMonth = MonthClock.of("UTC").at(MonthClock.of("UTC").at(Date.now()).endsAt).month;

function start(maxSeries?: number) {
  const table = new BucketTable(createBucketMemory(64), 1);
  const names = new NameTable();
  let failing = false;
  const source = quotaMetrics(table, names, () => failing, maxSeries);
  return {
    table,
    fail: () => {
      failing = true;
    },
    lines: (): string[] =>
      source()
        .map(renderFamily)
        .join("")
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#")),
    fill: (type: Subject["type"], name: string, kind: number, period: number, limit: number, used: number): void => {
      const subject: Subject = { type, first: names.id(name), second: 0, third: 0 };
      const slot = table.findOrCreate(bucketKey(subject, kind, period), 0);
      table.setDouble(slot, DOUBLE.limit, limit);
      table.setDouble(slot, DOUBLE.capacity, limit);
      table.setDouble(slot, DOUBLE.used, used);
      table.setDouble(slot, DOUBLE.reserved, kind === KIND.concurrency ? 3 : 0);
    },
  };
}

test("limits of consumers, models and credentials, money in dollars; keys and grants are too many", () => {
  const { table, fill, lines, fail } = start();
  fill("consumer", 'a"b', KIND.monthlyUsd, month, 3e9, 1.5e9);
  fill("model", "index", KIND.concurrency, 0, 10, 0);
  fill("key", "k", KIND.requests, 0, 10, 5);
  fill("grant", "g", KIND.requests, 0, 10, 5);
  fail();
  assert.deepEqual(lines(), [
    'sluice_quota_limit{type="consumer",subject="consumer:a\\"b",kind="monthlyUsd"} 3',
    'sluice_quota_limit{type="model",subject="model:index",kind="concurrency"} 10',
    'sluice_quota_used{type="consumer",subject="consumer:a\\"b",kind="monthlyUsd"} 1.5',
    'sluice_quota_used{type="model",subject="model:index",kind="concurrency"} 0',
    'sluice_quota_reserved{type="consumer",subject="consumer:a\\"b",kind="monthlyUsd"} 0',
    'sluice_quota_reserved{type="model",subject="model:index",kind="concurrency"} 3',
    "sluice_quota_series_left_out 0",
    `sluice_quota_buckets ${table.size}`,
    "sluice_quota_buckets_in_use 4",
    "sluice_quota_store_failing 1",
  ]);
});

test("no more series than allowed: those nearest to their end, and a count of the others", () => {
  const { fill, lines } = start(3);
  for (let index = 0; index < 40; index++)
    fill("consumer", `c${index}`, KIND.monthlyTokens, month, 1_000, (index * 7) % 40);
  const shown = lines().filter((line) => line.startsWith("sluice_quota_used"));
  assert.deepEqual(
    shown.map((line) => Number(line.split(" ").at(-1))),
    [39, 38, 37],
  );
  assert.ok(lines().includes("sluice_quota_series_left_out 37"));
});

test("of two months of one subject the newer counts, and those that are over do not", () => {
  const { fill, lines } = start();
  fill("consumer", "a", KIND.monthlyTokens, month, 100, 90);
  fill("consumer", "a", KIND.monthlyTokens, nextMonth, 100, 1);
  fill("consumer", "a", KIND.monthlyTokens, 202_001, 100, 99);
  fill("consumer", "b", KIND.monthlyTokens, 202_001, 100, 99);
  assert.deepEqual(
    lines().filter((line) => line.startsWith("sluice_quota_used")),
    ['sluice_quota_used{type="consumer",subject="consumer:a",kind="monthlyTokens"} 1'],
  );
});
