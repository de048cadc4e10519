/** The memory that quotas are counted in, as the main thread sees it: made once, given to every thread that counts. */
import { sharedNowMs } from "../lib/shared-clock.ts";
import { Admission } from "../quotas/admission.ts";
import { createBucketMemory } from "../quotas/bucket-layout.ts";
import { BucketTable } from "../quotas/bucket-table.ts";
import { MonthClock } from "../quotas/months.ts";
import { ReservationTable } from "../quotas/reservation-table.ts";

/** Numbers of the threads, as the buckets' lock knows them. */
const MAIN_OWNER = 1;
export const STORE_OWNER = 2;
const FIRST_WORKER_OWNER = 3;

/** The number of a worker thread. */
export function bucketOwner(workerIndex: number): number {
  return FIRST_WORKER_OWNER + workerIndex;
}

/** How often it is looked whether there is room for further buckets. */
const RECLAIM_MS = 10_000;
/** Buckets that hold nothing give way when so much of the room is taken. */
const CROWDED_SHARE = 0.75;
/** While it is still yesterday somewhere, last month's counters are still used. */
const LAST_ZONE_MS = 86_400_000;

/** All buckets of the process. */
export class QuotaMemory {
  readonly buckets: SharedArrayBuffer = createBucketMemory();
  readonly table: BucketTable = new BucketTable(this.buckets, MAIN_OWNER);
  readonly #timer = setInterval(() => {
    if (this.table.live > this.table.size * CROWDED_SHARE) {
      this.table.reclaim(sharedNowMs(), MonthClock.of("UTC").at(Date.now() - LAST_ZONE_MS).month);
    }
  }, RECLAIM_MS).unref();

  close(): void {
    clearInterval(this.#timer);
  }

  /** A worker has died: what its requests held goes back, and what they had used by then stays used. */
  recover(workerIndex: number, reservations: SharedArrayBuffer): void {
    const admission = new Admission(this.table, new ReservationTable(reservations), sharedNowMs);
    admission.recover(bucketOwner(workerIndex));
  }
}
