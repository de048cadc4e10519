import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Admission, type PlannedBucket } from "./admission.ts";
import { KIND, type BucketKind, type Subject, bucketKey } from "./bucket.ts";
import { createBucketMemory, DOUBLE, REGIME } from "./bucket-layout.ts";
import { BucketTable } from "./bucket-table.ts";
import { createReservationMemory, ReservationTable } from "./reservation-table.ts";

const MINUTE = 60_000;
const consumer: Subject = { type: "consumer", first: 7, second: 0, third: 0 };

function planned(kind: BucketKind, limit: number, options: Partial<PlannedBucket> = {}): PlannedBucket {
  const rate = kind === "requests" || kind === "tokens";
  return {
    ...bucketKey(consumer, KIND[kind], kind.startsWith("monthly") ? 202_611 : 0),
    kind: KIND[kind],
    limit,
    capacity: limit,
    ratePerMs: rate ? limit / MINUTE : 0,
    slot: -1,
    ...options,
  };
}

function desk(slots = 64): { admission: Admission; clock: { now: number }; table: BucketTable } {
  const clock = { now: 1_000_000 };
  const table = new BucketTable(createBucketMemory(slots), 1);
  const reservations = new ReservationTable(createReservationMemory(64));
  return { admission: new Admission(table, reservations, () => clock.now), clock, table };
}

const used = (table: BucketTable, bucket: PlannedBucket): number => table.double(bucket.slot, DOUBLE.used);
const reserved = (table: BucketTable, bucket: PlannedBucket): number => table.double(bucket.slot, DOUBLE.reserved);

test("a minute's requests: as many as the limit at once, then one each time that one has decayed", () => {
  const { admission, clock } = desk();
  const rpm = planned("requests", 10);
  const call = (record: number) => admission.admit(record, [rpm], { tokens: 0, nanoUsd: 0 });
  for (let record = 0; record < 10; record++) {
    assert.equal(call(record), undefined);
    admission.settle(record, { tokens: 0, nanoUsd: 0 });
  }
  const refusal = call(10);
  assert.equal(refusal?.reason, "full");
  assert.equal(refusal.waitMs, 6_000);
  clock.now += 5_999;
  assert.equal(call(10)?.reason, "full");
  clock.now += 1.001;
  assert.equal(call(10), undefined);
  assert.equal(call(11)?.reason, "full");
});

test("(2) $0.45 left, five calls of $0.15: exactly three are admitted", () => {
  const { admission } = desk();
  const usd = planned("monthlyUsd", 450_000_000);
  const outcomes = [0, 1, 2, 3, 4].map((record) => admission.admit(record, [usd], { tokens: 0, nanoUsd: 150_000_000 }));
  assert.deepEqual(
    outcomes.map((refusal) => refusal?.reason),
    [undefined, undefined, undefined, "full", "full"],
  );
});

test("all or none: what a later bucket refuses takes nothing from those before it", () => {
  const { admission, table } = desk();
  const rpm = planned("requests", 5);
  const tpm = planned("tokens", 1_000);
  assert.equal(admission.admit(0, [rpm, tpm], { tokens: 900, nanoUsd: 0 }), undefined);
  const refusal = admission.admit(1, [rpm, tpm], { tokens: 200, nanoUsd: 0 });
  assert.equal(refusal?.bucket, tpm);
  assert.equal(used(table, rpm), 1);
  assert.equal(reserved(table, tpm), 900);
});

test("the difference between estimate and use is given back, or taken", () => {
  const { admission, table } = desk();
  const tpm = planned("tokens", 1_000);
  const month = planned("monthlyTokens", 5_000);
  admission.admit(0, [tpm, month], { tokens: 800, nanoUsd: 0 });
  admission.settle(0, { tokens: 300, nanoUsd: 0 });
  admission.settle(0, { tokens: 300, nanoUsd: 0 });
  assert.deepEqual([used(table, tpm), reserved(table, tpm), used(table, month)], [300, 0, 300]);
  admission.admit(1, [tpm, month], { tokens: 100, nanoUsd: 0 });
  admission.settle(1, { tokens: 900, nanoUsd: 0 });
  assert.deepEqual([used(table, tpm), used(table, month)], [1_200, 1_200], "a debt is kept");
  assert.equal(admission.admit(2, [tpm], { tokens: 1, nanoUsd: 0 })?.waitMs, 201 / (1_000 / MINUTE));
});

