/**
 * Admission: reserve, then settle. A request takes an estimate from every bucket that limits it, all or none, and at its
 * end the estimate gives way to what was really used. All under one lock in shared memory, so that it is exact on one
 * machine; nothing here waits for I/O.
 *
 * A bucket admits while used + reserved + amount fits in. What is used decays in buckets of a minute (a leaky bucket, in
 * effect GCRA); what is reserved does not, so that giving an estimate back can never give back what has decayed already.
 */
import { amountOf, type Amounts, countsTokens, isRate, KIND, type BucketKey, type BucketShape } from "./bucket.ts";
import { DOUBLE, MAX_BUCKETS_PER_REQUEST, REGIME } from "./bucket-layout.ts";
import type { BucketTable } from "./bucket-table.ts";
import { Journal } from "./journal.ts";
import { refuse, UNKNOWN_WAIT_MS } from "./refuse.ts";
import { HELD, type ReservationTable } from "./reservation-table.ts";

/** A limit of a request, and the bucket it counts in. */
export interface PlannedBucket extends BucketKey, BucketShape {
  /** A number of `KIND`. */
  readonly kind: number;
  /** Where the bucket was found; -1 before. */
  slot: number;
}

/** Why a request was not admitted. */
export interface Refusal {
  readonly bucket: PlannedBucket;
  /**
   * `full`: it may be admitted later. `tooLarge`: it is more than the bucket ever holds. `lease`: this machine must ask
   * for more first. `noRoom`: there are too many buckets.
   */
  readonly reason: "full" | "tooLarge" | "lease" | "noRoom";
  /** Milliseconds until it fits if nothing else comes; 0 where time alone does not help. */
  readonly waitMs: number;
  readonly amount: number;
  readonly remaining: number;
}

const ADMITTED = undefined;
/** A lease comes within about this time. */
const LEASE_WAIT_MS = 10;

/** One thread's way to admit and settle requests. */
export class Admission {
  readonly table: BucketTable;
  readonly #reservations: ReservationTable;
  readonly #journal: Journal;
  readonly #clock: () => number;

  /** @param reservations of the worker whose requests these are @param clock monotonic, shared by all threads */
  constructor(table: BucketTable, reservations: ReservationTable, clock: () => number) {
    this.table = table;
    this.#reservations = reservations;
    this.#journal = new Journal(table, reservations);
    this.#clock = clock;
  }

  /**
   * Reserves for a new request, in all buckets or none.
   * @param record the request's number in the reservation table
   * @returns undefined if it is admitted, else which bucket refused it
   */
  admit(record: number, buckets: readonly PlannedBucket[], amounts: Amounts): Refusal | undefined {
    this.table.lock.lock();
    try {
      const refusal = this.#refusal(buckets, amounts);
      if (refusal !== ADMITTED) {
        return refusal;
      }
      const held = this.#reservations;
      this.#journal.keepRecord(record);
      held.set(record, HELD.tokens, amounts.tokens);
      held.set(record, HELD.nanoUsd, amounts.nanoUsd);
      held.set(record, HELD.tokensTaken, 0);
      held.set(record, HELD.nanoUsdTaken, 0);
      this.#take(record, 0, buckets, amounts);
      held.setCounts(record, buckets.length, buckets.length);
      held.setHeld(record, 1);
      this.#journal.forget();
      return ADMITTED;
    } finally {
      this.table.lock.unlock();
    }
  }

  /**
   * Reserves what an attempt needs besides (limits of its target and credential), for as much as the request still holds.
   * The request must have been admitted.
   */
  admitAttempt(record: number, buckets: readonly PlannedBucket[]): Refusal | undefined {
    const held = this.#reservations;
    this.table.lock.lock();
    try {
      const amounts = { tokens: held.get(record, HELD.tokens), nanoUsd: held.get(record, HELD.nanoUsd) };
      const refusal = this.#refusal(buckets, amounts);
      if (refusal === ADMITTED) {
        this.#journal.keepRecord(record);
        const first = held.callCount(record);
        this.#take(record, first, buckets, amounts);
        held.setCounts(record, first, first + buckets.length);
        this.#journal.forget();
      }
      return refusal;
    } finally {
      this.table.lock.unlock();
    }
  }

