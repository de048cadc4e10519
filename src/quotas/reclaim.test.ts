import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission, type PlannedBucket } from "./admission.ts";
import { KIND, bucketKey } from "./bucket.ts";
import { createBucketMemory, DOUBLE } from "./bucket-layout.ts";
import { BucketTable } from "./bucket-table.ts";
import { createReservationMemory, ReservationTable } from "./reservation-table.ts";

function planned(consumer: number, kind: number): PlannedBucket {
  const period = kind === KIND.monthlyTokens ? 202_611 : 0;
  const key = bucketKey({ type: "consumer", first: consumer, second: 0, third: 0 }, kind, period);
  return { ...key, kind, limit: 100, capacity: 100, ratePerMs: kind === KIND.requests ? 1 : 0, slot: -1 };
}

test("a bucket that flowed empty while its request runs goes to nobody else, who would be charged at its end", () => {
  const clock = { now: 0 };
  const table = new BucketTable(createBucketMemory(16), 1);
  const reservations = new ReservationTable(createReservationMemory(16));
  const admission = new Admission(table, reservations, () => clock.now);
  const inUse = (): Set<number> => {
    const slots = new Set<number>();
    reservations.addBucketsInUse(slots);
    return slots;
  };
  assert.equal(admission.admit(0, [planned(1, KIND.requests)], { tokens: 5, nanoUsd: 0 }), undefined);
  assert.equal(admission.admit(1, [planned(2, KIND.requests)], { tokens: 5, nanoUsd: 0 }), undefined);
  admission.settle(1, { tokens: 5, nanoUsd: 0 });
  clock.now = 10_000;
  assert.equal(table.reclaim(clock.now, 0, inUse), 1, "that of the request which has ended");
  const others = Array.from({ length: 15 }, (_, index) => planned(10 + index, KIND.monthlyTokens));
  for (const other of others) {
    assert.equal(admission.admit(1, [other], { tokens: 50, nanoUsd: 0 }), undefined);
    admission.settle(1, { tokens: 0, nanoUsd: 0 });
  }
  assert.equal(admission.admit(1, [planned(99, KIND.monthlyTokens)], { tokens: 1, nanoUsd: 0 })?.reason, "noRoom");
  admission.settle(0, { tokens: 77, nanoUsd: 0 });
  assert.deepEqual(
    others.map(({ slot }) => table.double(slot, DOUBLE.used)),
    others.map(() => 0),
  );
  assert.equal(table.reclaim(clock.now, 0, inUse), 1);
});
