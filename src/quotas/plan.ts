/** Which buckets a request of some caller to some model counts in: limits of the configuration, as planned buckets. */
import type { LimitsConfig } from "../config/snapshot.ts";
import type { PlannedBucket } from "./admission.ts";
import { KIND, type BucketKind, type Subject, bucketKey } from "./bucket.ts";

const MINUTE_MS = 60_000;

/** A subject and what it is limited to. */
export interface LimitedSubject {
  readonly subject: Subject;
  readonly limits: LimitsConfig;
  /** The calendar month of the subject's time zone, as YYYYMM. */
  readonly month: number;
}

/** The buckets of all that limits a request, those first that most often refuse. */
export function planBuckets(subjects: readonly LimitedSubject[]): PlannedBucket[] {
  const buckets = subjects.flatMap(({ subject, limits, month }) => [
    ...rate(subject, "requests", limits.rpm, limits.burstMs),
    ...rate(subject, "tokens", limits.tpm, limits.burstMs),
    ...total(subject, "concurrency", limits.concurrency, 0),
    ...total(subject, "monthlyTokens", limits.monthlyTokens, month),
    ...total(subject, "monthlyUsd", limits.monthlyNanoUsd, month),
  ]);
  return buckets.toSorted((left, right) => left.kind - right.kind);
}

function rate(subject: Subject, kind: BucketKind, limit: number | undefined, burstMs: number): PlannedBucket[] {
  if (limit === undefined) {
    return [];
  }
  const burst = (limit * burstMs) / MINUTE_MS;
  // whatever the burst, one request fits in, unless none is allowed at all
  const capacity = kind === "requests" ? Math.max(burst, Math.min(1, limit)) : burst;
  return [
    { ...bucketKey(subject, KIND[kind], 0), kind: KIND[kind], limit, capacity, ratePerMs: limit / MINUTE_MS, slot: -1 },
  ];
}

function total(subject: Subject, kind: BucketKind, limit: number | undefined, period: number): PlannedBucket[] {
  if (limit === undefined) {
    return [];
  }
  return [
    { ...bucketKey(subject, KIND[kind], period), kind: KIND[kind], limit, capacity: limit, ratePerMs: 0, slot: -1 },
  ];
}