  /**
   * How long until there is room, roughly and without taking any: 0 if there is now, Infinity if there never will be.
   * Where a lease is lacking it is asked for.
   */
  roomWaitMs(buckets: readonly PlannedBucket[], amounts: Amounts): number {
    this.table.lock.lock();
    try {
      const refusal = this.#refusal(buckets, amounts);
      if (refusal === ADMITTED) {
        return 0;
      }
      if (refusal.reason === "lease") {
        this.table.askAgain(refusal.bucket.slot, refusal.amount);
        return LEASE_WAIT_MS;
      }
      return refusal.reason === "tooLarge" ? Infinity : refusal.waitMs || UNKNOWN_WAIT_MS;
    } finally {
      this.table.lock.unlock();
    }
  }

  /** Asks for all leases that a request lacks; once for each answer, since it adds up. @returns when, for `answerSince` */
  askForLeases(buckets: readonly PlannedBucket[], amounts: Amounts): number {
    this.table.lock.lock();
    try {
      const now = this.#clock();
      for (const bucket of buckets) {
        const amount = amountOf(bucket.kind, amounts);
        if (this.#prepare(bucket, now) && amount > this.table.remaining(bucket.slot)) {
          this.table.ask(bucket.slot, amount);
        }
      }
      return now;
    } finally {
      this.table.lock.unlock();
    }
  }

  /** What the authority has answered since then: nothing yet, that there is nothing and nobody gives any back, or else. */
  answerSince({ slot }: PlannedBucket, askedAt: number): "none" | "scarce" | "some" {
    if (this.table.double(slot, DOUBLE.exchangedAt) < askedAt) {
      return "none";
    }
    return this.table.double(slot, DOUBLE.scarceUntil) > this.#clock() ? "scarce" : "some";
  }

  /**
   * A provider has said what is left of its own limit: no more than that is believed to remain of ours. Buckets that are
   * not of this kind, and those that hold less than that anyway, are left alone.
   */
  believe(buckets: readonly PlannedBucket[], kind: number, remaining: number): void {
    this.table.lock.lock();
    try {
      const now = this.#clock();
      for (const bucket of buckets) {
        if (bucket.kind === kind && this.table.isAt(bucket.slot, bucket)) {
          this.table.decay(bucket.slot, now);
          const excess = this.table.remaining(bucket.slot) - remaining;
          if (excess > 0 && excess < Infinity) {
            this.table.setDouble(bucket.slot, DOUBLE.used, this.table.double(bucket.slot, DOUBLE.used) + excess);
            this.table.setDouble(bucket.slot, DOUBLE.spent, this.table.double(bucket.slot, DOUBLE.spent) + excess);
          }
        }
      }
    } finally {
      this.table.lock.unlock();
    }
  }

  /**
   * The attempt is over: its own buckets get back what is still reserved there. Its request has been counted, and what
   * checkpoints have settled was used.
   */
  releaseAttempt(record: number): void {
    const held = this.#reservations;
    if (held.count(record) === held.callCount(record)) {
      return;
    }
    this.table.lock.lock();
    try {
      this.#journal.keepRecord(record);
      const first = held.callCount(record);
      this.#settleBuckets(record, first, held.count(record), this.#checkpointOf(record));
      held.setCounts(record, first, first);
      this.#journal.forget();
    } finally {
      this.table.lock.unlock();
    }
  }

