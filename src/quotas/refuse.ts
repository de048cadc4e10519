/** Why a request does not fit into a bucket, and when it may. */
import type { PlannedBucket, Refusal } from "./admission.ts";
import { DOUBLE, REGIME } from "./bucket-layout.ts";
import type { BucketTable } from "./bucket-table.ts";

/** Another request may end within this time, or not. */
export const UNKNOWN_WAIT_MS = 100;
/** What decays between two looks is not exact. */
const ROUNDING = 1e-6;

/** The refusal of a request that needs more than remains. Call it under the lock. @param now the shared clock */
export function refuse(
  table: BucketTable,
  bucket: PlannedBucket,
  { amount, remaining }: Pick<Refusal, "amount" | "remaining">,
  now: number,
): Refusal {
  if (amount > bucket.capacity) {
    return { bucket, reason: "tooLarge", waitMs: 0, amount, remaining };
  }
  if (table.regime !== REGIME.leased) {
    const waitMs = bucket.ratePerMs > 0 ? (amount - remaining) / bucket.ratePerMs : 0;
    return { bucket, reason: "full", waitMs, amount, remaining };
  }
  // an authority is not asked anew for what it has just said that there is not
  const free = table.knownFree(bucket.slot, now);
  const isScarce = amount > free + ROUNDING && now < table.double(bucket.slot, DOUBLE.scarceUntil);
  const waitMs = bucket.ratePerMs > 0 ? Math.max((amount - free) / bucket.ratePerMs, UNKNOWN_WAIT_MS) : 0;
  return { bucket, reason: isScarce ? "full" : "lease", waitMs, amount, remaining };
}
