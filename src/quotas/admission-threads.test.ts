import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Admission } from "./admission.ts";
import { KIND, type Subject, bucketKey } from "./bucket.ts";
import { createBucketMemory, DOUBLE } from "./bucket-layout.ts";
import { BucketTable } from "./bucket-table.ts";
import { createReservationMemory, ReservationTable } from "./reservation-table.ts";

const subject: Subject = { type: "consumer", first: 1, second: 0, third: 0 };
const RECORDS = 16;

/** What a worker thread does: admits and settles without end, and counts what it got in `counts[index]`. */
const BODY = `
  import { workerData } from "node:worker_threads";
  const { Admission } = await import(workerData.at + "/admission.ts");
  const { BucketTable } = await import(workerData.at + "/bucket-table.ts");
  const { bucketKey } = await import(workerData.at + "/bucket.ts");
  const { ReservationTable } = await import(workerData.at + "/reservation-table.ts");
  const { memory, reservations, counts, index, limits, subject, rounds } = workerData;
  const admission = new Admission(new BucketTable(memory, index + 1), new ReservationTable(reservations), () => 1);
  const tally = new Float64Array(counts);
  const buckets = limits.map(({ kind, limit }) => ({
    ...bucketKey(subject, kind, 0), kind, limit, capacity: limit, ratePerMs: 0, slot: -1,
  }));
  let record = 0;
  for (let round = 0; round !== rounds; round++) {
    record = (record + 1) % ${RECORDS};
    admission.settle(record, { tokens: 1, nanoUsd: 1 });
    if (admission.admit(record, buckets, { tokens: 3, nanoUsd: 5 }) === undefined) {
      tally[index] += 1;
      admission.checkpoint(record, { tokens: 1, nanoUsd: 1 });
    }
  }
  for (record = 0; record < ${RECORDS}; record++) admission.settle(record, { tokens: 1, nanoUsd: 1 });
`;

interface Stress {
  readonly memory: SharedArrayBuffer;
  readonly counts: Float64Array;
  readonly start: (index: number) => { readonly worker: Worker; readonly reservations: SharedArrayBuffer };
}

function stress(limits: readonly { kind: number; limit: number }[], rounds: number): Stress {
  const memory = createBucketMemory(64);
  const counts = new SharedArrayBuffer(64);
  return {
    memory,
    counts: new Float64Array(counts),
    start: (index) => {
      const reservations = createReservationMemory(RECORDS);
      const workerData = { memory, reservations, counts, index, limits, subject, rounds, at: import.meta.dirname };
      const worker = new Worker(BODY, { eval: true, execArgv: ["--input-type=module"], workerData });
      return { worker, reservations };
    },
  };
}

test("many threads at one limit: exactly the limit is admitted, whoever comes first", async () => {
  const limit = 20_000;
  const { memory, counts, start } = stress([{ kind: KIND.monthlyTokens, limit }], 30_000);
  await Promise.all([0, 1, 2].map((index) => once(start(index).worker, "exit")));
  const table = new BucketTable(memory, 9);
  const slot = table.findOrCreate(bucketKey(subject, KIND.monthlyTokens, 0), 0);
  assert.equal(table.double(slot, DOUBLE.reserved), 0);
  const admitted = counts[0]! + counts[1]! + counts[2]!;
  assert.equal(table.double(slot, DOUBLE.used), admitted);
  // a request holds 3 while it runs, of which it uses 1: the last few do not fit while others run
  assert.ok(admitted <= limit && admitted > limit - 3 * RECORDS * 3, `${admitted} were admitted`);
});

test(
  "threads that are killed in the midst of it leave no lock, no reservation and no difference",
  { timeout: 60_000 },
  async () => {
    const kinds = [KIND.tokens, KIND.concurrency, KIND.monthlyTokens, KIND.monthlyUsd];
    const { memory, start } = stress(
      kinds.map((kind) => ({ kind, limit: 1e15 })),
      -1,
    );
    const table = new BucketTable(memory, 9);
    for (let round = 0; round < 12; round++) {
      const index = round % 2;
      const { worker, reservations } = start(index);
      await once(worker, "online");
      const before = table.double(0, DOUBLE.total);
      while (table.double(0, DOUBLE.total) === before) await new Promise((resolve) => setTimeout(resolve, 1));
      await new Promise((resolve) => setTimeout(resolve, 40 + round));
      await worker.terminate();
      const admission = new Admission(table, new ReservationTable(reservations), () => 1);
      admission.recoverLock(index + 1);
      table.lock.lock();
      admission.settleAll();
      table.lock.unlock();
      const [tokens, atOnce, monthly, money] = kinds.map((kind) => table.findOrCreate(bucketKey(subject, kind, 0), 0));
      for (const slot of [tokens!, atOnce!, monthly!, money!]) {
        assert.equal(table.double(slot, DOUBLE.reserved), 0);
      }
      // every change is made to all buckets of a request or to none
      assert.equal(table.double(tokens!, DOUBLE.total), table.double(monthly!, DOUBLE.total));
      assert.equal(table.double(monthly!, DOUBLE.total), table.double(money!, DOUBLE.total));
      assert.ok(table.double(money!, DOUBLE.total) > 0);
    }
  },
);
