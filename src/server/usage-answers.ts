/** The loader thread's side of questions about what is used. */
import type { ConfiguredSubjects } from "../engine/configured-subjects.ts";
import type { NameTable } from "../lib/name-table.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";
import { BucketTable } from "../quotas/bucket-table.ts";
import { CursorError } from "../quotas/usage-cursor.ts";
import type { LimitOverrides } from "../quotas/overrides/limit-overrides.ts";
import { type ConfiguredLimit, UsageReport } from "../quotas/usage-report.ts";
import type { UsageAnswer, UsageQuestion } from "./messages.ts";
import { LOADER_OWNER } from "./quota-memory.ts";
import { runInSlices } from "../lib/slices.ts";
import { stackOf } from "../lib/thrown.ts";

/** Reading the configuration gives way to answers, and they to each other, after about this long. */
const SLICE_MS = 4;

/** Answers from the buckets and the configuration that was published last. */
export class UsageAnswers {
  readonly #names: NameTable;
  readonly #report: UsageReport;
  readonly #overrides: LimitOverrides;
  #subjects: ConfiguredSubjects | undefined;
  #consumers = new Int32Array(0);
  /** The generation of the overrides that the report goes by. */
  #reported = -1;

  /** @param overrides limits that were set at run time, as they are at any time */
  constructor(buckets: SharedArrayBuffer, names: NameTable, overrides: LimitOverrides) {
    this.#names = names;
    this.#overrides = overrides;
    const clocks = { monotonicMs: sharedNowMs, epochMs: () => Date.now() };
    this.#report = new UsageReport(new BucketTable(buckets, LOADER_OWNER), names, clocks);
  }

  /** Answers about this configuration from now on. @param consumers names of all, also of those without limits */
  configure(subjects: ConfiguredSubjects, consumers: readonly string[]): void {
    this.#subjects = subjects;
    this.#consumers = Int32Array.from(consumers, (name) => this.#names.find(name));
    this.#reported = -1;
  }

  async answer({ of, ...query }: UsageQuestion): Promise<UsageAnswer> {
    this.#keepUp();
    if (of !== undefined && !this.#report.hasConsumer(of)) {
      return { outcome: "consumer_not_found" };
    }
    try {
      const { result } = await runInSlices(
        this.#report.page(of === undefined ? query : { ...query, consumer: of }),
        SLICE_MS,
      );
      return { outcome: "page", body: JSON.stringify(of === undefined ? result : { consumer: of, ...result }) };
    } catch (error) {
      if (error instanceof CursorError) {
        return { outcome: "invalid_request", message: error.message };
      }
      return { outcome: "failed", message: stackOf(error) };
    }
  }

  /** What is limited may be a million subjects, so it is gone through when somebody asks, not whenever a limit is set. */
  #keepUp(): void {
    const { generation } = this.#overrides;
    if (this.#subjects !== undefined && this.#reported !== generation) {
      this.#reported = generation;
      this.#report.configure(limitedNow(this.#subjects, this.#overrides), this.#consumers);
    }
  }
}

/** What the file limits, in its order, by what holds now, and then what only has limits that were set at run time. */
function limitedNow(subjects: ConfiguredSubjects, overrides: LimitOverrides): readonly ConfiguredLimit[] {
  if (overrides.isEmpty) {
    return subjects.limited;
  }
  const limited = subjects.limited.flatMap((subject) => {
    const limits = overrides.limitsOf(subject, subject.limits);
    return limits === undefined ? [] : [{ ...subject, limits, isOverridden: limits !== subject.limits }];
  });
  const others = overrides.all().flatMap(({ subject, holds }) => {
    const found = subjects.find(subject);
    return found === undefined || found.limits !== undefined || typeof holds === "string"
      ? []
      : [{ ...found, limits: holds, isOverridden: true }];
  });
  return [...limited, ...others];
}
