/** The memory that quotas are counted in, as the main thread sees it: made once, given to every thread that counts. */
import { setTimeout as sleep } from "node:timers/promises";
import { NUMBER_FIELD } from "../ledger/usage-layout.ts";
import type { UsageReader } from "../ledger/usage-reader.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";
import { Admission } from "../quotas/admission.ts";
import type { Amounts } from "../quotas/bucket.ts";
import { createBucketMemory } from "../quotas/bucket-layout.ts";
import { BucketTable } from "../quotas/bucket-table.ts";
import { oldestMonthInUse } from "../quotas/months.ts";
import { ReservationTable } from "../quotas/reservation-table.ts";
import { createTokenCorrectionMemory } from "../quotas/token-correction.ts";

/** Numbers of the threads, as the buckets' lock knows them. */
const MAIN_OWNER = 1;
export const STORE_OWNER = 2;
export const LOADER_OWNER = 3;
const FIRST_WORKER_OWNER = 4;

/** The number of a worker thread. */
export function bucketOwner(workerIndex: number): number {
  return FIRST_WORKER_OWNER + workerIndex;
}

/** So long the lock is waited for at a time. */
const LOCK_MS = 5;
/** How often it is looked whether there is room for further buckets. */
const RECLAIM_MS = 10_000;
/** Buckets that hold nothing give way when so much of the room is taken. */
const CROWDED_SHARE = 0.75;

/** What a worker leaves behind. */
interface EndedWorker {
  readonly reservations: SharedArrayBuffer;
  readonly usageReader: UsageReader;
}

/** What the usage entry of a request says that it has used. */
function usedOf({ usageReader }: EndedWorker): (slot: number) => Amounts {
  return (slot) => {
    const entry = usageReader.recordAt(slot);
    return {
      tokens: entry.number(NUMBER_FIELD.promptTokens) + entry.number(NUMBER_FIELD.completionTokens),
      nanoUsd: entry.number(NUMBER_FIELD.costNanoUsd),
    };
  };
}

/** All buckets of the process. */
export class QuotaMemory {
  readonly buckets: SharedArrayBuffer = createBucketMemory();
  /** How far upstream models count other than estimated. */
  readonly tokenCorrection: SharedArrayBuffer = createTokenCorrectionMemory();
  readonly table: BucketTable = new BucketTable(this.buckets, MAIN_OWNER);
  /** What each worker's requests hold; a worker takes its dead predecessor's memory over. */
  readonly #reservations = new Map<SharedArrayBuffer, ReservationTable>();
  readonly #timer = setInterval(() => {
    if (this.table.live > this.table.size * CROWDED_SHARE) {
      const oldestMonth = oldestMonthInUse(Date.now());
      this.table.reclaim(sharedNowMs(), oldestMonth, () => this.#bucketsInUse());
    }
  }, RECLAIM_MS).unref();

  /** A worker begins, whose requests hold buckets. */
  addWorker(reservations: SharedArrayBuffer): void {
    if (!this.#reservations.has(reservations)) {
      this.#reservations.set(reservations, new ReservationTable(reservations));
    }
  }

  #bucketsInUse(): Set<number> {
    const slots = new Set<number>();
    for (const reservations of this.#reservations.values()) {
      reservations.addBucketsInUse(slots);
    }
    return slots;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** The loader has died; it changes nothing, and had the lock only to read. */
  recoverLoader(): void {
    this.table.lock.recover(LOADER_OWNER, () => {});
  }

  /** The thread of the store has died. */
  recoverStore(): void {
    this.table.lock.recover(STORE_OWNER, () => {
      this.table.rebuildIndex();
    });
  }

  /**
   * A worker has died: what its requests held goes back, and what they had used by then stays used. Their usage entries
   * say how much that is, so that counters and ledger agree. Call it before the entries are accounted for.
   *
   * Another may have died at the same time, and with the lock: this thread must get to hear of it, so it only looks
   * whether the lock is free.
   */
  async recover(workerIndex: number, worker: EndedWorker): Promise<void> {
    const admission = this.#admission(worker.reservations);
    admission.recoverLock(bucketOwner(workerIndex));
    while (!this.table.lock.lockWithin(LOCK_MS)) {
      await sleep(1);
    }
    try {
      admission.settleAll(usedOf(worker));
    } finally {
      this.table.lock.unlock();
    }
  }

  /** The same when all have ended. @param workers in their order */
  recoverAll(workers: readonly EndedWorker[]): void {
    for (const [index, { reservations }] of workers.entries()) {
      this.#admission(reservations).recoverLock(bucketOwner(index));
    }
    this.table.lock.lock();
    for (const worker of workers) {
      this.#admission(worker.reservations).settleAll(usedOf(worker));
    }
    this.table.lock.unlock();
  }

  #admission(reservations: SharedArrayBuffer): Admission {
    return new Admission(this.table, new ReservationTable(reservations), sharedNowMs);
  }
}
