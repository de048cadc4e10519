/** One bucket that this machine leases from an authority: what it says in an exchange, and what it takes from the answer. */
import { BUCKET_KINDS, isMonthly, isRate, subjectText, type BucketKey } from "../bucket.ts";
import { DOUBLE, WORD } from "../bucket-layout.ts";
import type { BucketTable } from "../bucket-table.ts";
import type { BucketExchange, BucketGrant, BucketMode } from "./authority.ts";
import { planLease, refillMs, stockOf, type LeaseSituation } from "./lease-policy.ts";

/** What was used is told after so long, in milliseconds; so late others know of it. */
const TELL_MS = 100;
/** A lease that is not touched is looked after so often: others may need it. */
const HOLD_MS = 250;
/** After so long without a request nothing is kept in stock. */
const IDLE_MS = 2_000;
/** Over so long recent use is measured. */
const RECENT_MS = 2_000;
/** What waits within this time shares an exchange … */
const PACE_MS = 10;
/** … and where there is little, within this: what is freed meanwhile is not lost. */
const SCARCE_PACE_MS = 40;
/** What waits for more than flows back within this asks again even so: others may have given something back. */
const LONGEST_PACE_MS = TELL_MS;
/** Machines that ask at the same pace would ask in the same order for ever, and the first would get most. */
const PACE_SPREAD = 0.25;
/** A request that others' stock could serve waits so long for them to give it back … */
const PATIENCE_MS = 300;
/** … and when they did not, others that come within this time do not wait for it. */
const IMPATIENT_MS = 2_000;
/** For so long after it was said that nothing is left, it is not asked again. */
const SCARCE_MS = 100;

/** What an exchange under way has said. */
interface Sent {
  readonly need: number;
  /** Requests wait for its answer. */
  readonly isAsked: boolean;
  /** The lease that was left and kept. */
  readonly held: number;
  /** The lease that all need that run or wait. */
  readonly asked: number;
  /** Since the exchange before it; after a rest no more than a busy bucket's, since that tells nothing of its pace. */
  readonly elapsedMs: number;
}

/** One bucket's dealings with the authority. Everything here is called under the buckets' lock. */
export class LeasedBucket {
  readonly slot: number;
  readonly name: string;
  /** An exchange of it is under way. */
  isBusy = false;
  /** When the last exchange began, in the shared clock's milliseconds. */
  sentAt = -Infinity;
  readonly #table: BucketTable;
  readonly #key: BucketKey;
  readonly #mode: BucketMode;
  /** Told since this object was made: the authority's counter of it. */
  #told = 0;
  #recentUse = 0;
  #recentAt: number;
  #taken: number;
  #takenAt: number;
  #used = 0;
  #others = 0;
  #isContested = false;
  /** Of the exchange under way. */
  #sent: Sent = { need: 0, isAsked: false, held: 0, asked: 0, elapsedMs: 0 };
  #paceMs = PACE_MS;
  /** What the last exchange said may not have been heard, and must be said again. */
  #isUnheard = false;
  /** What fitted in when the last exchange began. */
  #capacity = 0;
  #patientSince: number | undefined;
  #impatientUntil = -Infinity;

  /** @param slot in use @param nameOf resolves name-table ids @param now the shared clock */
  constructor(table: BucketTable, slot: number, nameOf: (id: number) => string, now: number) {
    const kind = table.kind(slot);
    this.slot = slot;
    this.#table = table;
    this.#key = table.keyAt(slot);
    this.#mode = isRate(kind) ? "rate" : isMonthly(kind) ? "total" : "concurrency";
    this.name = bucketName(table, slot, nameOf);
    this.#taken = 0;
    this.#takenAt = now;
    this.#recentAt = now - RECENT_MS;
    table.setDouble(slot, DOUBLE.kept, 1);
  }

  /** It is forgotten: if something of it is used later, that is told anew. */
  letGo(): void {
    if (this.isThere) {
      this.#table.setDouble(this.slot, DOUBLE.kept, 0);
    }
  }

  /** The slot is still this bucket's. */
  get isThere(): boolean {
    return this.#table.isAt(this.slot, this.#key);
  }

  /** When it may be asked for again, in the shared clock's milliseconds. */
  get nextAt(): number {
    return this.sentAt + this.#paceMs;
  }

  /** Nothing is held, owed or wanted: it can be forgotten. */
  isDone(now: number): boolean {
    const held = this.#get(DOUBLE.lease) > 0 || this.#get(DOUBLE.reserved) > 0 || this.#get(DOUBLE.waiting) > 0;
    const spent = this.#get(DOUBLE.spent);
    return !held && !this.#isUnheard && !isOwed(spent) && spent <= 0 && now - this.#takenAt > IDLE_MS;
  }