  /** So much of what is reserved has surely been used by now. Totals since the request began; less than before is ignored. */
  checkpoint(record: number, { tokens, nanoUsd }: Amounts): void {
    const held = this.#reservations;
    const moreTokens = Math.max(0, tokens - held.get(record, HELD.tokensTaken));
    const moreUsd = Math.max(0, nanoUsd - held.get(record, HELD.nanoUsdTaken));
    if (!held.isHeld(record) || (moreTokens === 0 && moreUsd === 0)) {
      return;
    }
    this.table.lock.lock();
    try {
      this.#journal.keepRecord(record);
      const fromTokens = Math.min(moreTokens, held.get(record, HELD.tokens));
      const fromUsd = Math.min(moreUsd, held.get(record, HELD.nanoUsd));
      for (let index = 0; index < held.count(record); index++) {
        const slot = held.bucket(record, index);
        const kind = this.table.kind(slot);
        if (countsTokens(kind)) {
          this.#move(slot, -fromTokens, moreTokens);
        } else if (kind === KIND.monthlyUsd) {
          this.#move(slot, -fromUsd, moreUsd);
        }
      }
      held.set(record, HELD.tokens, held.get(record, HELD.tokens) - fromTokens);
      held.set(record, HELD.nanoUsd, held.get(record, HELD.nanoUsd) - fromUsd);
      held.set(record, HELD.tokensTaken, held.get(record, HELD.tokensTaken) + moreTokens);
      held.set(record, HELD.nanoUsdTaken, held.get(record, HELD.nanoUsdTaken) + moreUsd);
      this.#journal.forget();
    } finally {
      this.table.lock.unlock();
    }
  }

  /** The request is over: what it really used takes the place of what it held. Does nothing the second time. */
  settle(record: number, actual: Amounts): void {
    const held = this.#reservations;
    if (!held.isHeld(record)) {
      return;
    }
    this.table.lock.lock();
    try {
      this.#settle(record, actual);
    } finally {
      this.table.lock.unlock();
    }
  }

  /** The request never reached an upstream: nothing of it counts, not even the request itself. */
  cancel(record: number): void {
    const held = this.#reservations;
    if (!held.isHeld(record)) {
      return;
    }
    this.table.lock.lock();
    try {
      this.#journal.keepRecord(record);
      for (let index = 0; index < held.callCount(record); index++) {
        const slot = held.bucket(record, index);
        if (this.table.kind(slot) === KIND.requests) {
          this.#move(slot, 0, -1);
        }
      }
      this.#journal.forget();
      this.#settle(record, { tokens: 0, nanoUsd: 0 });
    } finally {
      this.table.lock.unlock();
    }
  }

  /**
   * A worker has died: settles each of its requests. Call it under the lock, with the dead worker's reservations, once it
   * can write no more and `recoverLock` was called.
   * @param usedBy what a request's usage entry says that it has used; by default what its last checkpoint said, which may
   * be less
   */
  settleAll(usedBy: (record: number) => Amounts = (record) => this.#checkpointOf(record)): void {
    const held = this.#reservations;
    for (let record = 0; record < held.size; record++) {
      if (held.isHeld(record)) {
        this.#settle(record, usedBy(record));
      }
    }
  }

  /** A worker has died: puts right what it left half done. The first thing to do. @param owner its number */
  recoverLock(owner: number): void {
    this.table.lock.recover(owner, () => {
      this.#journal.rollBack();
      this.table.rebuildIndex();
    });
  }

