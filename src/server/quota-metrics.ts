/** How full the limits are, read from shared memory at a scrape: those nearest to their end, as many as a scrape can take. */
import type { NameTable } from "../lib/name-table.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";
import type { MetricFamily, MetricSample, MetricSource } from "../observability/prometheus.ts";
import { BUCKET_KINDS, isMonthly, KIND, subjectText, type SubjectType } from "../quotas/bucket.ts";
import { WORD } from "../quotas/bucket-layout.ts";
import type { BucketStatus, BucketTable } from "../quotas/bucket-table.ts";

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
    const all = shownBuckets(table).toSorted((left, right) => right.share - left.share);
    const shown = all.slice(0, maxSeries);
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
      gauge("sluice_quota_series_left_out", "Limits that are used least and are not shown.", all.length - shown.length),
      gauge("sluice_quota_buckets", "Limits of single subjects that can be counted at one time.", table.size),
      gauge("sluice_quota_buckets_in_use", "Limits of single subjects that are counted now.", table.live),
      gauge("sluice_quota_store_failing", "1 while monthly counters cannot be stored.", isStoreFailing() ? 1 : 0),
    ];
  };
}

/** Read without the lock: what is changed in this moment is right at the next scrape. */
function shownBuckets(table: BucketTable): Shown[] {
  const now = sharedNowMs();
  const shown: Shown[] = [];
  /** Of several months of one subject the newest counts. */
  const months = new Map<string, number>();
  const { highWater } = table;
  for (let slot = 0; slot < highWater; slot++) {
    if (table.isFree(slot) || !SHOWN_TYPES.has(table.subject(slot).type)) {
      continue;
    }
    const status = table.status(slot, now);
    const entry = { slot, status, share: share(status) };
    const known = isMonthly(table.kind(slot)) ? olderMonth(table, slot, months, shown.length) : undefined;
    if (known === undefined) {
      shown.push(entry);
    } else if (table.word(slot, WORD.period) > table.word(shown[known]!.slot, WORD.period)) {
      shown[known] = entry;
    }
  }
  return shown;
}

/** Where another month of the bucket's subject stands; else remembers that this one will stand at `place`. */
function olderMonth(table: BucketTable, slot: number, months: Map<string, number>, place: number): number | undefined {
  const key = [WORD.identity, WORD.first, WORD.second, WORD.third].map((word) => table.word(slot, word)).join();
  const known = months.get(key);
  if (known === undefined) {
    months.set(key, place);
  }
  return known;
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