test("an estimate given back late gives back nothing that has decayed", () => {
  const { admission, clock, table } = desk();
  const tpm = planned("tokens", 60_000);
  admission.admit(0, [tpm], { tokens: 60_000, nanoUsd: 0 });
  clock.now += MINUTE;
  assert.equal(admission.admit(1, [tpm], { tokens: 1, nanoUsd: 0 })?.reason, "full", "held, however long");
  admission.settle(0, { tokens: 1_000, nanoUsd: 0 });
  assert.equal(used(table, tpm), 1_000);
});

test("more than a bucket ever holds is said to be too large", () => {
  const { admission } = desk();
  const tpm = planned("tokens", 1_000, { capacity: 100 });
  const refusal = admission.admit(0, [tpm], { tokens: 101, nanoUsd: 0 });
  assert.equal(refusal?.reason, "tooLarge");
});

test("an attempt's buckets are let go when it fails, and settled with the request when it served", () => {
  const { admission, table } = desk();
  const tpm = planned("tokens", 1_000);
  const credential = { ...planned("tokens", 500), ...bucketKey({ ...consumer, type: "credential" }, KIND.tokens, 0) };
  const atOnce = {
    ...planned("concurrency", 1),
    ...bucketKey({ ...consumer, type: "credential" }, KIND.concurrency, 0),
  };
  admission.admit(0, [tpm], { tokens: 400, nanoUsd: 0 });
  assert.equal(admission.admitAttempt(0, [credential, atOnce]), undefined);
  admission.admit(1, [tpm], { tokens: 50, nanoUsd: 0 });
  assert.equal(admission.admitAttempt(1, [credential, atOnce])?.bucket, atOnce);
  admission.releaseAttempt(0);
  admission.releaseAttempt(0);
  assert.deepEqual([reserved(table, credential), reserved(table, atOnce), reserved(table, tpm)], [0, 0, 450]);
  assert.equal(admission.admitAttempt(1, [credential, atOnce]), undefined);
  admission.settle(1, { tokens: 60, nanoUsd: 0 });
  assert.deepEqual([used(table, credential), reserved(table, atOnce), reserved(table, tpm)], [60, 0, 400]);
});

test("what an attempt has used by its checkpoints stays used when it is let go; the next one is charged the rest", () => {
  const { admission, table } = desk();
  const own = (type: "target" | "credential"): PlannedBucket => ({
    ...planned("monthlyTokens", 5_000),
    ...bucketKey({ ...consumer, type }, KIND.monthlyTokens, 0),
  });
  const [first, second] = [own("target"), own("credential")];
  const month = planned("monthlyTokens", 5_000);
  admission.admit(0, [month], { tokens: 400, nanoUsd: 0 });
  admission.admitAttempt(0, [first]);
  admission.checkpoint(0, { tokens: 100, nanoUsd: 0 });
  admission.releaseAttempt(0);
  assert.deepEqual([used(table, first), reserved(table, first), used(table, month)], [100, 0, 100]);
  admission.admitAttempt(0, [second]);
  assert.equal(reserved(table, second), 300);
  admission.settle(0, { tokens: 250, nanoUsd: 0 });
  assert.deepEqual([used(table, first), used(table, second), used(table, month)], [100, 150, 250]);
});

test("a checkpoint settles what has been used so far; the end counts it once", () => {
  const { admission, table } = desk();
  const tpm = planned("tokens", 10_000);
  const usd = planned("monthlyUsd", 10_000);
  admission.admit(0, [tpm, usd], { tokens: 1_000, nanoUsd: 500 });
  admission.checkpoint(0, { tokens: 256, nanoUsd: 100 });
  assert.deepEqual(
    [used(table, tpm), reserved(table, tpm), used(table, usd), reserved(table, usd)],
    [256, 744, 100, 400],
  );
  admission.checkpoint(0, { tokens: 200, nanoUsd: 0 });
  admission.checkpoint(0, { tokens: 1_300, nanoUsd: 600 });
  assert.deepEqual([used(table, tpm), reserved(table, tpm), used(table, usd)], [1_300, 0, 600]);
  admission.settle(0, { tokens: 1_280, nanoUsd: 590 });
  assert.deepEqual([used(table, tpm), reserved(table, tpm), used(table, usd)], [1_280, 0, 590]);
});