  /** Measures what is used, and says whether an exchange is due that no request waits for. */
  isDue(now: number, machines: number, leaseMs: number): boolean {
    this.#measure(now);
    if (now < this.nextAt) {
      return false;
    }
    const spent = this.#get(DOUBLE.spent);
    const lease = this.#get(DOUBLE.lease);
    const spare = lease - spent - this.#get(DOUBLE.reserved);
    const silentMs = now - this.sentAt;
    const plan = planLease(this.#situation(lease - spent, machines));
    const isIdle = now - this.#takenAt > IDLE_MS;
    return (
      ((isOwed(spent) || this.#isUnheard) && silentMs >= TELL_MS) ||
      (isIdle && (spare > 0 || spent > 0)) ||
      (spare > 0 && silentMs >= HOLD_MS) ||
      (plan.isUrgent && silentMs >= TELL_MS / 2) ||
      (lease > 0 && silentMs >= leaseMs / 3)
    );
  }

  /** Begins an exchange: what it tells is no longer in the table, and what is given back is no longer used. */
  begin(now: number, machines: number): BucketExchange {
    this.#table.decay(this.slot, now);
    this.#measure(now);
    if (this.#get(DOUBLE.capacity) < this.#capacity) {
      // the authority knows of a lease under the old limit: it must take that back before it is asked for more
      return this.beginGivingBack(now);
    }
    const situation = this.#situation(this.#get(DOUBLE.lease) - this.#get(DOUBLE.spent), machines);
    return this.#tell(now, this.#wanted(situation, now), planLease(situation).need);
  }

  /** The same, but everything is given back but what requests still hold. */
  beginGivingBack(now: number): BucketExchange {
    this.#table.decay(this.slot, now);
    const reserved = Math.ceil(this.#get(DOUBLE.reserved));
    return this.#tell(now, reserved, reserved);
  }

  #tell(now: number, wanted: number, need: number): BucketExchange {
    const { slot } = this;
    const table = this.#table;
    // rounded up, so that nothing is owed when all is told; what is told too early is less the next time
    const spent = Math.ceil(this.#get(DOUBLE.spent));
    const earlier = Math.max(0, Math.floor(this.#get(DOUBLE.total) - this.#get(DOUBLE.spent) - this.#told));
    const reserved = Math.ceil(this.#get(DOUBLE.reserved));
    const held = Math.max(0, Math.floor(this.#get(DOUBLE.lease) - spent));
    table.setDouble(slot, DOUBLE.spent, this.#get(DOUBLE.spent) - spent);
    table.setDouble(slot, DOUBLE.lease, Math.min(held, wanted));
    this.#told += spent;
    this.#sent = {
      ...{ need, held: Math.min(held, wanted), asked: reserved + this.#get(DOUBLE.waiting) },
      ...{ isAsked: table.word(slot, WORD.asking) === 1, elapsedMs: Math.min(now - this.sentAt, HOLD_MS) },
    };
    table.setWord(slot, WORD.asking, 0);
    table.setDouble(slot, DOUBLE.waiting, 0);
    table.setDouble(slot, DOUBLE.smallest, 0);
    this.isBusy = true;
    this.sentAt = now;
    const [capacity, ratePerMs] = [this.#get(DOUBLE.capacity), this.#get(DOUBLE.ratePerMs)];
    this.#capacity = capacity;
    const amounts = { spent, held, reserved, wanted, need };
    return { bucket: this.name, mode: this.#mode, capacity, ratePerMs, ...amounts, earlier };
  }

  /**
   * Takes the answer to what `begin` said.
   * @returns `short` if what requests wait for is not to be had
   */
  finish(grant: BucketGrant, now: number): "short" | "done" {
    this.isBusy = false;
    this.#isUnheard = false;
    const table = this.#table;
    const { slot } = this;
    if (!this.isThere) {
      return "done"; // the slot went to another bucket, so nothing of this one is used: its lease just ends
    }
    this.#used = grant.used;
    this.#others = grant.others;
    this.#isContested = grant.isContested;
    table.setDouble(slot, DOUBLE.lease, grant.lease);
    table.setDouble(slot, DOUBLE.leaseEndsAt, grant.leaseEndsAt);
    table.setDouble(slot, DOUBLE.elsewhere, grant.used + grant.others);
    table.setDouble(slot, DOUBLE.usedByAll, grant.used);
    table.setDouble(slot, DOUBLE.exchangedAt, this.sentAt);
    if (this.#get(DOUBLE.capacity) < this.#capacity) {
      table.trimLease(slot, now); // the limit was lowered while the answer was on its way
    }
    const isShort = this.#sent.isAsked && grant.lease < this.#sent.need;
    this.#paceMs = this.#paceAfter(grant);
    if (!isShort) {
      this.#patientSince = undefined;
      table.setDouble(slot, DOUBLE.scarceUntil, 0);
      return "done";
    }
    const mayBeGivenBack = grant.others > 0 && this.#get(DOUBLE.capacity) - grant.used >= this.#sent.need;
    if (mayBeGivenBack && now >= this.#impatientUntil) {
      this.#patientSince ??= now;
      if (now - this.#patientSince < PATIENCE_MS) {
        return "done";
      }
      this.#impatientUntil = now + IMPATIENT_MS;
    }
    this.#patientSince = undefined;
    table.setDouble(slot, DOUBLE.scarceUntil, now + SCARCE_MS);
    return "short";
  }

  #paceAfter({ lease, used, others, isContested }: BucketGrant): number {
    const { need, held, asked, elapsedMs } = this.#sent;
    const missing = asked - lease;
    if (missing <= 0) {
      return isContested ? SCARCE_PACE_MS : PACE_MS;
    }
    const refill = refillMs({
      ratePerMs: this.#get(DOUBLE.ratePerMs),
      granted: lease - held,
      elapsedMs,
      missing,
      smallestMissing: need - (this.#get(DOUBLE.capacity) - used - others),
    });
    const paceMs = Math.min(LONGEST_PACE_MS, Math.max(SCARCE_PACE_MS, refill));
    return paceMs * (1 + PACE_SPREAD * (2 * Math.random() - 1));
  }

  /** The exchange failed for a reason that may be over: those that asked are asked for again. */
  failed(): void {
    this.isBusy = false;
    this.#isUnheard = true;
    const { need, isAsked } = this.#sent;
    if (isAsked && this.isThere) {
      this.#table.ask(this.slot, Math.max(1, need - Math.ceil(this.#get(DOUBLE.reserved))));
    }
  }

  /** Of what was used while the authority was lost, only what has not decayed since counts. */
  forgetDecayed(now: number): void {
    if (this.#mode !== "rate") {
      return;
    }
    this.#table.decay(this.slot, now);
    const gone = this.#get(DOUBLE.spent) - this.#get(DOUBLE.used);
    if (gone > 0) {
      this.#table.setDouble(this.slot, DOUBLE.spent, this.#get(DOUBLE.spent) - gone);
      this.#table.setDouble(this.slot, DOUBLE.lease, Math.max(0, this.#get(DOUBLE.lease) - gone));
    }
  }

  /** What to hold: as planned, but twice the stock while nobody else lacks it, so that it does not go to and fro. */
  #wanted(situation: LeaseSituation, now: number): number {
    const { wanted } = planLease(situation);
    if (now - this.#takenAt > IDLE_MS || situation.isContested) {
      return wanted;
    }
    return Math.max(wanted, Math.min(situation.lease, Math.ceil(wanted + stockOf(situation))));
  }

  #situation(lease: number, machines: number): LeaseSituation {
    const waiting = this.#get(DOUBLE.waiting);
    return {
      capacity: this.#get(DOUBLE.capacity),
      used: this.#used,
      others: this.#others,
      machines,
      lease,
      reserved: this.#get(DOUBLE.reserved),
      waiting,
      smallestWaiting: this.#get(DOUBLE.smallest),
      largestRequest: this.#get(DOUBLE.needed),
      recentUse: this.#recentUse,
      isContested: this.#isContested,
    };
  }

  #measure(now: number): void {
    const taken = this.#get(DOUBLE.taken);
    const more = taken - this.#taken;
    this.#taken = taken;
    if (more > 0) {
      this.#takenAt = now;
    }
    const isIdle = now - this.#takenAt > IDLE_MS;
    this.#recentUse = isIdle ? 0 : this.#recentUse * Math.exp(-Math.max(0, now - this.#recentAt) / RECENT_MS) + more;
    this.#recentAt = now;
    if (isIdle) {
      this.#table.setDouble(this.slot, DOUBLE.needed, 0);
    }
  }

  #get(field: (typeof DOUBLE)[keyof typeof DOUBLE]): number {
    return this.#table.double(this.slot, field);
  }
}

/** It is to be told: used, or settled too high before. */
function isOwed(spent: number): boolean {
  return Math.abs(spent) >= 1;
}

/** What all machines call the bucket: printable, without spaces. */
export function bucketName(table: BucketTable, slot: number, nameOf: (id: number) => string): string {
  const kind = BUCKET_KINDS[table.kind(slot)]!;
  const period = table.word(slot, WORD.period);
  const month = period === 0 ? "" : `:${Math.floor(period / 100)}-${String(period % 100).padStart(2, "0")}`;
  const text = `${kind}:${subjectText(table.subject(slot), nameOf)}${month}`;
  return text.toWellFormed().replaceAll(/[^\x21-\x7e]/gu, encodeURIComponent);
}
