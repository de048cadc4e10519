/** Tells when a month's budget passes 80 % and 100 %: once each. */
import type { MonthRow } from "./machine-store.ts";

/** Parts of a budget that are worth a word, in percent. */
export const ALERT_PERCENTS = [80, 100] as const;
type AlertPercent = (typeof ALERT_PERCENTS)[number];

/** A budget of which at least so much is used. */
export interface BudgetAlert extends MonthRow {
  readonly percent: AlertPercent;
  /** In the unit of `used`: tokens, or nano-dollars. */
  readonly limit: number;
}

/**
 * What is to be told of a counter. A limit that was changed counts from what is used by then.
 * @param before the counter when it was last looked at @param limit 0 or less: there is none to pass
 */
export function budgetAlerts(row: MonthRow, before: number, limit: number): BudgetAlert[] {
  if (!(limit > 0)) {
    return [];
  }
  const percents = ALERT_PERCENTS.slice(levelOf(before, limit), levelOf(row.used, limit));
  return percents.map((percent) => ({ ...row, percent, limit }));
}

/** How many of the percents are reached. */
function levelOf(used: number, limit: number): number {
  return ALERT_PERCENTS.filter((percent) => used >= (limit * percent) / 100).length;
}
