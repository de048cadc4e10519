/** What is used of everything that the configuration limits, page by page, also of what nobody has used yet. */
import type { LimitsConfig } from "../config/snapshot.ts";
import type { PlannedBucket } from "./admission.ts";
import { BUCKET_KINDS, isMonthly, isRate, KIND, parseSubjectText, SUBJECT_PARTS, subjectText } from "./bucket.ts";
import type { BucketKind, Subject, SubjectType } from "./bucket.ts";
import { bucketStatus, type BucketStatus } from "./bucket-status.ts";
import type { BucketTable } from "./bucket-table.ts";
import { type Month, MonthClock } from "./months.ts";
import { planBuckets } from "./plan.ts";
import { decodeCursor, encodeCursor } from "./usage-cursor.ts";

/** A limited subject and whose calendar its months are of. */
export interface ConfiguredLimit extends Subject {
  readonly limits: LimitsConfig;
  /** IANA name. */
  readonly timeZone: string;
  /** These limits were set at run time, and hold instead of the file's. */
  readonly isOverridden?: boolean;
}

/** Which subjects a page is of: those to which all that is given applies. */
export interface UsageFilter {
  readonly consumer?: string;
  /** A model's name, or a grant's pattern as it is written. */
  readonly model?: string;
  readonly type?: SubjectType;
  /** As `subjectText` writes it, else `page` throws. */
  readonly subject?: string;
}

/** One page of the report. */
export interface UsageQuery extends UsageFilter {
  /** Subjects on a page: 1 to 1,000. */
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string;
}

/** One limit. Counts are rounded to thousandths, money is in dollars. */
export interface LimitUsage {
  readonly kind: BucketKind;
  readonly per: "minute" | "moment" | "month";
  readonly limit: number;
  readonly used: number;
  /** Held for requests that run. */
  readonly reserved: number;
  /** What a request could take now. Not negative. */
  readonly remaining: number;
  /** By the minute: how much may come at once. */
  readonly burst?: number;
  /** By the minute: until all of it is there again if nothing comes. */
  readonly resetSeconds?: number;
  /** `2026-11` */
  readonly month?: string;
  readonly timeZone?: string;
  /** When the next month begins there: `2026-12-01T00:00:00+08:00`. */
  readonly resetsAt?: string;
  /** When nothing will be left at this month's pace, or now if nothing is; null if the month ends before. */
  readonly exhaustedAt?: string | null;
}

/** One subject, with the names that it is made of. */
export interface SubjectUsage {
  readonly subject: string;
  readonly type: SubjectType;
  readonly consumer?: string;
  readonly key?: string;
  readonly model?: string;
  readonly provider?: string;
  readonly upstreamModel?: string;
  readonly credential?: string;
  readonly mode: LimitsConfig["mode"];
  /** The limits were set at run time, and hold instead of the file's. */
  readonly overridden?: true;
  readonly limits: readonly LimitUsage[];
}

export interface UsagePage {
  readonly usage: readonly SubjectUsage[];
  /** For the next page; null on the last one. */
  readonly next: string | null;
}

/** Names of the configuration, by id and back. */
interface Names {
  name(id: number): string;
  /** 0 for a name that is not known. */
  find(name: string): number;
}

/** How time is told. */
export interface ReportClocks {
  /** That of the buckets, in milliseconds. */
  monotonicMs(): number;
  /** Milliseconds since the epoch. */
  epochMs(): number;
}

const PERIODS: Readonly<Record<BucketKind, LimitUsage["per"]>> = {
  requests: "minute",
  tokens: "minute",
  concurrency: "moment",
  monthlyTokens: "month",
  monthlyUsd: "month",
};
/** Subjects that are looked at without a pause: some tens of microseconds. */
const STEP = 1_000;
/** A pace is not told from less than this of a month. */
const SHORTEST_PACE_MS = 3_600_000;
const NANO = 1e9;

