/** Limits that were set at run time on their way from the loader to all workers. */
import type { ProcessLog } from "../observability/log.ts";
import type { MetricFamily } from "../observability/prometheus.ts";
import { LimitOverrides, type OverrideChange } from "../quotas/overrides/limit-overrides.ts";
import type { FromLoader, OverrideCounts } from "./messages.ts";
import type { WorkerHandle } from "./worker-handle.ts";

/** A worker that says nothing for so long is busy with something else, and takes them when it is not. */
const PATIENCE_MS = 5_000;

export class OverrideBroadcast {
  readonly #workers: readonly Pick<WorkerHandle, "override">[];
  readonly #log: ProcessLog;
  readonly #overrides = new LimitOverrides();
  #counts: OverrideCounts = { inForce: 0, withoutEffect: 0 };
  #taken: Promise<unknown> = Promise.resolve();

  /** @param workers those that there are, at any time */
  constructor(workers: readonly Pick<WorkerHandle, "override">[], log: ProcessLog) {
    this.#workers = workers;
    this.#log = log;
  }

  /** What a worker that begins now must know. */
  get all(): OverrideChange[] {
    return this.#overrides.all();
  }

  /** Resolves when all workers go by what came last; some may be busy for long, and are not waited for. */
  async taken(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, PATIENCE_MS);
    await Promise.race([this.#taken, promise]);
    clearTimeout(timer);
  }

  send({ changes, counts, warnings }: Extract<FromLoader, { kind: "inForce" }>): void {
    this.#counts = counts;
    for (const warning of warnings) {
      this.#log.warn(warning);
    }
    if (changes.length > 0) {
      this.#overrides.take(changes);
      const id = this.#overrides.generation;
      this.#taken = Promise.all(this.#workers.map((worker) => worker.override(id, changes)));
    }
  }

  /** @param unshared set here, and other machines do not know it yet */
  metric(unshared: number): MetricFamily {
    const { inForce, withoutEffect } = this.#counts;
    const sample = (state: string, value: number) => ({ labels: { state }, value });
    return {
      name: "sluice_quota_overrides",
      help: "Subjects whose limits were set at run time: in force, without effect, not told to other machines yet.",
      type: "gauge",
      samples: [sample("in_force", inForce), sample("without_effect", withoutEffect), sample("unshared", unshared)],
    };
  }
}
