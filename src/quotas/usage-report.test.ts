import assert from "node:assert/strict";
import { test } from "node:test";
import type { LimitsConfig } from "../config/snapshot.ts";
import { NameTable } from "../lib/name-table.ts";
import { KIND, type SubjectType, bucketKey } from "./bucket.ts";
import { createBucketMemory, DOUBLE } from "./bucket-layout.ts";
import { BucketTable } from "./bucket-table.ts";
import { decodeCursor, encodeCursor, CursorError } from "./usage-cursor.ts";
import { UsageReport, type ConfiguredLimit, type UsagePage, type UsageQuery } from "./usage-report.ts";
import { runAtOnce } from "../lib/slices.ts";

/** In Shanghai it is the 15th, noon: half of November is over. */
const NOW = Date.parse("2026-11-16T00:00:00+08:00");

interface Desk {
  readonly table: BucketTable;
  readonly report: UsageReport;
  readonly names: NameTable;
  readonly clock: { monotonic: number; epoch: number };
  /** Runs to the end. */
  readonly ask: (query?: Partial<UsageQuery>) => UsagePage;
  readonly limited: (type: SubjectType, names: readonly string[], limits: Partial<LimitsConfig>) => ConfiguredLimit;
}

function desk(): Desk {
  const table = new BucketTable(createBucketMemory(64), 1);
  const names = new NameTable();
  const clock = { monotonic: 10_000, epoch: NOW };
  const report = new UsageReport(table, names, {
    monotonicMs: () => clock.monotonic,
    epochMs: () => clock.epoch,
  });
  return {
    table,
    report,
    names,
    clock,
    ask: (query) => runAtOnce(report.page({ limit: 100, ...query })),
    limited: (type, parts, limits) => {
      const [first = 0, second = 0, third = 0] = parts.map((name) => names.id(name));
      const full = { burstMs: 60_000, mode: "soft", ...limits } as const;
      return { type, first, second, third, limits: full, timeZone: "Asia/Shanghai" };
    },
  };
}

function fill(table: BucketTable, subject: ConfiguredLimit, kind: number, period: number, used: number, reserved = 0) {
  const slot = table.findOrCreate(bucketKey(subject, kind, period), 10_000);
  table.setDouble(slot, DOUBLE.used, used);
  table.setDouble(slot, DOUBLE.reserved, reserved);
  table.setDouble(slot, DOUBLE.ratePerMs, kind <= KIND.tokens ? 0.01 : 0);
}

test("a row for each limit: what is used, held, left, and when it is back; what nobody used is all there", () => {
  const { table, report, ask, limited, clock } = desk();
  const grant = limited("grant", ["search", "meta/llama"], {
    rpm: 600,
    burstMs: 10_000,
    concurrency: 5,
    monthlyTokens: 3_000,
    monthlyNanoUsd: 12_500_000_000,
    mode: "hard",
  });
  report.configure([grant, limited("credential", ["vendor/main"], { tpm: 60 })], new Int32Array());
  fill(table, grant, KIND.requests, 0, 8, 0);
  fill(table, grant, KIND.concurrency, 0, 0, 2);
  fill(table, grant, KIND.monthlyTokens, 202_611, 1_800, 300);
  fill(table, grant, KIND.monthlyUsd, 202_611, 1_000_000_001, 500_000_000);
  fill(table, grant, KIND.monthlyUsd, 202_610, 99_000_000_000);
  clock.monotonic += 300;
  const month = { month: "2026-11", timeZone: "Asia/Shanghai", resetsAt: "2026-12-01T00:00:00+08:00" };
  assert.deepEqual(ask(), {
    usage: [
      {
        subject: "grant:search/meta%2Fllama",
        type: "grant",
        consumer: "search",
        model: "meta/llama",
        mode: "hard",
        limits: [
          {
            kind: "requests",
            per: "minute",
            limit: 600,
            used: 5,
            reserved: 0,
            remaining: 95,
            burst: 100,
            resetSeconds: 0.5,
          },
          { kind: "concurrency", per: "moment", limit: 5, used: 0, reserved: 2, remaining: 3 },
          {
            kind: "monthlyTokens",
            per: "month",
            limit: 3_000,
            used: 1_800,
            reserved: 300,
            remaining: 900,
            ...month,
            // 1,800 in 15 days
            exhaustedAt: "2026-11-26T00:00:00+08:00",
          },
          {
            kind: "monthlyUsd",
            per: "month",
            limit: 12.5,
            used: 1.000000001,
            reserved: 0.5,
            remaining: 10.999999999,
            ...month,
            exhaustedAt: null,
          },
        ],
      },
      {
        subject: "credential:vendor%2Fmain",
        type: "credential",
        credential: "vendor/main",
        mode: "soft",
        limits: [
          {
            kind: "tokens",
            per: "minute",
            limit: 60,
            used: 0,
            reserved: 0,
            remaining: 60,
            burst: 60,
            resetSeconds: 0,
          },
        ],
      },
    ],
    next: null,
  });
  assert.equal(table.live, 5, "asking makes no buckets");
});

