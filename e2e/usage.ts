/** The usage report as tests read it, and what the access log says that it must be. */
import assert from "node:assert/strict";
import type { UsageEntry } from "../src/ledger/entry.ts";
import type { LimitUsage, SubjectUsage, UsagePage } from "../src/quotas/usage-report.ts";
import { until, type RunningGateway } from "./harness.ts";

/** One page. @param query with its `?` */
export async function usagePage(gateway: RunningGateway, query = "", path = "/admin/v1/usage"): Promise<UsagePage> {
  const answer = await fetch(`${gateway.adminUrl}${path}${query}`);
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  assert.equal(answer.headers.get("content-type"), "application/json");
  return JSON.parse(text) as UsagePage;
}

/** All subjects; there must be no more than fit on a page. */
export async function usageOf(gateway: RunningGateway): Promise<Map<string, SubjectUsage>> {
  const { usage, next } = await usagePage(gateway, "?limit=1000");
  assert.equal(next, null);
  return new Map(usage.map((row) => [row.subject, row]));
}

/** One limit of a subject. */
export function limitOf(
  rows: ReadonlyMap<string, SubjectUsage>,
  subject: string,
  kind: LimitUsage["kind"],
): LimitUsage {
  const limit = rows.get(subject)?.limits.find((candidate) => candidate.kind === kind);
  assert.ok(limit !== undefined, `${subject} has no ${kind}; there are ${[...rows.keys()].join(", ")}`);
  return limit;
}

/** Waits until nothing is reserved any more, and returns what is used then. @throws Error with what is still reserved */
export async function quietUsage(gateway: RunningGateway): Promise<Map<string, SubjectUsage>> {
  let last = "";
  return until(
    "nothing is reserved",
    async () => {
      const rows = await usageOf(gateway);
      const held = [...rows.values()].flatMap(({ subject, limits }) =>
        limits.filter(({ reserved }) => reserved !== 0).map(({ kind, reserved }) => `${subject} ${kind} ${reserved}`),
      );
      last = held.join(", ");
      return held.length === 0 ? rows : undefined;
    },
    5_000,
  ).catch((error: unknown) => {
    throw new Error(`still reserved: ${last}`, { cause: error });
  });
}

/** Tokens that quotas count. */
export function tokensOf(entries: readonly UsageEntry[]): number {
  return entries.reduce((sum, { promptTokens, completionTokens }) => sum + promptTokens + completionTokens, 0);
}
