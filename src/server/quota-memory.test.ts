import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createUsageBuffer, usageSlotCount } from "../ledger/usage-layout.ts";
import { UsageReader } from "../ledger/usage-reader.ts";
import { Admission } from "../quotas/admission.ts";
import { KIND, bucketKey } from "../quotas/bucket.ts";
import { DOUBLE } from "../quotas/bucket-layout.ts";
import { BucketTable } from "../quotas/bucket-table.ts";
import { createReservationMemory, ReservationTable } from "../quotas/reservation-table.ts";
import { bucketOwner, QuotaMemory } from "./quota-memory.ts";

function worker(quotas: QuotaMemory, index: number) {
  const usage = createUsageBuffer();
  const reservations = createReservationMemory(usageSlotCount(usage));
  const table = new BucketTable(quotas.buckets, bucketOwner(index));
  const admission = new Admission(table, new ReservationTable(reservations), () => 0);
  return { table, admission, ended: { reservations, usageReader: new UsageReader(usage) } };
}

test("two workers die at once, one of them with the lock: the thread that looks after them is not stuck with the other", async () => {
  const quotas = new QuotaMemory();
  const [first, second] = [worker(quotas, 0), worker(quotas, 1)];
  const key = bucketKey({ type: "consumer", first: 1, second: 0, third: 0 }, KIND.concurrency, 0);
  const bucket = { ...key, kind: KIND.concurrency, limit: 9, capacity: 9, ratePerMs: 0, slot: -1 };
  for (const { admission } of [first, second]) admission.admit(0, [bucket], { tokens: 1, nanoUsd: 0 });
  const reserved = (): number => quotas.table.double(bucket.slot, DOUBLE.reserved);
  assert.equal(reserved(), 2);
  first.table.lock.lock();
  const recovered = quotas.recover(1, second.ended);
  await sleep(20);
  assert.equal(reserved(), 2);
  await quotas.recover(0, first.ended);
  await recovered;
  assert.equal(reserved(), 0);
  quotas.close();
});
