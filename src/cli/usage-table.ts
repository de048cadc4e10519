/** The usage report as a table for people: a line a limit. */
import type { LimitUsage, SubjectUsage } from "../quotas/usage-report.ts";

const UNITS: Readonly<Record<LimitUsage["kind"], string>> = {
  requests: "requests a minute",
  tokens: "tokens a minute",
  concurrency: "requests at once",
  monthlyTokens: "tokens a month",
  monthlyUsd: "dollars a month",
};
/** Widths: most names are shorter; a longer one moves its line to the right. */
const SUBJECT = 32;
const UNIT = 18;
const AMOUNT = 14;
const PERCENT = 7;

/** The line above the columns. */
export function usageHead(): string {
  return line("SUBJECT", "LIMIT", "USED", "RUNNING", "OF", "USED %", "BACK");
}

/** What the star beside a subject means. */
export function usageFoot(): string {
  return "* set at run time: `sluice limits` tells by whom\n";
}

/** A subject's lines, each with its line break. */
export function usageLines({ subject, overridden, limits }: SubjectUsage): string[] {
  return limits.map((limit, index) =>
    line(
      index === 0 ? printable(subject) + (overridden ? " *" : "") : "",
      UNITS[limit.kind],
      amount(limit.used, limit.kind),
      amount(limit.reserved, limit.kind),
      amount(limit.limit, limit.kind),
      percent(limit),
      reset(limit),
    ),
  );
}

function line(
  subject: string,
  unit: string,
  used: string,
  running: string,
  limit: string,
  share: string,
  reset: string,
): string {
  const numbers = [used, running, limit].map((text) => text.padStart(AMOUNT)).join("");
  return (
    `${subject.padEnd(SUBJECT)} ${unit.padEnd(UNIT)}${numbers} ${share.padStart(PERCENT)}  ${reset}`.trimEnd() + "\n"
  );
}

/** Requests at once are used by those that run. */
function percent({ per, used, reserved, limit }: LimitUsage): string {
  const taken = per === "moment" ? used + reserved : used;
  return limit === 0 ? "-" : ((taken / limit) * 100).toFixed(1);
}

/** Made once: each costs as much as thousands of numbers. */
const DOLLARS = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const REQUESTS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });
const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

function amount(value: number, kind: LimitUsage["kind"]): string {
  switch (kind) {
    case "monthlyUsd":
      return DOLLARS.format(value);
    case "requests":
      return REQUESTS.format(value);
    default:
      return WHOLE.format(value);
  }
}

function reset({ per, resetSeconds = 0, resetsAt = "", exhaustedAt, used, limit }: LimitUsage): string {
  switch (per) {
    case "minute":
      return resetSeconds > 0 ? `in ${resetSeconds.toFixed(1)} s` : "now";
    case "moment":
      return "as requests end";
    case "month": {
      const at = `${resetsAt.slice(0, 16).replace("T", " ")} ${resetsAt.slice(19)}`;
      if (used >= limit) {
        return `${at}; used up`;
      }
      return typeof exhaustedAt === "string" ? `${at}; used up about ${exhaustedAt.slice(0, 10)}` : at;
    }
  }
}

/** Names come from elsewhere: nothing in them may act on the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, "?");
}