test("a request that reached no upstream leaves nothing behind", () => {
  const { admission, table } = desk();
  const rpm = planned("requests", 3);
  const atOnce = planned("concurrency", 1);
  admission.admit(0, [rpm, atOnce], { tokens: 5, nanoUsd: 0 });
  admission.cancel(0);
  admission.cancel(0);
  assert.deepEqual([used(table, rpm), reserved(table, atOnce)], [0, 0]);
});

test("a changed limit takes effect at once and leaves what is used as it is", () => {
  const { admission, table } = desk();
  const before = planned("tokens", 1_000);
  admission.admit(0, [before], { tokens: 600, nanoUsd: 0 });
  admission.settle(0, { tokens: 600, nanoUsd: 0 });
  const lower = planned("tokens", 500);
  assert.equal(admission.admit(1, [lower], { tokens: 1, nanoUsd: 0 })?.reason, "full");
  const higher = planned("tokens", 2_000);
  assert.equal(admission.admit(1, [higher], { tokens: 1_400, nanoUsd: 0 }), undefined);
  assert.equal(used(table, higher), 600);
});

test("under leases only what was granted is given out, and asking is the answer to having none", () => {
  const { admission, table } = desk();
  table.setRegime(REGIME.leased);
  const rpm = planned("requests", 10);
  assert.equal(admission.admit(0, [rpm], { tokens: 0, nanoUsd: 0 })?.reason, "lease");
  table.setDouble(rpm.slot, DOUBLE.lease, 2);
  table.setDouble(rpm.slot, DOUBLE.leaseEndsAt, Infinity);
  assert.equal(admission.admit(0, [rpm], { tokens: 0, nanoUsd: 0 }), undefined);
  assert.equal(admission.admit(1, [rpm], { tokens: 0, nanoUsd: 0 }), undefined);
  assert.equal(admission.admit(2, [rpm], { tokens: 0, nanoUsd: 0 })?.reason, "lease");
  table.setMachines(5);
  table.setRegime(REGIME.share);
  assert.equal(admission.admit(2, [rpm], { tokens: 0, nanoUsd: 0 })?.reason, "full", "a fifth of ten is used");
  table.setRegime(REGIME.open);
  assert.equal(admission.admit(2, [rpm], { tokens: 0, nanoUsd: 0 }), undefined);
  table.setRegime(REGIME.closed);
  assert.equal(admission.admit(3, [rpm], { tokens: 0, nanoUsd: 0 })?.reason, "full");
});

test("a lowered limit takes what is leased beyond it out of use at once, and leaves what runs alone", () => {
  const { admission, clock, table } = desk();
  table.setRegime(REGIME.leased);
  const before = planned("requests", 600);
  admission.admit(0, [before], { tokens: 0, nanoUsd: 0 });
  table.setDouble(before.slot, DOUBLE.lease, 200);
  table.setDouble(before.slot, DOUBLE.leaseEndsAt, Infinity);
  // others have used 5 of it, this machine 2 that it has not told
  table.setDouble(before.slot, DOUBLE.elsewhere, 5);
  table.setDouble(before.slot, DOUBLE.exchangedAt, clock.now);
  for (const record of [0, 1]) assert.equal(admission.admit(record, [before], { tokens: 0, nanoUsd: 0 }), undefined);
  const lower = planned("requests", 10);
  const outcomes = [2, 3, 4, 5].map((record) => admission.admit(record, [lower], { tokens: 0, nanoUsd: 0 })?.reason);
  assert.deepEqual(outcomes, [undefined, undefined, undefined, "lease"]);
  assert.equal(used(table, lower), 5);
  const atOnce = planned("concurrency", 50);
  admission.admit(10, [atOnce], { tokens: 0, nanoUsd: 0 });
  table.setDouble(atOnce.slot, DOUBLE.lease, 20);
  table.setDouble(atOnce.slot, DOUBLE.leaseEndsAt, Infinity);
  for (const record of [10, 11, 12]) admission.admit(record, [atOnce], { tokens: 0, nanoUsd: 0 });
  assert.equal(admission.admit(13, [planned("concurrency", 2)], { tokens: 0, nanoUsd: 0 })?.reason, "lease");
  assert.equal(table.double(atOnce.slot, DOUBLE.lease), 3);
});

