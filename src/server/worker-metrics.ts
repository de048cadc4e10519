/** What the gateway itself has to tell: swaps of the configuration, workers, their event loops. */
import type { MetricSource } from "../observability/prometheus.ts";

/** Counts and gauges about workers and configuration swaps; lives on the main thread. */
export class WorkerMetrics {
  #swaps = 0;
  #failedLoads = 0;
  #restarts = 0;
  #lastLoadMs = 0;
  #lastSwapMs = 0;
  #longestSliceMs = 0;
  readonly #delays = new Map<number, number>();

  loaded(durationMs: number): void {
    this.#swaps += 1;
    this.#lastLoadMs = durationMs;
    this.#lastSwapMs = 0;
    this.#longestSliceMs = 0;
  }

  loadFailed(): void {
    this.#failedLoads += 1;
  }

  /** A worker has gone over to the newest snapshot. */
  swapped(durationMs: number, longestSliceMs: number): void {
    this.#lastSwapMs = Math.max(this.#lastSwapMs, durationMs);
    this.#longestSliceMs = Math.max(this.#longestSliceMs, longestSliceMs);
  }

  restarted(): void {
    this.#restarts += 1;
  }

  /** The longest delay of a worker's event loop in the last second. */
  delay(worker: number, maxMs: number): void {
    this.#delays.set(worker, maxMs);
  }

  readonly source: MetricSource = () => [
    {
      name: "sluice_config_loads_total",
      help: "Configurations that were loaded and given to the workers.",
      type: "counter",
      samples: [{ value: this.#swaps }],
    },
    {
      name: "sluice_config_load_failures_total",
      help: "Configurations that were refused; the running one stayed.",
      type: "counter",
      samples: [{ value: this.#failedLoads }],
    },
    {
      name: "sluice_config_load_duration_seconds",
      help: "Time to read, check and publish the newest configuration, on a thread of its own.",
      type: "gauge",
      samples: [{ value: this.#lastLoadMs / 1000 }],
    },
    {
      name: "sluice_config_swap_duration_seconds",
      help: "Time the slowest worker took to compile the newest configuration, between requests.",
      type: "gauge",
      samples: [{ value: this.#lastSwapMs / 1000 }],
    },
    {
      name: "sluice_config_swap_longest_slice_seconds",
      help: "Longest time that compiling it held a worker's event loop.",
      type: "gauge",
      samples: [{ value: this.#longestSliceMs / 1000 }],
    },
    {
      name: "sluice_worker_restarts_total",
      help: "Workers that died and were replaced.",
      type: "counter",
      samples: [{ value: this.#restarts }],
    },
    {
      name: "sluice_worker_event_loop_delay_seconds",
      help: "Longest delay of each worker's event loop in the last second.",
      type: "gauge",
      samples: [...this.#delays].map(([worker, ms]) => ({ labels: { worker: String(worker) }, value: ms / 1000 })),
    },
  ];
}
