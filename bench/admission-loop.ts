/** A process that does nothing but admit and settle requests: node bench/admission-loop.ts ROUNDS CPU_SECONDS. */
import { sharedNowMs } from "../src/lib/shared-clock.ts";
import { Admission, type PlannedBucket } from "../src/quotas/admission.ts";
import { createBucketMemory } from "../src/quotas/bucket-layout.ts";
import { BucketTable } from "../src/quotas/bucket-table.ts";
import { planBuckets } from "../src/quotas/plan.ts";
import { createReservationMemory, ReservationTable } from "../src/quotas/reservation-table.ts";

const RECORDS = 64;
/** Requests between looks at the clock. */
const BATCH = 1_000;
const WARM_UP_SECONDS = 0.5;

/** A consumer with requests and tokens a minute, tokens and money a month, and two grants' worth of the same. */
function sixLimits(): PlannedBucket[] {
  const plenty = { burstMs: 60_000, mode: "hard" } as const;
  const consumer = { rpm: 1e9, tpm: 1e12, monthlyTokens: 1e12, monthlyNanoUsd: 9e15, ...plenty };
  return planBuckets([
    { subject: { type: "consumer", first: 1, second: 0, third: 0 }, limits: consumer, month: 202_611 },
    {
      subject: { type: "grant", first: 1, second: 2, third: 0 },
      limits: { rpm: 1e9, tpm: 1e12, ...plenty },
      month: 202_611,
    },
  ]);
}

/** Microseconds of CPU per request, admitted and settled. */
function round(admission: Admission, buckets: readonly PlannedBucket[], seconds: number): number {
  const start = process.cpuUsage();
  let requests = 0;
  let used = 0;
  while (used < seconds * 1e6) {
    for (let index = 0; index < BATCH; index++) {
      const record = index % RECORDS;
      if (admission.admit(record, buckets, { tokens: 1_200, nanoUsd: 500_000 }) !== undefined) {
        throw new Error("a limit that cannot be reached was reached");
      }
      admission.settle(record, { tokens: 700, nanoUsd: 300_000 });
    }
    requests += BATCH;
    const { user, system } = process.cpuUsage(start);
    used = user + system;
  }
  return used / requests;
}

const [rounds = 5, seconds = 1] = process.argv.slice(2).map(Number);
const table = new BucketTable(createBucketMemory(), 1);
const admission = new Admission(table, new ReservationTable(createReservationMemory(RECORDS)), sharedNowMs);
const buckets = sixLimits();
round(admission, buckets, WARM_UP_SECONDS);
process.stdout.write(JSON.stringify(Array.from({ length: rounds }, () => round(admission, buckets, seconds))));
