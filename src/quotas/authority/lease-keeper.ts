/**
 * Keeps this machine's leases: asks the authority when a request waits for one, refills and renews, tells what was used,
 * and gives back what is not needed. While the authority is lost the machine goes by its own rule. Runs on one thread,
 * sleeps while no bucket is in use, and changes the buckets only under their lock.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { sharedNowMs } from "../../lib/shared-clock.ts";
import { ASK_WORD, DOUBLE, REGIME, WORD, type Regime } from "../bucket-layout.ts";
import type { BucketTable } from "../bucket-table.ts";
import type { Authority, AuthorityState, BucketExchange } from "./authority.ts";
import { LeasedBucket } from "./leased-bucket.ts";

/** How often the buckets in use are looked at, in milliseconds. */
const LOOK_MS = 50;
/** Between calls for requests that wait, in milliseconds: what comes meanwhile shares one, of however many limits. */
const CALL_MS = 10;
/** So long the lock is waited for at a time; a thread that died with it is put right between two times. */
const LOCK_MS = 5;
/** Buckets of one exchange; also how many are looked at under the lock at once. */
const BATCH = 128;

/** What a machine admits while the authority is lost. */
export type LossRule = "share" | "open" | "closed";

/** Counts since the start. */
export interface LeaseCounts {
  readonly isUp: boolean;
  /** Buckets in use. */
  readonly buckets: number;
  /** Exchanges of one bucket. */
  exchanges: number;
  failures: number;
  /** Exchanges that brought too little for any of the requests that waited. */
  shortages: number;
}

/** What a keeper is made with. */
export interface LeaseKeeperOptions {
  readonly table: BucketTable;
  readonly nameOf: (id: number) => string;
  readonly onLoss: LossRule;
  readonly leaseMs: number;
  /** Makes the authority, and has it tell its state to the keeper. */
  readonly connect: (onState: (state: AuthorityState) => void) => Authority;
}

