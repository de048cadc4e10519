/** How full the limits are, read from shared memory at a scrape: those nearest to their end, as many as a scrape can take. */
import type { NameTable } from "../lib/name-table.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";
import type { MetricFamily, MetricSample, MetricSource } from "../observability/prometheus.ts";
import { BUCKET_KINDS, isMonthly, KIND, subjectText, type SubjectType } from "../quotas/bucket.ts";
import { oldestMonthInUse } from "../quotas/months.ts";
import { WORD } from "../quotas/bucket-layout.ts";
import { bucketStatus, type BucketStatus } from "../quotas/bucket-status.ts";
import type { BucketTable } from "../quotas/bucket-table.ts";

/** Subjects whose number is not that of a company's keys and grants. */
const SHOWN_TYPES: ReadonlySet<SubjectType> = new Set(["consumer", "model", "target", "credential"]);
/** Limits shown; each is three lines. */
const MAX_SERIES = 1_000;
const NANO = 1e9;

interface Shown {
  readonly slot: number;
  readonly status: BucketStatus;
  /** Of what fits in, how much is taken. */
  readonly share: number;
}

/** @param isStoreFailing monthly counters cannot be written now */
export function quotaMetrics(
  table: BucketTable,
  names: NameTable,
  isStoreFailing: () => boolean,
  maxSeries: number = MAX_SERIES,
): MetricSource {
  return () => {
    const { shown, leftOut } = fullest(table, maxSeries);
    const labels = shown.map(({ slot }) => labelsOf(table, names, slot));
    const family = (part: "limit" | "used" | "reserved", help: string): MetricFamily => ({
      name: `sluice_quota_${part}`,
      help,
      type: "gauge",
      samples: shown.map(({ slot, status }, index): MetricSample => {
        const unit = table.kind(slot) === KIND.monthlyUsd ? NANO : 1;
        return { labels: labels[index]!, value: status[part] / unit };
      }),
    });
    return [
      family("limit", "Limits of consumers, models, targets and credentials that have been used: money in dollars."),
      family("used", "How much of the limit is used now, or was in this month."),
      family("reserved", "How much of the limit is held for requests that run."),
      gauge("sluice_quota_series_left_out", "Limits that are used least and are not shown.", leftOut),
      gauge("sluice_quota_buckets", "Limits of single subjects that can be counted at one time.", table.size),
      gauge("sluice_quota_buckets_in_use", "Limits of single subjects that are counted now.", table.live),
      gauge("sluice_quota_store_failing", "1 while monthly counters cannot be stored.", isStoreFailing() ? 1 : 0),
    ];
  };
}

/** Those of which the largest share is taken. Read without the lock: what changes meanwhile is right at the next scrape. */
function fullest(table: BucketTable, max: number): { readonly shown: readonly Shown[]; readonly leftOut: number } {
  const now = sharedNowMs();
  const oldestMonth = oldestMonthInUse(Date.now());
  let chosen: Shown[] = [];
  let least = -1;
  let count = 0;
  const { highWater } = table;
  for (let slot = 0; slot < highWater; slot++) {
    if (table.isFree(slot) || !isShown(table, slot, oldestMonth)) {
      continue;
    }
    count++;
    const status = bucketStatus(table, slot, now);
    const taken = share(status);
    if (taken > least) {
      chosen.push({ slot, status, share: taken });
      if (chosen.length > max * 2) {
        chosen = chosen.toSorted(byShare).slice(0, max);
        least = chosen.at(-1)!.share;
      }
    }
  }
  const shown = newestMonths(table, chosen.toSorted(byShare)).slice(0, max);
  return { shown, leftOut: count - shown.length };
}

function isShown(table: BucketTable, slot: number, oldestMonth: number): boolean {
  return (
    SHOWN_TYPES.has(table.subject(slot).type) &&
    (!isMonthly(table.kind(slot)) || table.word(slot, WORD.period) >= oldestMonth)
  );
}

const byShare = (left: Shown, right: Shown): number => right.share - left.share;

/** For a day at the turn of a month a subject may have two: the newer one counts. */
function newestMonths(table: BucketTable, shown: readonly Shown[]): Shown[] {
  const newest = new Map<string, Shown>();
  for (const entry of shown) {
    const { slot } = entry;
    const key = [WORD.identity, WORD.first, WORD.second, WORD.third].map((word) => table.word(slot, word)).join();
    const known = newest.get(key);
    if (known === undefined || table.word(known.slot, WORD.period) < table.word(slot, WORD.period)) {
      newest.set(key, entry);
    }
  }
  return [...newest.values()];
}

function share({ capacity, used, reserved }: BucketStatus): number {
  return capacity > 0 ? (used + reserved) / capacity : 0;
}

function labelsOf(table: BucketTable, names: NameTable, slot: number): Record<string, string> {
  const subject = table.subject(slot);
  return {
    type: subject.type,
    subject: subjectText(subject, (id) => names.name(id)),
    kind: BUCKET_KINDS[table.kind(slot)] ?? "",
  };
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, help, type: "gauge", samples: [{ value }] };
}