test("what is left follows the configuration before any request does; a limit of 0 is used up", () => {
  const { table, report, ask, limited } = desk();
  const key = limited("key", ["search", "prod"], { monthlyTokens: 100 });
  fill(table, key, KIND.monthlyTokens, 202_611, 150);
  report.configure([key], new Int32Array());
  const now = "2026-11-16T00:00:00+08:00";
  const [over] = ask().usage[0]!.limits;
  assert.deepEqual([over!.used, over!.remaining, over!.exhaustedAt], [150, 0, now]);
  report.configure([{ ...key, limits: { ...key.limits, monthlyTokens: 0 } }], new Int32Array());
  const [none] = ask().usage[0]!.limits;
  assert.deepEqual([none!.limit, none!.remaining, none!.exhaustedAt], [0, 0, now]);
  report.configure([{ ...key, limits: { ...key.limits, monthlyTokens: 400 } }], new Int32Array());
  assert.deepEqual(ask().usage[0]!.limits[0]!.remaining, 250);
});

test("a month ends where the consumer is; the next one begins empty", () => {
  const { table, report, ask, limited, clock } = desk();
  const consumer = limited("consumer", ["search"], { monthlyTokens: 100 });
  report.configure([consumer], new Int32Array());
  fill(table, consumer, KIND.monthlyTokens, 202_611, 60);
  clock.epoch = Date.parse("2026-11-30T15:59:59.999Z");
  assert.equal(ask().usage[0]!.limits[0]!.used, 60);
  clock.epoch += 1;
  const [december] = ask().usage[0]!.limits;
  assert.deepEqual([december!.used, december!.month, december!.exhaustedAt], [0, "2026-12", null]);
});

test("filters: consumer, model as it is written, type, subject as it is written", () => {
  const { report, ask, limited, names } = desk();
  report.configure(
    [
      limited("consumer", ["a"], { rpm: 1 }),
      limited("grant", ["a", "index"], { rpm: 1 }),
      limited("grant", ["a", "*"], { rpm: 1 }),
      limited("key", ["a", "index"], { rpm: 1 }),
      limited("keyGrant", ["a", "index", "index"], { rpm: 1 }),
      limited("consumer", ["index"], { rpm: 1 }),
      limited("model", ["index"], { rpm: 1 }),
      limited("target", ["index", "a", "up/1"], { rpm: 1 }),
      limited("credential", ["a/main"], { rpm: 1 }),
    ],
    Int32Array.of(names.find("a"), names.find("index")),
  );
  const found = (query: Partial<UsageQuery>): string =>
    ask(query)
      .usage.map(({ subject }) => subject)
      .join(" ");
  assert.equal(found({ consumer: "a" }), "consumer:a grant:a/index grant:a/* key:a/index keyGrant:a/index/index");
  assert.equal(found({ model: "index" }), "grant:a/index keyGrant:a/index/index model:index target:index/a/up%2F1");
  assert.equal(found({ model: "*" }), "grant:a/*");
  assert.equal(found({ type: "credential" }), "credential:a%2Fmain");
  assert.equal(found({ consumer: "a", type: "grant", model: "index" }), "grant:a/index");
  assert.equal(found({ subject: "target:index/a/up%2F1" }), "target:index/a/up%2F1");
  assert.equal(found({ subject: "target:index/a/up%2f1" }), "", "not as it is written");
  assert.equal(found({ subject: "key:a/%69ndex" }), "");
  assert.equal(found({ consumer: "nobody" }), "");
  assert.equal(found({ subject: "consumer:nobody" }), "");
  assert.deepEqual([report.hasConsumer("a"), report.hasConsumer("main"), report.hasConsumer("")], [true, false, false]);
});

test("pages: each subject once, also with a filter; a changed configuration goes on where it was", () => {
  const { report, ask, limited } = desk();
  const all = Array.from({ length: 25 }, (_, index) => limited("key", ["c", `k${index}`], { rpm: 1 }));
  const mixed = all.flatMap((key) => [key, limited("model", [`m${key.second}`], { rpm: 1 })]);
  report.configure(mixed, new Int32Array());
  const seen: string[] = [];
  let cursor: string | null = null;
  let pages = 0;
  do {
    const page: UsagePage = ask({ limit: 10, type: "key", ...(cursor === null ? {} : { cursor }) });
    seen.push(...page.usage.map(({ subject }) => subject));
    cursor = page.next;
    pages++;
  } while (cursor !== null);
  assert.deepEqual(
    seen,
    all.map((_, index) => `key:c/k${index}`),
  );
  assert.equal(pages, 3);
  const { next } = ask({ limit: 10, type: "key" });
  report.configure(all.slice(5), new Int32Array());
  assert.equal(ask({ cursor: next! }).usage[0]!.subject, "key:c/k10", "found where it is now");
  report.configure(all.slice(0, 5), new Int32Array());
  assert.deepEqual(ask({ cursor: next! }), { usage: [], next: null });
  assert.equal(ask({ limit: 5 }).next, null, "a full page may be the last");
});

test("cursors: only what was given is taken", () => {
  const cursor = { index: 12, subject: "grant:ü/a%2Fb" };
  assert.deepEqual(decodeCursor(encodeCursor(cursor)), cursor);
  const text = (inside: string): string => Buffer.from(inside).toString("base64url");
  const bad = [
    "",
    "!",
    "AAAA",
    text("12"),
    text("12 "),
    text("-1 consumer:a"),
    text("01 consumer:a"),
    text("1 nothing"),
  ];
  bad.push(`${encodeCursor(cursor)}=`, `${encodeCursor(cursor)} `, text("1 consumer:%"), text(`1e9 consumer:a`));
  bad.push(text(`1 consumer:${"a".repeat(5_000)}`), text("9999999999 consumer:a"));
  for (const wrong of bad) assert.throws(() => decodeCursor(wrong), CursorError, wrong);
});
