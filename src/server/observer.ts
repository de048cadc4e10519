/** Where everything that the gateway tells of itself goes: metrics, access log, process log. */
import { readFileSync } from "node:fs";
import { UsageCollector } from "../ledger/usage-collector.ts";
import { NameTable } from "../lib/name-table.ts";
import { AccessLog } from "../observability/access-log.ts";
import { ledgerMetrics } from "../observability/ledger-metrics.ts";
import type { ProcessLog } from "../observability/log.ts";
import { Metrics } from "../observability/metrics.ts";
import type { MetricSource } from "../observability/prometheus.ts";
import { ProcessMetrics } from "../observability/process-metrics.ts";
import type { SecretMask } from "../observability/secret-mask.ts";
import type { GatewayObserver } from "./gateway-observer.ts";
import type { FromLoader } from "./messages.ts";
import { sharedLimitsMetrics, type SharedLimits } from "./shared-limits.ts";
import { WorkerMetrics } from "./worker-metrics.ts";

/** Metrics, access log and process log, fed by the gateway. */
export class Observer implements GatewayObserver {
  readonly names = new NameTable();
  readonly metrics = new Metrics({ names: this.names });
  readonly collector: UsageCollector;
  readonly accessLog: AccessLog;
  readonly #log: ProcessLog;
  readonly #mask: SecretMask;
  readonly #workers = new WorkerMetrics();
  #shared: SharedLimits | undefined;
  readonly #process = new ProcessMetrics(packageVersion());

  /** @param mask what the process log may never show; learns the credentials of each configuration */
  constructor(log: ProcessLog, mask: SecretMask) {
    this.#mask = mask;
    this.#log = log;
    this.accessLog = new AccessLog({ names: this.names, log });
    this.collector = new UsageCollector({
      sinks: [(record) => this.metrics.record(record), this.accessLog.record],
      onSinkError: (error) => {
        log.error({ err: error }, "a usage record could not be handled");
      },
    });
    for (const source of [
      this.accessLog.source,
      ledgerMetrics(this.collector, this.names),
      this.#workers.source,
      this.#process.source,
      () => this.#shared?.metrics() ?? sharedLimitsMetrics(undefined),
    ]) {
      this.metrics.addSource(source);
    }
  }

  loaded(message: Extract<FromLoader, { kind: "loaded" }>): void {
    this.#mask.setSecrets(message.secrets);
    this.#workers.loaded(message.durationMs);
    void this.accessLog.setOutput(message.settings.accessLog.output);
    const { version } = message.snapshot;
    this.#log.info({ version, ...message.counts, ms: Math.round(message.durationMs) }, "configuration loaded");
    for (const warning of message.warnings) {
      this.#log.warn(warning);
    }
  }

  loadFailed(message: string): void {
    this.#workers.loadFailed();
    this.#log.error(`the configuration was refused, the running one stays: ${message}`);
  }

  swapped(durationMs: number, longestSliceMs: number): void {
    this.#workers.swapped(durationMs, longestSliceMs);
  }

  workerDelay(index: number, maxMs: number): void {
    this.#workers.delay(index, maxMs);
  }

  workerLost(): void {
    this.#workers.restarted();
  }

  sharing(limits: SharedLimits): void {
    this.#shared = limits;
  }

  addMetrics(source: MetricSource): void {
    this.metrics.addSource(source);
  }

  async close(): Promise<void> {
    this.collector.stop();
    this.#process.stop();
    await this.accessLog.close();
  }
}

function packageVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