export class LeaseKeeper {
  /** Resolves when it is known whether the authority answers. */
  readonly ready: Promise<void>;
  readonly #options: LeaseKeeperOptions;
  readonly #table: BucketTable;
  readonly #authority: Authority;
  readonly #buckets = new Map<number, LeasedBucket>();
  /** Requests wait for leases of them. */
  readonly #urgent = new Set<LeasedBucket>();
  /** When it was last called for them, by the shared clock. */
  #calledAt = -Infinity;
  readonly #known = Promise.withResolvers<void>();
  #onLoss: LossRule;
  #isUp = false;
  #isStopped = false;
  #exchanges = 0;
  #failures = 0;
  #shortages = 0;
  #look: NodeJS.Timeout | undefined;
  #isLooking = false;
  #pace: NodeJS.Timeout | undefined;
  /** Exchanges under way. */
  readonly #running = new Set<Promise<void>>();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#table = options.table;
    this.#onLoss = options.onLoss;
    this.ready = this.#known.promise;
    this.#table.setRegime(this.#lossRegime());
    this.#authority = options.connect((state) => {
      this.#changed(state);
    });
    void this.#watch();
  }

  get counts(): LeaseCounts {
    return {
      isUp: this.#isUp,
      buckets: this.#buckets.size,
      exchanges: this.#exchanges,
      failures: this.#failures,
      shortages: this.#shortages,
    };
  }

  /** What to admit while the authority is lost, from now on. */
  setLossRule(rule: LossRule): void {
    this.#onLoss = rule;
    if (!this.#isUp) {
      this.#table.setRegime(this.#lossRegime());
    }
  }

  /** Tells what was used, gives all leases back, and takes leave. Call it when no request runs any more. */
  async stop(): Promise<void> {
    if (this.#isStopped) {
      return;
    }
    this.#isStopped = true;
    clearTimeout(this.#look);
    clearTimeout(this.#pace);
    Atomics.notify(this.#table.header, ASK_WORD);
    await Promise.all(this.#running);
    if (this.#isUp) {
      // nothing is admitted any more, so that nothing is kept in stock either
      this.#table.setRegime(REGIME.closed);
      await this.#scan();
      await Promise.all(batches([...this.#buckets.values()]).map((batch) => this.#exchange(batch, "all back")));
    }
    await this.#authority.stop();
  }

  #lossRegime(): Regime {
    return REGIME[this.#onLoss];
  }

  #changed(state: AuthorityState): void {
    this.#isUp = state.state === "ok";
    if (this.#isStopped) {
      return;
    }
    this.#table.setMachines(this.#authority?.machines ?? 1);
    if (this.#isUp) {
      void this.#cameUp();
    } else {
      this.#table.setRegime(this.#lossRegime());
      this.#known.resolve();
    }
  }

  async #cameUp(): Promise<void> {
    await this.#scan();
    if (this.#isUp && !this.#isStopped) {
      this.#table.setRegime(REGIME.leased);
      this.#lookSoon();
    }
    this.#known.resolve();
  }

  /** Does something under the lock. This thread looks after workers that die, so it never waits for one that has. */
  async #locked<Result>(action: () => Result): Promise<Result> {
    const { lock } = this.#table;
    while (!lock.lockWithin(LOCK_MS)) {
      await sleep(1);
    }
    try {
      return action();
    } finally {
      lock.unlock();
    }
  }

  /** Wakes whenever a request asks for a lease. */
  async #watch(): Promise<void> {
    const { header } = this.#table;
    while (!this.#isStopped) {
      const seen = Atomics.load(header, ASK_WORD);
      await this.#takeAsked();
      const change = Atomics.waitAsync(header, ASK_WORD, seen);
      if (change.async) {
        await change.value;
      }
    }
  }

  async #takeAsked(): Promise<void> {
    const asked = await this.#locked(() => this.#table.takeAsked());
    if (asked === undefined) {
      await this.#scan();
    }
    for (const slot of asked ?? []) {
      if (!this.#table.isFree(slot)) {
        this.#urgent.add(this.#bucketAt(slot));
      }
    }
    this.#exchangeUrgent();
  }

  #bucketAt(slot: number): LeasedBucket {
    let bucket = this.#buckets.get(slot);
    if (bucket !== undefined && !bucket.isThere) {
      this.#drop(bucket);
      bucket = undefined;
    }
    if (bucket === undefined) {
      bucket = new LeasedBucket(this.#table, slot, this.#options.nameOf, sharedNowMs());
      this.#buckets.set(slot, bucket);
      this.#lookSoon();
    }
    return bucket;
  }

  #drop(bucket: LeasedBucket): void {
    bucket.letGo();
    this.#buckets.delete(bucket.slot);
    this.#urgent.delete(bucket);
    this.#authority.forget(bucket.name);
  }

  /** Takes up every bucket that holds or owes something: after a time in which nobody asked for leases. */
  async #scan(): Promise<void> {
    const table = this.#table;
    const now = sharedNowMs();
    const { highWater } = table;
    for (let from = 0; from < highWater; from += BATCH) {
      await this.#locked(() => {
        for (let slot = from; slot < Math.min(highWater, from + BATCH); slot++) {
          this.#takeUp(slot, now);
        }
      });
    }
  }

  #takeUp(slot: number, now: number): void {
    const table = this.#table;
    const isAsked = table.word(slot, WORD.asking) === 1;
    const fields = [DOUBLE.spent, DOUBLE.reserved, DOUBLE.lease] as const;
    if (!table.isFree(slot) && (isAsked || fields.some((field) => table.double(slot, field) !== 0))) {
      const bucket = this.#bucketAt(slot);
      if (table.regime !== REGIME.leased) {
        bucket.forgetDecayed(now);
      }
      if (isAsked) {
        this.#urgent.add(bucket);
      }
    }
  }

  #exchangeUrgent(): void {
    if (!this.#isUp || this.#isStopped) {
      return;
    }
    const now = sharedNowMs();
    const due: LeasedBucket[] = [];
    let nextMs = Infinity;
    for (const bucket of this.#urgent) {
      if (bucket.isBusy) {
        continue; // looked at again when its exchange is over
      }
      const waitMs = Math.max(bucket.nextAt, this.#calledAt + CALL_MS) - now;
      if (waitMs > 0) {
        nextMs = Math.min(nextMs, waitMs);
      } else {
        due.push(bucket);
        this.#urgent.delete(bucket);
      }
    }
    if (due.length > 0) {
      this.#calledAt = now;
    }
    for (const batch of batches(due)) {
      void this.#exchange(batch);
    }
    if (nextMs < Infinity) {
      clearTimeout(this.#pace);
      this.#pace = setTimeout(() => {
        this.#exchangeUrgent();
      }, nextMs);
    }
  }

  #lookSoon(): void {
    if (this.#look === undefined && !this.#isLooking && !this.#isStopped && this.#isUp && this.#buckets.size > 0) {
      this.#look = setTimeout(() => {
        this.#look = undefined;
        void this.#lookAtAll();
      }, LOOK_MS).unref();
    }
  }

  /** One batch after the other: what is not urgent does not crowd out what is. */
  async #lookAtAll(): Promise<void> {
    this.#isLooking = true;
    this.#table.setMachines(this.#authority.machines);
    for (const batch of batches([...this.#buckets.values()])) {
      const due = await this.#locked(() => this.#dueOf(batch));
      if (due.length > 0) {
        await this.#exchange(due);
      }
      if (!this.#isUp || this.#isStopped) {
        break;
      }
    }
    this.#isLooking = false;
    this.#lookSoon();
  }

  #dueOf(batch: readonly LeasedBucket[]): LeasedBucket[] {
    const now = sharedNowMs();
    const due: LeasedBucket[] = [];
    for (const bucket of batch) {
      if (bucket.isBusy) {
        continue;
      }
      if (!bucket.isThere || bucket.isDone(now)) {
        this.#drop(bucket);
      } else if (bucket.isDue(now, this.#authority.machines, this.#options.leaseMs)) {
        due.push(bucket);
      }
    }
    return due;
  }

  /** Exchanges some buckets, none of which is busy. Never rejects. */
  #exchange(batch: readonly LeasedBucket[], what: "as planned" | "all back" = "as planned"): Promise<void> {
    const run = this.#run(batch, what).finally(() => {
      this.#running.delete(run);
    });
    this.#running.add(run);
    return run;
  }

  async #run(batch: readonly LeasedBucket[], what: "as planned" | "all back"): Promise<void> {
    const begun = await this.#locked(() => this.#begin(batch, what));
    if (begun.length === 0) {
      return;
    }
    this.#exchanges += begun.length;
    try {
      const grants = await this.#authority.exchange(begun.map(({ request }) => request));
      await this.#locked(() => {
        const now = sharedNowMs();
        for (const [index, { bucket }] of begun.entries()) {
          this.#shortages += bucket.finish(grants[index]!, now) === "short" ? 1 : 0;
        }
      });
    } catch {
      // why it failed is told by the authority's state
      this.#failures += begun.length;
      await this.#locked(() => {
        for (const { bucket } of begun) {
          bucket.failed();
        }
      });
    }
    this.#exchangeUrgent();
  }

  #begin(batch: readonly LeasedBucket[], what: "as planned" | "all back"): Begun[] {
    const now = sharedNowMs();
    const begun: Begun[] = [];
    for (const bucket of batch) {
      if (bucket.isBusy) {
        this.#urgent.add(bucket); // taken up again when its exchange is over
      } else if (bucket.isThere) {
        const { machines } = this.#authority;
        begun.push({
          bucket,
          request: what === "all back" ? bucket.beginGivingBack(now) : bucket.begin(now, machines),
        });
      }
    }
    return begun;
  }
}

/** A bucket whose exchange has begun, and what it says. */
interface Begun {
  readonly bucket: LeasedBucket;
  readonly request: BucketExchange;
}

function batches(buckets: readonly LeasedBucket[]): LeasedBucket[][] {
  return Array.from({ length: Math.ceil(buckets.length / BATCH) }, (_, index) =>
    buckets.slice(index * BATCH, (index + 1) * BATCH),
  );
}
