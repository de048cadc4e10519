/** The loader thread's side of questions about what is used. */
import type { Snapshot } from "../config/snapshot.ts";
import { limitedSubjects } from "../engine/limited-subjects.ts";
import type { NameTable } from "../lib/name-table.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";
import { BucketTable } from "../quotas/bucket-table.ts";
import { CursorError } from "../quotas/usage-cursor.ts";
import { UsageReport } from "../quotas/usage-report.ts";
import type { UsageAnswer, UsageQuestion } from "./messages.ts";
import { LOADER_OWNER } from "./quota-memory.ts";
import { runInSlices } from "../lib/slices.ts";

/** Reading the configuration gives way to answers, and they to each other, after about this long. */
const SLICE_MS = 4;

/** Answers from the buckets and the configuration that was published last. */
export class UsageAnswers {
  readonly #names: NameTable;
  readonly #report: UsageReport;

  constructor(buckets: SharedArrayBuffer, names: NameTable) {
    this.#names = names;
    const clocks = { monotonicMs: sharedNowMs, epochMs: () => Date.now() };
    this.#report = new UsageReport(new BucketTable(buckets, LOADER_OWNER), names, clocks);
  }

  /** What of a snapshot has limits is kept, and the rest is not. */
  configure(snapshot: Snapshot): void {
    const nameId = (name: string): number => this.#names.find(name);
    this.#report.configure(
      Array.from(limitedSubjects(snapshot, nameId)),
      Int32Array.from(snapshot.consumers, ({ name }) => nameId(name)),
    );
  }

  async answer({ of, ...query }: UsageQuestion): Promise<UsageAnswer> {
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
      return { outcome: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  }
}
