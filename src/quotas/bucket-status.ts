/** How full a bucket is, for people and headers: on all machines, as far as this one knows. */
import { isMonthly } from "./bucket.ts";
import { DOUBLE, REGIME } from "./bucket-layout.ts";
import type { BucketTable } from "./bucket-table.ts";

/** How full a bucket is. */
export interface BucketStatus {
  readonly limit: number;
  readonly capacity: number;
  readonly used: number;
  /** Held for requests that run on this machine. */
  readonly reserved: number;
  /** Held by other machines, for their requests or in stock. */
  readonly heldElsewhere: number;
  /** What is neither used nor held; not negative. */
  readonly remaining: number;
  /** Milliseconds until a bucket of a minute is empty again if nothing comes; 0 for others. */
  readonly resetMs: number;
}

/** What others held is held no more after this, if it was not heard of again: their leases have ended. */
const HELD_MS = 10_000;

/**
 * Read without the lock, so its parts may be of slightly different moments.
 * @param now the shared clock
 */
export function bucketStatus(table: BucketTable, slot: number, now: number): BucketStatus {
  const limit = table.double(slot, DOUBLE.limit);
  const capacity = table.double(slot, DOUBLE.capacity);
  const reserved = table.double(slot, DOUBLE.reserved);
  const rate = table.double(slot, DOUBLE.ratePerMs);
  const isShared = table.regime === REGIME.leased;
  const since = table.double(slot, isShared ? DOUBLE.exchangedAt : DOUBLE.stampMs);
  const agoMs = Math.max(0, now - since);
  const used = Math.max(0, (isShared ? usedByAll(table, slot) : table.double(slot, DOUBLE.used)) - agoMs * rate);
  const elsewhere = table.double(slot, DOUBLE.elsewhere) - table.double(slot, DOUBLE.usedByAll);
  const heldElsewhere = isShared && agoMs < HELD_MS ? elsewhere : 0;
  const taken = used + reserved + heldElsewhere;
  const remaining = Math.max(0, capacity - taken);
  return { limit, capacity, used, reserved, heldElsewhere, remaining, resetMs: rate > 0 ? taken / rate : 0 };
}

/** What was used on all machines when this one last heard of them, and here since. */
export function usedByAll(table: BucketTable, slot: number): number {
  const own = table.double(slot, DOUBLE.used);
  if (table.regime !== REGIME.leased) {
    return own;
  }
  const all = table.double(slot, DOUBLE.usedByAll) + table.double(slot, DOUBLE.spent);
  // a month's, before the first exchange: at least what this machine itself has used
  return isMonthly(table.kind(slot)) ? Math.max(own, all) : all;
}