  #checkpointOf(record: number): Amounts {
    const held = this.#reservations;
    return { tokens: held.get(record, HELD.tokensTaken), nanoUsd: held.get(record, HELD.nanoUsdTaken) };
  }

  #settle(record: number, used: Amounts): void {
    const held = this.#reservations;
    this.#journal.keepRecord(record);
    this.#settleBuckets(record, 0, held.count(record), used);
    held.setHeld(record, 0);
    this.#journal.forget();
  }

  #settleBuckets(record: number, from: number, to: number, { tokens, nanoUsd }: Amounts): void {
    const held = this.#reservations;
    const moreTokens = tokens - held.get(record, HELD.tokensTaken);
    const moreUsd = nanoUsd - held.get(record, HELD.nanoUsdTaken);
    for (let index = from; index < to; index++) {
      const slot = held.bucket(record, index);
      const kind = this.table.kind(slot);
      if (countsTokens(kind)) {
        this.#move(slot, -held.get(record, HELD.tokens), moreTokens);
      } else if (kind === KIND.monthlyUsd) {
        this.#move(slot, -held.get(record, HELD.nanoUsd), moreUsd);
      } else if (kind === KIND.concurrency) {
        this.#move(slot, -1, 0);
      }
    }
  }

  #refusal(buckets: readonly PlannedBucket[], amounts: Amounts): Refusal | undefined {
    const now = this.#clock();
    for (const bucket of buckets) {
      if (!this.#prepare(bucket, now)) {
        return { bucket, reason: "noRoom", waitMs: 1_000, amount: 0, remaining: 0 };
      }
      const amount = amountOf(bucket.kind, amounts);
      const remaining = this.table.remaining(bucket.slot);
      if (amount > remaining) {
        return refuse(this.table, bucket, { amount, remaining }, now);
      }
    }
    return ADMITTED;
  }

  /** Finds or makes the bucket, as it is now. @returns whether there is room for it */
  #prepare(bucket: PlannedBucket, now: number): boolean {
    if (!this.table.isAt(bucket.slot, bucket)) {
      bucket.slot = this.table.findOrCreate(bucket, now);
      if (bucket.slot < 0) {
        return false;
      }
    }
    this.#shape(bucket, now);
    this.table.decay(bucket.slot, now);
    return true;
  }

  /** A changed limit takes effect here, without what is used being touched. */
  #shape({ slot, limit, capacity, ratePerMs }: PlannedBucket, now: number): void {
    const { table } = this;
    const before = table.double(slot, DOUBLE.capacity);
    if (table.double(slot, DOUBLE.limit) !== limit || before !== capacity) {
      table.setDouble(slot, DOUBLE.limit, limit);
      table.setDouble(slot, DOUBLE.capacity, capacity);
      table.setDouble(slot, DOUBLE.ratePerMs, ratePerMs);
      if (capacity < before) {
        table.trimLease(slot, now);
      }
    }
  }

  #take(record: number, from: number, buckets: readonly PlannedBucket[], amounts: Amounts): void {
    if (from + buckets.length > MAX_BUCKETS_PER_REQUEST) {
      throw new Error(`a request is limited by more than ${MAX_BUCKETS_PER_REQUEST} buckets`);
    }
    for (let index = 0; index < buckets.length; index++) {
      const { slot, kind } = buckets[index]!;
      this.#reservations.setBucket(record, from + index, slot);
      if (kind === KIND.requests) {
        this.#move(slot, 0, 1);
      } else {
        this.#move(slot, amountOf(kind, amounts), 0);
      }
    }
  }

  /** Changes what a bucket holds and what is used of it; how it was goes into the journal first. */
  #move(slot: number, reserved: number, used: number): void {
    const { table } = this;
    this.#journal.keepBucket(slot);
    const taken = table.kind(slot) === KIND.requests ? used : reserved;
    if (taken > 0) {
      table.setDouble(slot, DOUBLE.taken, table.double(slot, DOUBLE.taken) + taken);
    }
    if (reserved !== 0) {
      table.setDouble(slot, DOUBLE.reserved, Math.max(0, table.double(slot, DOUBLE.reserved) + reserved));
    }
    if (used !== 0) {
      const now = this.#clock();
      if (isRate(table.kind(slot))) {
        table.decay(slot, now);
      }
      table.setDouble(slot, DOUBLE.used, Math.max(0, table.double(slot, DOUBLE.used) + used));
      table.setDouble(slot, DOUBLE.total, table.double(slot, DOUBLE.total) + used);
      table.setDouble(slot, DOUBLE.spent, table.double(slot, DOUBLE.spent) + used);
      if (table.regime !== REGIME.alone && table.double(slot, DOUBLE.kept) === 0) {
        table.tell(slot);
      }
    }
  }
}
