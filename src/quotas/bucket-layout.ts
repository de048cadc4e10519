/**
 * Where things lie in the memory that all threads share: a header with the lock and the journal, an index, and the
 * buckets. Untouched memory costs nothing, so there is room for a million buckets.
 */

// Words of the header.
export const LOCK_WORD = 0;
/** Buckets in use or free again; buckets beyond were never used. */
export const HIGH_WATER_WORD = 1;
export const SLOT_COUNT_WORD = 2;
/** Buckets in use. */
export const LIVE_WORD = 3;
/** How many lines the journal of an operation has. */
export const JOURNAL_COUNT_WORD = 4;
/** The reservation that the operation in the journal is about, plus one; 0: none is under way. */
export const JOURNAL_RECORD_WORD = 5;
/** Counts up when a bucket asks for a lease; who grants leases waits on it. */
export const ASK_WORD = 6;
/** Buckets that were asked for and not yet looked at; more than the queue holds: look at all. Under the lock. */
export const ASK_COUNT_WORD = 9;
/** A number of `REGIME`. */
export const REGIME_WORD = 7;
/** Machines that share the limits; for the safe share while the authority is lost. */
export const MACHINES_WORD = 8;
/** Who decides what may be admitted. */
export const REGIME = {
  /** This machine alone. */
  alone: 0,
  /** An authority, by leases. */
  leased: 1,
  /** The authority is lost: leases that are left, then this machine's share of the limit. */
  share: 2,
  /** The authority is lost: everything is admitted. */
  open: 3,
  /** The authority is lost: leases that are left, then nothing. */
  closed: 4,
} as const;
export type Regime = (typeof REGIME)[keyof typeof REGIME];
/** Bucket numbers of the journal's lines. */
export const JOURNAL_SLOTS_WORD = 64;
/** Journal lines: a request touches at most so many buckets at once. */
export const MAX_BUCKETS_PER_REQUEST = 36;
const JOURNAL_BYTE = 512;
/** Doubles a journal line: what an operation changes of a bucket. */
export const JOURNAL_LINE = 5;
/** Doubles of the reservation as it was. */
export const JOURNAL_RECORD_DOUBLE = JOURNAL_BYTE / 8 + MAX_BUCKETS_PER_REQUEST * JOURNAL_LINE;
export const JOURNAL_DOUBLE = JOURNAL_BYTE / 8;
const ASK_QUEUE_BYTE = 2_048;
/** Where the numbers of the buckets that leases are asked for lie. */
export const ASK_QUEUE_WORD = ASK_QUEUE_BYTE / 4;
export const ASK_QUEUE_LENGTH = 1_024;
export const HEADER_BYTES = ASK_QUEUE_BYTE + ASK_QUEUE_LENGTH * 4;

// A bucket: words first, then doubles.
export const SLOT_BYTES = 192;
export const SLOT_WORDS = SLOT_BYTES / 4;
export const SLOT_DOUBLES = SLOT_BYTES / 8;
export const WORD = {
  /** 0: free; else 1 + type × 8 + kind. */
  identity: 0,
  first: 1,
  second: 2,
  third: 3,
  /** YYYYMM of a monthly bucket, else 0. */
  period: 4,
  /** 1: a request waits for a lease. */
  asking: 5,
} as const;
export const DOUBLE = {
  /** When the exchange with the authority began that was last answered, by the shared clock; 0: never. */
  exchangedAt: 3,
  /** As people say it: a minute, at once, or a month. */
  limit: 4,
  /** What fits in. */
  capacity: 5,
  /** What decays in a millisecond; 0 where nothing does. */
  ratePerMs: 6,
  /** Settled use that has not decayed, as of `stampMs`; may exceed the capacity (a debt). */
  used: 7,
  stampMs: 8,
  /** Held for requests that run; does not decay. */
  reserved: 9,
  /** What an authority granted this machine and has not been accounted for. */
  lease: 10,
  /** Settled since the last exchange with the authority. */
  spent: 11,
  /** At the last exchange: used on all machines, and held by the others. */
  elsewhere: 12,
  /** Settled since the bucket was made, or since the month began: never decays. */
  total: 13,
  /** The most that a request needed that waited lately. */
  needed: 14,
  /** `used` as the store has it. */
  stored: 15,
  /** What all requests need that wait for a lease and no exchange has begun for. */
  waiting: 16,
  /** What the smallest of them needs; 0 if there is none. */
  smallest: 17,
  /** From then on nothing more is admitted from the lease, by the shared clock. */
  leaseEndsAt: 18,
  /** Until then an authority is not asked for more than is left as far as is known, by the shared clock. */
  scarceUntil: 19,
  /** Reserved or, of requests, counted since the bucket was made; never less. */
  taken: 20,
  /** Of `elsewhere`: used on all machines. */
  usedByAll: 21,
  /** Of a month: used on all machines when it was last looked whether there is something to tell. */
  told: 22,
  /** 1 while who grants leases looks after it, by which what is used of it is told to the others. */
  kept: 23,
} as const;

/** Default number of buckets: 200 MiB of address space, taken only as it is used. */
const DEFAULT_SLOTS = 1 << 20;

/** Offsets in bytes. */
export function bucketParts(slots: number): { readonly index: number; readonly slots: number; readonly total: number } {
  const slotsAt = HEADER_BYTES + slots * 2 * 4;
  return { index: HEADER_BYTES, slots: slotsAt, total: slotsAt + slots * SLOT_BYTES };
}

/** Makes the shared memory of all buckets. @param slots how many: a power of two, at least 16 */
export function createBucketMemory(slots: number = DEFAULT_SLOTS): SharedArrayBuffer {
  if (slots < 16 || slots > DEFAULT_SLOTS * 4 || (slots & (slots - 1)) !== 0) {
    throw new RangeError(`${slots} buckets: give a power of two from 16 to ${DEFAULT_SLOTS * 4}`);
  }
  const memory = new SharedArrayBuffer(bucketParts(slots).total);
  const header = new Int32Array(memory, 0, HEADER_BYTES / 4);
  header[SLOT_COUNT_WORD] = slots;
  header[MACHINES_WORD] = 1;
  return memory;
}
