/** Admission of a request on a machine that leases: at once from what it holds, else when others have been asked. */
import { sharedNowMs } from "../lib/shared-clock.ts";
import type { Admission, PlannedBucket, Refusal } from "./admission.ts";
import type { Amounts } from "./bucket.ts";

/** How often a request that waits for a lease looks whether it has come, and how long it waits at most. */
const LEASE_POLL_MS = 2;
const LONGEST_LEASE_WAIT_MS = 500;

/**
 * Reserves for a new request, in all buckets or none.
 * @param record the request's number in the reservation table
 * @param plan the buckets as they are now: a limit that is changed at run time holds for those that wait, too
 * @param then called once, at once if this machine can decide by itself: undefined if it is admitted, else why not
 * @returns what waits, to be cleared should the request end before; undefined if nothing does
 */
export function admitOrWait(
  admission: Admission,
  record: number,
  plan: () => readonly PlannedBucket[],
  amounts: Amounts,
  then: (refusal: Refusal | undefined) => void,
): NodeJS.Timeout | undefined {
  const refusal = admission.admit(record, plan(), amounts);
  if (refusal?.reason !== "lease") {
    then(refusal);
    return undefined;
  }
  const since = sharedNowMs();
  let asked = refusal;
  let askedAt = admission.askForLeases(plan(), amounts);
  const poll = setInterval(() => {
    const buckets = plan();
    const again = admission.admit(record, buckets, amounts);
    if (again?.reason === "lease" && sharedNowMs() - since < LONGEST_LEASE_WAIT_MS) {
      const answer = again.bucket === asked.bucket ? admission.answerSince(again.bucket, askedAt) : "some";
      if (answer !== "scarce") {
        if (answer === "some") {
          // it went to others, or another bucket lacks a lease now
          asked = again;
          askedAt = admission.askForLeases(buckets, amounts);
        }
        return;
      }
    }
    clearInterval(poll);
    then(again);
  }, LEASE_POLL_MS);
  return poll;
}
