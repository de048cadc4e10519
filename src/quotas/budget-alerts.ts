/**
 * Tells when a month's budget passes 80 % and 100 %: once each. What was told before a restart is known from what was
 * stored then, so nothing more has to be kept.
 */
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

/** What has been told; lives beside the store. */
export class BudgetAlerts {
  /** What the store does not know yet, by subject, kind, month and limit: how many of the percents were told. */
  readonly #told = new Map<string, number>();

  /**
   * What is to be told of a counter that is about to be stored. A limit that was changed counts from what is used by then.
   * @param stored the counter as the store has it @param limit 0 or less: there is none to pass
   */
  passed(row: MonthRow, stored: number, limit: number): BudgetAlert[] {
    if (!(limit > 0)) {
      return [];
    }
    const reached = levelOf(row.used, limit);
    const key = `${row.month} ${row.kind} ${limit} ${row.subject}`;
    const told = Math.max(levelOf(stored, limit), this.#told.get(key) ?? 0);
    if (reached <= told) {
      return [];
    }
    this.#told.set(key, reached);
    return ALERT_PERCENTS.slice(told, reached).map((percent) => ({ ...row, percent, limit }));
  }

  /** The store knows now all that was told. */
  stored(): void {
    this.#told.clear();
  }
}

/** How many of the percents are reached. */
function levelOf(used: number, limit: number): number {
  return ALERT_PERCENTS.filter((percent) => used >= (limit * percent) / 100).length;
}
