/**
 * Who decides when several machines share limits: what a machine asks an authority for, and what it gets. A machine may
 * use what it has leased without asking again; what is leased is taken from the bucket before it is granted, so that all
 * machines together never hold more than fits in.
 */

/** Why an authority cannot answer. */
export type LossReason =
  | "starting"
  | "timeout"
  | "unreachable"
  | "authentication"
  | "permission"
  | "readOnly"
  | "outOfMemory"
  | "busy"
  | "loading"
  | "clusterDown"
  | "tls"
  | "refused";

/** Whether an authority answers; if not, why, and what to do about it, in words for operators without secrets. */
export type AuthorityState =
  | { readonly state: "ok" }
  | { readonly state: "degraded"; readonly reason: LossReason; readonly message: string };

/** An exchange could not be made. What was spent is kept, and told with the next exchange of the bucket. */
export class AuthorityLostError extends Error {
  override readonly name = "AuthorityLostError";
  readonly reason: LossReason;

  constructor(reason: LossReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

/**
 * How a bucket counts. `rate`: what is used decays. `total`: what is used stays (a calendar month, which the bucket's
 * name carries). `concurrency`: nothing is used, only held.
 */
export type BucketMode = "rate" | "total" | "concurrency";

/** What a machine tells of a bucket, and what it asks for. Amounts are whole numbers. */
export interface BucketExchange {
  /** The bucket's name, the same on every machine: printable, without spaces. */
  readonly bucket: string;
  readonly mode: BucketMode;
  /** What fits in. */
  readonly capacity: number;
  /** What decays in a millisecond; more than 0 in a `rate` bucket, 0 in others. */
  readonly ratePerMs: number;
  /** Settled since the last exchange. It is handed over: told until it is counted, also if this exchange fails. */
  readonly spent: number;
  /** The lease that is left after `spent`; what of it is above `wanted` is given back, so the machine must use it no more. */
  readonly held: number;
  /** Held by requests that run: the least that can be left leased. */
  readonly reserved: number;
  /** The lease to have afterwards, `reserved` included. */
  readonly wanted: number;
  /** The smallest lease that is of use, `reserved` included; with less than that nothing is added. */
  readonly need: number;
  /** `total`: settled in this bucket by this machine's processes before this one, as far as it knows. */
  readonly earlier?: number;
}

/** What a machine got. */
export interface BucketGrant {
  readonly bucket: string;
  /** The lease from now on. At least what was left of the lease, or `wanted` if that is less. */
  readonly lease: number;
  /** When the lease ends unless it is renewed: milliseconds of `sharedNowMs()`. */
  readonly leaseEndsAt: number;
  /** Used on all machines. */
  readonly used: number;
  /** Leased by the other machines. */
  readonly others: number;
  /** Others were refused while there were leases: give back what is not needed. */
  readonly isContested: boolean;
}

/** Grants leases. One exchange of a bucket at a time. */
export interface Authority {
  readonly state: AuthorityState;
  /** Machines that take part, this one included; at least 1. */
  readonly machines: number;
  /**
   * Tells and asks, for several buckets at once. The answer has their order. A bucket must not be in two exchanges at once.
   * @throws AuthorityLostError within the configured timeout
   */
  exchange(requests: readonly BucketExchange[]): Promise<readonly BucketGrant[]>;
  /** The bucket is no longer used here; nothing of it may be left unsettled or leased. */
  forget(bucket: string): void;
  /** Takes leave of the other machines and disconnects. Leases are given back by an exchange before. */
  stop(): Promise<void>;
}
