/**
 * What a machine remembers of its exchanges, bucket by bucket: its counters, and what the authority last said, with
 * which a Redis that lost its data is put right.
 */
import { hash } from "node:crypto";
import type { BucketExchange, BucketGrant, BucketMode } from "./authority.ts";

/** Groups of keys that lie in one slot of a cluster; more would mean more calls, fewer a worse spread over its nodes. */
const PARTITIONS = 16;

const MODES: Readonly<Record<BucketMode, string>> = { rate: "r", total: "t", concurrency: "c" };

/** One bucket's. */
interface Counters {
  /** Tells these counters from earlier ones of the same process. */
  readonly life: number;
  /** Spent since these counters began. */
  count: number;
  /** Of it, what the authority has surely counted: no more than `count` was since it was last heard. */
  acknowledged: number;
  /** The mark of the authority's data, 0 before the first answer. */
  birth: number;
  used: number;
  others: number;
  /** When the last answered exchange was sent. */
  answeredAt: number;
}

/** The authority's line about one bucket cannot be read. */
export class UnreadableAnswerError extends Error {
  override readonly name = "UnreadableAnswerError";
}

/** The key of a bucket; keys of one partition can be used by one call to a cluster. */
export function bucketKeyOf(gateway: string, bucket: string): string {
  return `{sluice:${gateway}:${partitionOf(bucket)}}:${bucket}`;
}

/** The key of the set of machines. */
export function machinesKeyOf(gateway: string): string {
  return `{sluice:${gateway}}:machines`;
}

/** The key of what is done once a month; in the slot of the machines' key. @param month YYYYMM */
export function claimsKeyOf(gateway: string, month: number): string {
  return `{sluice:${gateway}}:claims:${month}`;
}

/** A bucket of each partition that holds nothing, with which it is tried whether exchanges work. */
export function probesOf(gateway: string): readonly { readonly key: string; readonly line: string }[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => ({
    key: `{sluice:${gateway}:${partition}}:probe`,
    line: `${MODES.concurrency}${" 0".repeat(13)}`,
  }));
}

/** Which of the groups a bucket belongs to. The same on every machine and in every version. */
export function partitionOf(bucket: string): number {
  return hash("sha1", bucket, "buffer").readUInt32BE(0) % PARTITIONS;
}

/** The counters of all buckets of one process. */
export class BucketCounters {
  readonly #buckets = new Map<string, Counters>();
  readonly #leaseMs: number;
  #lives = 0;

  /** @param leaseMs how long a lease lasts */
  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes over what was spent: from now on it is told until it is counted. Negative: what was told turned out to be less. */
  spend(bucket: string, spent: number): void {
    const counters = this.#of(bucket);
    counters.count += spent;
    // what was settled too high is told as less: whether the authority has heard of that is not known
    counters.acknowledged = Math.min(counters.acknowledged, counters.count);
  }

  /** The line that tells the script of a bucket. `request.spent` must have been taken over. @param now sharedNowMs */
  encode(request: BucketExchange, now: number): string {
    const counters = this.#of(request.bucket);
    const elapsedMs = now - counters.answeredAt;
    const known = counters.birth === 0 ? 0 : Math.max(0, counters.used - request.ratePerMs * elapsedMs);
    return [
      MODES[request.mode],
      request.capacity,
      request.ratePerMs,
      counters.life,
      counters.count,
      counters.acknowledged,
      Math.max(0, request.held),
      request.reserved,
      request.wanted,
      request.need,
      counters.birth,
      known,
      elapsedMs < this.#leaseMs ? counters.others : 0,
      request.earlier ?? 0,
    ].join(" ");
  }

  /** What the counter was when a line was made, for `answered`. */
  countOf(bucket: string): number {
    return this.#of(bucket).count;
  }

  /**
   * Takes the script's answer.
   * @param count of `countOf`, when the line was made @param sentAt sharedNowMs at that time
   * @throws UnreadableAnswerError
   */
  answered(bucket: string, line: unknown, count: number, sentAt: number): BucketGrant {
    const parts = typeof line === "string" ? line.split(" ").map(Number) : [];
    const [lease, used, others, birth, contested] = parts;
    if (lease === undefined || used === undefined || others === undefined || birth === undefined) {
      throw new UnreadableAnswerError(`the answer about ${bucket} is ${JSON.stringify(line)}`);
    }
    const counters = this.#of(bucket);
    Object.assign(counters, { acknowledged: count, birth, used, others, answeredAt: sentAt });
    return { bucket, lease, leaseEndsAt: sentAt + this.#leaseMs, used, others, isContested: contested === 1 };
  }

  forget(bucket: string): void {
    this.#buckets.delete(bucket);
  }

  #of(bucket: string): Counters {
    let counters = this.#buckets.get(bucket);
    if (counters === undefined) {
      this.#lives += 1;
      counters = { life: this.#lives, count: 0, acknowledged: 0, birth: 0, used: 0, others: 0, answeredAt: -Infinity };
      this.#buckets.set(bucket, counters);
    }
    return counters;
  }
}
