/** The buckets in shared memory: finding and making them, reading them, and the lock that every change is made under. */
import { SharedMutex } from "../lib/shared-mutex.ts";
import { isMonthly, isRate, SUBJECT_TYPES, type BucketKey, type Subject, type SubjectType } from "./bucket.ts";
import {
  ASK_COUNT_WORD,
  ASK_QUEUE_LENGTH,
  ASK_QUEUE_WORD,
  ASK_WORD,
  bucketParts,
  DOUBLE,
  HEADER_BYTES,
  HIGH_WATER_WORD,
  LIVE_WORD,
  LOCK_WORD,
  MACHINES_WORD,
  REGIME,
  REGIME_WORD,
  type Regime,
  SLOT_BYTES,
  SLOT_COUNT_WORD,
  SLOT_DOUBLES,
  SLOT_WORDS,
  WORD,
} from "./bucket-layout.ts";

/** Making room can wait for the next time. */
const RECLAIM_PATIENCE_MS = 5;

type Word = (typeof WORD)[keyof typeof WORD];
type Double = (typeof DOUBLE)[keyof typeof DOUBLE];

/** One thread's view of all buckets. */
export class BucketTable {
  readonly header: Int32Array;
  /** Doubles of the header, where the journal lies. */
  readonly journal: Float64Array;
  readonly lock: SharedMutex;
  readonly #index: Int32Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #slots: number;
  /** Where a free slot was last looked for. */
  #cursor = 0;

