/** Who watches a gateway. */
import type { UsageCollector } from "../ledger/usage-collector.ts";
import type { NameTable } from "../lib/name-table.ts";
import type { MetricSource } from "../observability/prometheus.ts";
import type { FromLoader } from "./messages.ts";
import type { SharedLimits } from "./shared-limits.ts";

/** What the gateway tells those who observe it. */
export interface GatewayObserver {
  readonly names: NameTable;
  /** Reads the workers' usage tables. */
  readonly collector: UsageCollector;
  loaded(message: Extract<FromLoader, { kind: "loaded" }>): void;
  loadFailed(message: string): void;
  swapped(durationMs: number, longestSliceMs: number): void;
  workerDelay(index: number, maxMs: number): void;
  workerLost(lostRequests: number): void;
  /** Limits are shared with other machines. */
  sharing(limits: SharedLimits): void;
  /** Has the source computed at each scrape. */
  addMetrics(source: MetricSource): void;
}