test("buckets that hold nothing make room for others; a plan that pointed at one finds its own again", () => {
  const { admission, clock, table } = desk(16);
  const plans = Array.from({ length: 16 }, (_, index) => ({
    ...planned("requests", 60),
    ...bucketKey({ ...consumer, first: index + 1 }, KIND.requests, 0),
  }));
  for (const plan of plans) {
    assert.equal(admission.admit(0, [plan], { tokens: 0, nanoUsd: 0 }), undefined);
    admission.settle(0, { tokens: 0, nanoUsd: 0 });
  }
  const another = { ...planned("requests", 60), ...bucketKey({ ...consumer, first: 99 }, KIND.requests, 0) };
  assert.equal(admission.admit(0, [another], { tokens: 0, nanoUsd: 0 })?.reason, "noRoom");
  assert.equal(table.reclaim(clock.now, 0), 0);
  clock.now += 2_000;
  assert.equal(table.reclaim(clock.now, 0), 16);
  assert.equal(admission.admit(0, [another], { tokens: 0, nanoUsd: 0 }), undefined);
  for (const plan of plans.slice(0, 15)) {
    assert.equal(admission.admit(1, [plan], { tokens: 0, nanoUsd: 0 }), undefined);
    admission.settle(1, { tokens: 0, nanoUsd: 0 });
    assert.equal(used(table, plan), 1);
  }
  assert.equal(used(table, another), 1);
});

/** What may happen to one request. */
type Step =
  | { readonly kind: "admit"; readonly record: number; readonly tokens: number }
  | { readonly kind: "attempt" | "release" | "cancel"; readonly record: number }
  | { readonly kind: "checkpoint" | "settle"; readonly record: number; readonly share: number }
  | { readonly kind: "wait"; readonly ms: number };

const record = fc.integer({ min: 0, max: 5 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("admit" as const), record, tokens: fc.integer({ min: 0, max: 700 }) }),
  fc.record({ kind: fc.constantFrom("attempt" as const, "release" as const, "cancel" as const), record }),
  fc.record({
    kind: fc.constantFrom("checkpoint" as const, "settle" as const),
    record,
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 20_000 }) }),
);

test("whatever comes in whatever order: no limit is exceeded, nothing stays reserved, totals are the sum of what was used", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const { admission, clock, table } = desk();
      const month = planned("monthlyTokens", 3_000);
      const call = [planned("tokens", 1_000), planned("concurrency", 3), month];
      const attempt = ["tokens" as const, "concurrency" as const].map((kind) => ({
        ...planned(kind, kind === "tokens" ? 800 : 2),
        ...bucketKey({ ...consumer, type: "target" }, KIND[kind], 0),
      }));
      const open = new Map<number, { tokens: number; taken: number }>();
      let sum = 0;
      const end = (id: number, tokens: number): void => {
        admission.settle(id, { tokens, nanoUsd: 0 });
        sum += tokens;
        open.delete(id);
      };
      for (const now of steps) {
        if (now.kind === "wait") {
          clock.now += now.ms;
          continue;
        }
        const running = open.get(now.record);
        if (now.kind === "admit") {
          if (
            running === undefined &&
            admission.admit(now.record, call, { tokens: now.tokens, nanoUsd: 0 }) === undefined
          ) {
            open.set(now.record, { tokens: now.tokens, taken: 0 });
          }
        } else if (running !== undefined) {
          if (now.kind === "attempt") {
            admission.releaseAttempt(now.record);
            admission.admitAttempt(now.record, attempt);
          } else if (now.kind === "release") {
            admission.releaseAttempt(now.record);
          } else if (now.kind === "cancel" && running.taken === 0) {
            admission.cancel(now.record);
            open.delete(now.record);
          } else if (now.kind === "checkpoint") {
            running.taken = Math.max(running.taken, Math.floor(running.tokens * now.share));
            admission.checkpoint(now.record, { tokens: running.taken, nanoUsd: 0 });
          } else if (now.kind === "settle") {
            end(now.record, Math.max(running.taken, Math.floor(running.tokens * now.share)));
          }
        }
        for (const bucket of [...call, ...attempt]) {
          if (bucket.slot >= 0) {
            assert.ok(used(table, bucket) + reserved(table, bucket) <= bucket.capacity + 1e-6);
          }
        }
      }
      for (const [id, { taken }] of open) {
        end(id, taken);
      }
      for (const bucket of [...call, ...attempt]) {
        if (bucket.slot >= 0) {
          assert.equal(reserved(table, bucket), 0);
        }
      }
      if (month.slot >= 0) {
        assert.equal(used(table, month), sum);
      }
    }),
    { numRuns: 300 },
  );
});