  /** @param memory from `createBucketMemory` @param owner a number of this thread alone, from 1 */
  constructor(memory: SharedArrayBuffer, owner: number) {
    this.header = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.journal = new Float64Array(memory, 0, HEADER_BYTES / 8);
    this.#slots = this.header[SLOT_COUNT_WORD]!;
    const parts = bucketParts(this.#slots);
    this.#index = new Int32Array(memory, parts.index, this.#slots * 2);
    this.#words = new Int32Array(memory, parts.slots, (this.#slots * SLOT_BYTES) / 4);
    this.#doubles = new Float64Array(memory, parts.slots, (this.#slots * SLOT_BYTES) / 8);
    this.lock = new SharedMutex(this.header, LOCK_WORD, owner);
  }

  /** Buckets that there is room for. */
  get size(): number {
    return this.#slots;
  }

  /** Buckets below this number are or were in use. */
  get highWater(): number {
    return Atomics.load(this.header, HIGH_WATER_WORD);
  }

  /** Buckets in use. */
  get live(): number {
    return Atomics.load(this.header, LIVE_WORD);
  }

  /** Who decides what may be admitted. */
  get regime(): Regime {
    return this.header[REGIME_WORD] as Regime;
  }

  setRegime(regime: Regime): void {
    Atomics.store(this.header, REGIME_WORD, regime);
  }

  /** Machines that share the limits, this one included. */
  get machines(): number {
    return this.header[MACHINES_WORD]!;
  }

  setMachines(count: number): void {
    Atomics.store(this.header, MACHINES_WORD, Math.max(1, count));
  }

  /** What this machine may still give out of a bucket. May be negative. Call it under the lock, after `decay`. */
  remaining(slot: number): number {
    const base = slot * SLOT_DOUBLES;
    const reserved = this.#doubles[base + DOUBLE.reserved]!;
    const capacity = this.#doubles[base + DOUBLE.capacity]!;
    const used = this.#doubles[base + DOUBLE.used]!;
    const leased = this.#doubles[base + DOUBLE.lease]! - this.#doubles[base + DOUBLE.spent]! - reserved;
    switch (this.regime) {
      case REGIME.alone:
        return capacity - used - reserved;
      case REGIME.share:
        return Math.max(leased, capacity / this.machines - used - reserved);
      case REGIME.open:
        return Infinity;
      case REGIME.leased:
      case REGIME.closed:
        return leased;
    }
  }

  word(slot: number, word: Word): number {
    return this.#words[slot * SLOT_WORDS + word]!;
  }

  setWord(slot: number, word: Word, value: number): void {
    this.#words[slot * SLOT_WORDS + word] = value;
  }

  double(slot: number, field: Double): number {
    return this.#doubles[slot * SLOT_DOUBLES + field]!;
  }

  setDouble(slot: number, field: Double, value: number): void {
    this.#doubles[slot * SLOT_DOUBLES + field] = value;
  }

  /** A number of `KIND`. Not for a free slot. */
  kind(slot: number): number {
    return (this.word(slot, WORD.identity) - 1) & 7;
  }

  isFree(slot: number): boolean {
    return this.word(slot, WORD.identity) === 0;
  }

  subject(slot: number): Subject {
    const type: SubjectType = SUBJECT_TYPES[(this.word(slot, WORD.identity) - 1) >> 3]!;
    return {
      type,
      first: this.word(slot, WORD.first),
      second: this.word(slot, WORD.second),
      third: this.word(slot, WORD.third),
    };
  }

  /** What names the bucket in a slot. Not for a free one. */
  keyAt(slot: number): BucketKey {
    return {
      identity: this.word(slot, WORD.identity),
      first: this.word(slot, WORD.first),
      second: this.word(slot, WORD.second),
      third: this.word(slot, WORD.third),
      period: this.word(slot, WORD.period),
    };
  }

  /** The slot is still the bucket of that name: buckets that nobody uses are given to others. */
  isAt(slot: number, key: BucketKey): boolean {
    const base = slot * SLOT_WORDS;
    return (
      slot >= 0 &&
      this.#words[base + WORD.identity] === key.identity &&
      this.#words[base + WORD.first] === key.first &&
      this.#words[base + WORD.second] === key.second &&
      this.#words[base + WORD.third] === key.third &&
      this.#words[base + WORD.period] === key.period
    );
  }

  /** The bucket of that name, or -1 if there is none. Call it under the lock. */
  find(key: BucketKey): number {
    return this.#index[this.#probe(key)]! - 1;
  }

  /** The bucket of that name, made if there is none; -1 if there is no room. Call it under the lock. */
  findOrCreate(key: BucketKey, now: number): number {
    const at = this.#probe(key);
    const known = this.#index[at]! - 1;
    if (known >= 0) {
      return known;
    }
    if (this.live >= this.#slots) {
      return -1;
    }
    const slot = this.#freeSlot();
    this.#words.fill(0, slot * SLOT_WORDS, (slot + 1) * SLOT_WORDS);
    this.setWord(slot, WORD.first, key.first);
    this.setWord(slot, WORD.second, key.second);
    this.setWord(slot, WORD.third, key.third);
    this.setWord(slot, WORD.period, key.period);
    this.setDouble(slot, DOUBLE.stampMs, now);
    // last, atomically: whoever sees it, or finds it after this thread has died, sees a whole bucket
    Atomics.store(this.#words, slot * SLOT_WORDS + WORD.identity, key.identity);
    this.#index[at] = slot + 1;
    Atomics.add(this.header, LIVE_WORD, 1);
    return slot;
  }

  /**
   * What could still be had on all machines together, as far as this one knows; less than `remaining` or negative where
   * it knows of none. Call it under the lock.
   */
  knownFree(slot: number, now: number): number {
    const decayed = Math.max(0, now - this.double(slot, DOUBLE.exchangedAt)) * this.double(slot, DOUBLE.ratePerMs);
    const elsewhere = Math.max(0, this.double(slot, DOUBLE.elsewhere) - decayed);
    const own = this.double(slot, DOUBLE.spent) + this.double(slot, DOUBLE.reserved);
    return this.double(slot, DOUBLE.capacity) - elsewhere - own;
  }

  /** The limit was lowered: what was leased under the old one is used only as far as the new one allows. Under the lock. */
  trimLease(slot: number, now: number): void {
    const taken = this.double(slot, DOUBLE.spent) + this.double(slot, DOUBLE.reserved);
    const fits = taken + Math.max(0, this.knownFree(slot, now));
    this.setDouble(slot, DOUBLE.lease, Math.min(this.double(slot, DOUBLE.lease), fits));
  }

  /** Lets what was used decay to now, and a lease end that was not renewed. Call it under the lock. */
  decay(slot: number, now: number): void {
    const base = slot * SLOT_DOUBLES;
    const isShare = this.regime === REGIME.share;
    const rate = this.#doubles[base + DOUBLE.ratePerMs]! / (isShare ? this.machines : 1);
    if (rate > 0) {
      const elapsed = now - this.#doubles[base + DOUBLE.stampMs]!;
      if (elapsed > 0) {
        this.#doubles[base + DOUBLE.used] = Math.max(0, this.#doubles[base + DOUBLE.used]! - elapsed * rate);
        this.#doubles[base + DOUBLE.stampMs] = now;
      }
    }
    if (now >= this.#doubles[base + DOUBLE.leaseEndsAt]!) {
      const bound = this.#doubles[base + DOUBLE.spent]! + this.#doubles[base + DOUBLE.reserved]!;
      this.#doubles[base + DOUBLE.lease] = Math.min(this.#doubles[base + DOUBLE.lease]!, bound);
    }
  }

  /** Tells who grants leases that one more request waits for one. Call it under the lock. */
  ask(slot: number, amount: number): void {
    this.#ask(slot, amount, this.double(slot, DOUBLE.waiting) + amount);
  }

  /** The same for a request that may have said so before. Call it under the lock. */
  askAgain(slot: number, amount: number): void {
    this.#ask(slot, amount, Math.max(this.double(slot, DOUBLE.waiting), amount));
  }

  #ask(slot: number, amount: number, waiting: number): void {
    const smallest = this.double(slot, DOUBLE.smallest);
    this.setDouble(slot, DOUBLE.waiting, waiting);
    this.setDouble(slot, DOUBLE.smallest, smallest > 0 ? Math.min(smallest, amount) : amount);
    this.setDouble(slot, DOUBLE.needed, Math.max(this.double(slot, DOUBLE.needed), amount));
    this.#queue(slot);
  }

  #queue(slot: number): void {
    if (this.word(slot, WORD.asking) === 0) {
      this.setWord(slot, WORD.asking, 1);
      const count = this.header[ASK_COUNT_WORD]!;
      if (count < ASK_QUEUE_LENGTH) {
        this.header[ASK_QUEUE_WORD + count] = slot;
      }
      this.header[ASK_COUNT_WORD] = count + 1;
    }
    Atomics.add(this.header, ASK_WORD, 1);
    Atomics.notify(this.header, ASK_WORD);
  }

