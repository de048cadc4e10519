/**
 * `x-ratelimit-*` as OpenAI sends them (platform.openai.com/docs/guides/rate-limits): of all limits that a request counts
 * in, those of a minute that have the least left.
 */
import { sharedNowMs } from "../lib/shared-clock.ts";
import { KIND } from "../quotas/bucket.ts";
import { bucketStatus, type BucketStatus } from "../quotas/bucket-status.ts";
import type { BucketTable } from "../quotas/bucket-table.ts";
import type { QuotaPlan } from "./quota-plan.ts";

/** Adds the headers of the limits that the plan has. */
export function pushRateLimits({ buckets }: QuotaPlan, table: BucketTable, head: string[]): void {
  const now = sharedNowMs();
  let requests: BucketStatus | undefined;
  let tokens: BucketStatus | undefined;
  for (const bucket of buckets) {
    if (bucket.kind > KIND.tokens || !table.isAt(bucket.slot, bucket)) {
      continue;
    }
    const status = bucketStatus(table, bucket.slot, now);
    if (bucket.kind === KIND.requests) {
      requests = tighter(requests, status);
    } else {
      tokens = tighter(tokens, status);
    }
  }
  push(head, "requests", requests);
  push(head, "tokens", tokens);
}

function tighter(left: BucketStatus | undefined, right: BucketStatus): BucketStatus {
  return left === undefined || right.remaining < left.remaining ? right : left;
}

function push(head: string[], what: "requests" | "tokens", status: BucketStatus | undefined): void {
  if (status !== undefined) {
    head.push(
      `x-ratelimit-limit-${what}`,
      String(status.limit),
      `x-ratelimit-remaining-${what}`,
      String(Math.floor(status.remaining + ROUNDING)),
      `x-ratelimit-reset-${what}`,
      durationText(status.resetMs),
    );
  }
}

/** What decays between two looks should not make 9 of 10 into 8. */
const ROUNDING = 1e-6;

/** A duration as OpenAI writes them: `17ms`, `1s`, `6m0s`, `1h2m3s`; rounded up. */
export function durationText(milliseconds: number): string {
  if (milliseconds < 1_000) {
    return `${Math.ceil(milliseconds)}ms`;
  }
  const seconds = Math.ceil(milliseconds / 1_000);
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor(seconds / 60) % 60;
  const text = `${seconds % 60}s`;
  if (hours > 0) {
    return `${hours}h${minutes}m${text}`;
  }
  return minutes > 0 ? `${minutes}m${text}` : text;
}
