/** Budgets that run out, told to people: a line in the process log each, and a count for alerts. */
import type { ProcessLog } from "../observability/log.ts";
import type { MetricSource } from "../observability/prometheus.ts";
import { ALERT_PERCENTS, type BudgetAlert } from "../quotas/budget-alerts.ts";
import { monthText } from "../quotas/usage-report.ts";

const NANO = 1e9;

/** Lives on the main thread. */
export class QuotaAlerts {
  readonly #log: ProcessLog;
  readonly #counts = new Map<number, number>(ALERT_PERCENTS.map((percent) => [percent, 0]));

  constructor(log: ProcessLog) {
    this.#log = log;
  }

  /** Budgets have passed one of the percents. */
  readonly passed = (alerts: readonly BudgetAlert[]): void => {
    for (const { subject, kind, month, percent, used, limit } of alerts) {
      this.#counts.set(percent, (this.#counts.get(percent) ?? 0) + 1);
      const isMoney = kind === "monthlyUsd";
      const amounts = isMoney ? { used: used / NANO, limit: limit / NANO } : { used, limit };
      const part = percent === 100 ? "used up its" : `used ${percent} % of its`;
      const what = `${amounts.limit} ${isMoney ? "dollars" : "tokens"} of ${monthText(month)}`;
      this.#log.warn(
        { subject, kind, month: monthText(month), percent, ...amounts },
        `budget: ${subject} has ${part} ${what}`,
      );
    }
  };

  readonly source: MetricSource = () => [
    {
      name: "sluice_quota_alerts_total",
      help: "Monthly budgets that passed this part of themselves, each once a month.",
      type: "counter",
      samples: Array.from(this.#counts, ([percent, value]) => ({ labels: { percent: String(percent) }, value })),
    },
  ];
}