/** The report over one configuration after the other. */
export class UsageReport {
  readonly #table: BucketTable;
  readonly #names: Names;
  readonly #clocks: ReportClocks;
  #subjects: readonly ConfiguredLimit[] = [];
  #consumers: Int32Array = new Int32Array(0);
  readonly #monthTexts = new WeakMap<Month, string>();

  constructor(table: BucketTable, names: Names, clocks: ReportClocks) {
    this.#table = table;
    this.#names = names;
    this.#clocks = clocks;
  }

  /**
   * Reports on this configuration from now on.
   * @param subjects all that it limits @param consumers ids of all consumers, also of those without limits
   */
  configure(subjects: readonly ConfiguredLimit[], consumers: Int32Array): void {
    this.#subjects = subjects;
    this.#consumers = consumers;
  }

  /** The configuration has a consumer of this name. */
  hasConsumer(name: string): boolean {
    return this.#consumers.includes(this.#idOf(name));
  }

  /**
   * One page, in the order of the configuration; yields where other work may be done. A page that was begun keeps to the
   * configuration of its beginning.
   * @throws CursorError if the cursor is none of this report @throws Error if the filter's subject is none
   */
  *page({ limit, cursor, ...filter }: UsageQuery): Generator<undefined, UsagePage> {
    const subjects = this.#subjects;
    const matches = this.#matcher(filter);
    const usage: SubjectUsage[] = [];
    const start = cursor === undefined ? 0 : this.#resume(subjects, cursor);
    for (let index = start; index < subjects.length; index++) {
      const subject = subjects[index]!;
      if (matches(subject)) {
        if (usage.length === limit) {
          return { usage, next: encodeCursor({ index, subject: this.#text(subject) }) };
        }
        usage.push(this.#usageOf(subject));
        if (usage.length % 16 === 0) {
          yield;
        }
      } else if (index % STEP === 0) {
        yield;
      }
    }
    return { usage, next: null };
  }

  /** Where the cursor points: its subject, wherever a changed configuration has it, else its place. */
  #resume(subjects: readonly ConfiguredLimit[], cursor: string): number {
    const { index, subject } = decodeCursor(cursor);
    const expected = subjects[index];
    if (expected !== undefined && this.#text(expected) === subject) {
      return index;
    }
    const found = subjects.findIndex(this.#matcher({ subject }));
    return found < 0 ? index : found;
  }

  /** Tells the subjects of a filter by their ids. */
  #matcher({ consumer, model, type, subject }: UsageFilter): (subject: ConfiguredLimit) => boolean {
    const consumerId = consumer === undefined ? undefined : this.#idOf(consumer);
    const modelId = model === undefined ? undefined : this.#idOf(model);
    const one = subject === undefined ? undefined : this.#idsOf(subject);
    return (candidate) =>
      (type === undefined || candidate.type === type) &&
      (consumerId === undefined || partOf(candidate, "consumer") === consumerId) &&
      (modelId === undefined || partOf(candidate, "model") === modelId) &&
      (one === undefined ||
        (candidate.type === one.type &&
          candidate.first === one.first &&
          candidate.second === one.second &&
          candidate.third === one.third &&
          this.#text(candidate) === subject));
  }

  #idOf(name: string): number {
    return this.#names.find(name) || NO_ID;
  }

  #idsOf(text: string): Subject {
    const { type, names } = parseSubjectText(text);
    const [first = 0, second = 0, third = 0] = names.map((name) => this.#idOf(name));
    return { type, first, second, third };
  }

  #text(subject: Subject): string {
    return subjectText(subject, (id) => this.#names.name(id));
  }

  #usageOf(subject: ConfiguredLimit): SubjectUsage {
    const now = this.#clocks.epochMs();
    const clock = MonthClock.of(subject.timeZone);
    const month = clock.at(now);
    const buckets = planBuckets([{ subject, limits: subject.limits, month: month.month }]);
    const levels = this.#levels(buckets);
    const parts = [subject.first, subject.second, subject.third];
    const names = SUBJECT_PARTS[subject.type].map((part, index) => [part, this.#names.name(parts[index]!)]);
    return {
      subject: this.#text(subject),
      type: subject.type,
      ...(Object.fromEntries(names) as Partial<Record<string, string>>),
      mode: subject.limits.mode,
      ...(subject.isOverridden && { overridden: true }),
      limits: buckets.map((bucket, index) => {
        return limitUsage(bucket, levels[index]!, () => this.#monthUsage(clock, month, subject.timeZone, now));
      }),
    };
  }

  /** What the buckets hold, all at one moment. A bucket that nobody has needed yet holds nothing. */
  #levels(buckets: readonly PlannedBucket[]): Level[] {
    const now = this.#clocks.monotonicMs();
    this.#table.lock.lock();
    try {
      return buckets.map((bucket) => {
        const slot = this.#table.find(bucket);
        return slot < 0 ? UNUSED : bucketStatus(this.#table, slot, now);
      });
    } finally {
      this.#table.lock.unlock();
    }
  }

  #monthUsage(clock: MonthClock, month: Month, timeZone: string, now: number): MonthUsage {
    let resetsAt = this.#monthTexts.get(month);
    if (resetsAt === undefined) {
      resetsAt = clock.text(month.endsAt);
      this.#monthTexts.set(month, resetsAt);
    }
    return { month, timeZone, resetsAt, now, text: (epochMs) => clock.text(epochMs) };
  }
}

/** The id of no name. */
const NO_ID = -1;
type Level = Pick<BucketStatus, "used" | "reserved" | "heldElsewhere">;

const UNUSED: Level = { used: 0, reserved: 0, heldElsewhere: 0 };

interface MonthUsage {
  readonly month: Month;
  readonly timeZone: string;
  readonly resetsAt: string;
  readonly now: number;
  readonly text: (epochMs: number) => string;
}

function limitUsage(bucket: PlannedBucket, taken: Level, month: () => MonthUsage): LimitUsage {
  const { used, reserved, heldElsewhere } = taken;
  const { kind: kindNumber, limit, capacity, ratePerMs } = bucket;
  const kind = BUCKET_KINDS[kindNumber]!;
  const remaining = Math.max(0, capacity - used - reserved - heldElsewhere);
  const amount = kindNumber === KIND.monthlyUsd ? dollars : thousandths;
  const level = {
    kind,
    per: PERIODS[kind],
    limit: amount(limit),
    used: amount(used),
    reserved: amount(reserved),
    remaining: amount(remaining),
  };
  if (isRate(kindNumber)) {
    const resetSeconds = ratePerMs > 0 ? thousandths((used + reserved) / ratePerMs / 1_000) : 0;
    return { ...level, burst: thousandths(capacity), resetSeconds };
  }
  if (!isMonthly(kindNumber)) {
    return level;
  }
  const { month: calendar, timeZone, resetsAt, now, text } = month();
  const exhaustion = exhaustedAt(used, capacity, calendar, now);
  return {
    ...level,
    month: monthText(calendar.month),
    timeZone,
    resetsAt,
    exhaustedAt: exhaustion === undefined ? null : text(exhaustion),
  };
}

/** When nothing will be left at this month's pace, in milliseconds since the epoch; undefined if not in this month. */
function exhaustedAt(used: number, limit: number, { startsAt, endsAt }: Month, now: number): number | undefined {
  if (used >= limit) {
    return now;
  }
  const pacePerMs = used / Math.max(SHORTEST_PACE_MS, now - startsAt);
  const at = now + (limit - used) / pacePerMs;
  return at < endsAt ? at : undefined;
}

/** The id of a part of a subject, or undefined if it has no such part. */
function partOf(subject: Subject, part: "consumer" | "model"): number | undefined {
  switch (SUBJECT_PARTS[subject.type].indexOf(part)) {
    case 0:
      return subject.first;
    case 1:
      return subject.second;
    case 2:
      return subject.third;
    default:
      return undefined;
  }
}

/** `2026-11` of 202611. */
export function monthText(month: number): string {
  return `${Math.floor(month / 100)}-${String(month % 100).padStart(2, "0")}`;
}

function thousandths(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function dollars(nano: number): number {
  return Math.round(nano) / NANO;
}