  /** Tells who grants leases, and does not look after this bucket now, that something of it was used. Under the lock. */
  tell(slot: number): void {
    this.#queue(slot);
  }

  /** The buckets that leases were asked for since the last time, or undefined if too many to be named. Under the lock. */
  takeAsked(): readonly number[] | undefined {
    const count = this.header[ASK_COUNT_WORD]!;
    this.header[ASK_COUNT_WORD] = 0;
    return count > ASK_QUEUE_LENGTH
      ? undefined
      : Array.from(this.header.subarray(ASK_QUEUE_WORD, ASK_QUEUE_WORD + count));
  }

  /**
   * Gives slots of buckets that hold nothing back: rates that have decayed, and months before `oldestMonth` (YYYYMM).
   * Takes the lock for as long as it lasts, so call it seldom.
   * @param inUse called once, under the lock: the buckets of requests that run, which settle in them at their end
   * @returns how many were freed
   */
  reclaim(now: number, oldestMonth: number, inUse: () => ReadonlySet<number> = noSlots): number {
    if (!this.lock.lockWithin(RECLAIM_PATIENCE_MS)) {
      return 0; // its holder may have died, and the caller be the one who puts that right
    }
    try {
      const kept = inUse();
      let freed = 0;
      for (let slot = 0; slot < this.highWater; slot++) {
        if (!this.isFree(slot) && this.#isIdle(slot, now, oldestMonth) && !kept.has(slot)) {
          this.setWord(slot, WORD.identity, 0);
          freed++;
        }
      }
      if (freed > 0) {
        this.rebuildIndex();
      }
      return freed;
    } finally {
      this.lock.unlock();
    }
  }

  #isIdle(slot: number, now: number, oldestMonth: number): boolean {
    if (this.double(slot, DOUBLE.reserved) > 0 || this.double(slot, DOUBLE.lease) > 0) {
      return false;
    }
    if (this.double(slot, DOUBLE.spent) > 0 && this.regime !== REGIME.alone) {
      return false;
    }
    const kind = this.kind(slot);
    if (isMonthly(kind)) {
      return this.word(slot, WORD.period) < oldestMonth;
    }
    if (isRate(kind)) {
      this.decay(slot, now);
      return this.double(slot, DOUBLE.used) === 0;
    }
    return true;
  }

  /** Makes index and count anew, also when a thread has died while it made a bucket. Call it under the lock. */
  rebuildIndex(): void {
    this.#index.fill(0);
    let live = 0;
    for (let slot = 0; slot < this.highWater; slot++) {
      if (!this.isFree(slot)) {
        live++;
        let at = this.#home(this.keyAt(slot));
        while (this.#index[at] !== 0) {
          at = (at + 1) % this.#index.length;
        }
        this.#index[at] = slot + 1;
      }
    }
    Atomics.store(this.header, LIVE_WORD, live);
  }

  #freeSlot(): number {
    const { highWater } = this;
    if (highWater < this.#slots) {
      Atomics.store(this.header, HIGH_WATER_WORD, highWater + 1);
      return highWater;
    }
    while (!this.isFree(this.#cursor)) {
      this.#cursor = (this.#cursor + 1) % this.#slots;
    }
    return this.#cursor;
  }

  /** Where in the index the bucket of that name is, or would be. */
  #probe(key: BucketKey): number {
    let at = this.#home(key);
    for (; ; at = (at + 1) % this.#index.length) {
      const slot = this.#index[at]! - 1;
      if (slot < 0 || this.isAt(slot, key)) {
        return at;
      }
    }
  }

  #home({ identity, first, second, third, period }: BucketKey): number {
    const hash = mix(mix(mix(mix(mix(0, identity), first), second), third), period);
    return (hash >>> 0) % this.#index.length;
  }
}

const noSlots = (): ReadonlySet<number> => new Set();

function mix(hash: number, part: number): number {
  const mixed = Math.imul(hash ^ part, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
