/**
 * How much a machine leases. Large leases save exchanges; small ones leave more to the others, so that nobody is refused
 * for what another machine holds and does not use.
 */

/** What the policy looks at: one bucket on one machine. Amounts in the bucket's unit. */
export interface LeaseSituation {
  readonly capacity: number;
  /** Used on all machines, as of the last exchange. */
  readonly used: number;
  /** Leased by other machines, as of the last exchange. */
  readonly others: number;
  readonly machines: number;
  /** This machine's lease, less what it has spent of it. */
  readonly lease: number;
  /** Of the lease: held by requests that run. */
  readonly reserved: number;
  /** What waiting requests need besides, all together. */
  readonly waiting: number;
  /** What the smallest of the waiting requests needs; 0 if none waits. */
  readonly smallestWaiting: number;
  /** What one request takes at most, as seen lately. */
  readonly largestRequest: number;
  /** What requests of this machine took in the last two seconds. */
  readonly recentUse: number;
  /** Other machines lack what leases hold. */
  readonly isContested: boolean;
}

/** What to ask for. */
export interface LeasePlan {
  /** The lease to have, `reserved` included. */
  readonly wanted: number;
  /** The smallest lease that is of use, `reserved` included. */
  readonly need: number;
  /** It is worth an exchange of its own. Otherwise it goes with the next one. */
  readonly isUrgent: boolean;
}

/** An answer that left requests waiting. Amounts in the bucket's unit. */
export interface Shortfall {
  /** What flows back to all machines in a millisecond. */
  readonly ratePerMs: number;
  /** What came with the answer. */
  readonly granted: number;
  /** Since the exchange before it. */
  readonly elapsedMs: number;
  /** What the requests that still wait need, all together. */
  readonly missing: number;
  /** What the smallest of them needs beyond what is free; 0 or less if it is there. */
  readonly smallestMissing: number;
}

/**
 * Milliseconds until it is worth to ask again; 0 where nothing flows back by itself. After an answer that brought
 * nothing: until the smallest can be served. After one that brought some: until what waits has come to this machine, if
 * it gets on as it did; asked for earlier the same requests cost more calls.
 */
export function refillMs({ ratePerMs, granted, elapsedMs, missing, smallestMissing }: Shortfall): number {
  if (ratePerMs <= 0) {
    return 0;
  }
  return granted > 0
    ? missing / Math.min(ratePerMs, granted / Math.max(1, elapsedMs))
    : Math.max(0, smallestMissing) / ratePerMs;
}

/** Below this share of the capacity, leases hold only what is asked for at the moment. */
const SCARCE_SHARE = 0.05;

/** What to hold beyond what runs and waits: the stock from which the next requests are admitted without asking. */
export function stockOf(situation: LeaseSituation): number {
  const { capacity, used, others, machines, lease, largestRequest, recentUse, isContested } = situation;
  const left = capacity - used - others - Math.max(0, lease);
  const remaining = Math.max(0, left) + Math.max(0, lease - situation.reserved);
  if (recentUse <= 0 || isContested || remaining < capacity * SCARCE_SHARE) {
    return 0;
  }
  const share = remaining / (2 * Math.max(1, machines));
  return Math.floor(Math.min(share, Math.max(largestRequest, recentUse)));
}

/** What to ask for in this situation. */
export function planLease(situation: LeaseSituation): LeasePlan {
  const { lease, reserved, waiting, smallestWaiting } = situation;
  const stock = stockOf(situation);
  const spare = lease - reserved;
  const wanted = Math.ceil(reserved + waiting + Math.max(stock, 0));
  const need = Math.ceil(reserved + (smallestWaiting > 0 ? smallestWaiting : 0));
  const isRunningLow = stock > 0 && spare < stock / 2;
  const isNeededElsewhere = situation.isContested && spare > waiting;
  return { wanted, need, isUrgent: waiting > 0 || isRunningLow || isNeededElsewhere };
}
