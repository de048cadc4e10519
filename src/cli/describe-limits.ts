/** Limits for people to read. */
import type { ConsumerConfig, GrantConfig, LimitsConfig } from "../config/snapshot.ts";

/** What holds where nobody says otherwise, and so is not said. */
const USUAL_BURST_MS = 60_000;
const NANO = 1e9;

/** `600 rpm, 5 at once, 50000000 tokens and 3000 USD a month (hard, burst 10s)`; undefined if nothing is limited. */
export function describeLimits(limits: LimitsConfig | undefined): string | undefined {
  if (limits === undefined) {
    return undefined;
  }
  const { rpm, tpm, concurrency, monthlyTokens, monthlyNanoUsd, burstMs, mode } = limits;
  const isByMinute = rpm !== undefined || tpm !== undefined;
  const monthly = [amount(monthlyTokens, "tokens"), amount(monthlyNanoUsd && monthlyNanoUsd / NANO, "USD")].flat();
  const amounts = [
    ...amount(rpm, "rpm"),
    ...amount(tpm, "tpm"),
    ...amount(concurrency, "at once"),
    ...(monthly.length === 0 ? [] : [`${monthly.join(" and ")} a month`]),
  ];
  const manner = [
    ...(mode === "hard" ? ["hard"] : []),
    ...(isByMinute && burstMs !== USUAL_BURST_MS ? [`burst ${burstMs / 1_000}s`] : []),
  ];
  return amounts.join(", ") + (manner.length === 0 ? "" : ` (${manner.join(", ")})`);
}

function amount(value: number | undefined, unit: string): string[] {
  return value === undefined ? [] : [`${value} ${unit}`];
}

/** `index [600 rpm], *`; `nothing` for no grants. */
export function describeGrants(grants: readonly GrantConfig[]): string {
  const each = grants.map(({ model, limits }) => model + (limits === undefined ? "" : ` [${describeLimits(limits)}]`));
  return each.length === 0 ? "nothing" : each.join(", ");
}

/** A line for what all keys share, and one for each key with limits of its own. */
export function describeConsumerLimits(consumer: ConsumerConfig): string[] {
  const own = describeLimits(consumer.limits);
  const keys = consumer.keys.filter(({ limits, grants }) => limits ?? grants?.some((grant) => grant.limits));
  const zone = `months of ${consumer.timeZone}`;
  return [
    ...(own === undefined ? [] : [`  limits: ${own}, ${zone}`]),
    ...keys.map(({ name, limits, grants }) => {
      const parts = [describeLimits(limits), grants === undefined ? undefined : `may use ${describeGrants(grants)}`];
      return `  key ${name}: ${parts.filter((part) => part !== undefined).join("; ")}`;
    }),
  ];
}
