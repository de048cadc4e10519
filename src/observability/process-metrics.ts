import { createHistogram } from "node:perf_hooks";
import type { MetricFamily, MetricSource } from "./prometheus.ts";

const NANOSECONDS = 1e9;
const INTERVAL_MS = 20;

/** What the process says about itself: the delay of the main thread's event loop, CPU, memory. */
export class ProcessMetrics {
  // Not `monitorEventLoopDelay`: its reset forgets the interval under way, and with it the delay of the scrape itself.
  readonly #delays = createHistogram();
  readonly #timer: NodeJS.Timeout;
  #dueAt = performance.now() + INTERVAL_MS;
  readonly #startedAt = Date.now() / 1000 - process.uptime();
  readonly #version: string;

  /** @param version of Sluice, shown as a label. */
  constructor(version: string) {
    this.#version = version;
    this.#timer = setInterval(() => this.#measure(), INTERVAL_MS).unref();
  }

  /** For `Metrics.addSource`. The delay's quantiles cover the time since the last scrape. */
  readonly source: MetricSource = () => [...this.#identity(), this.#eventLoopDelay(), ...cpuAndMemory()];

  /** Ends the measuring. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #identity(): MetricFamily[] {
    return [
      {
        name: "sluice_build_info",
        help: "Always 1; the labels tell what runs.",
        type: "gauge",
        samples: [{ labels: { version: this.#version, node: process.version }, value: 1 }],
      },
      {
        name: "sluice_process_start_time_seconds",
        help: "When the process started, in seconds since the epoch.",
        type: "gauge",
        samples: [{ value: this.#startedAt }],
      },
    ];
  }

  #measure(): void {
    const now = performance.now();
    // The histogram takes whole numbers from 1.
    this.#delays.record(Math.max(1, Math.round((now - this.#dueAt) * 1e6)));
    this.#dueAt = now + INTERVAL_MS;
  }

  #eventLoopDelay(): MetricFamily {
    const delays = this.#delays;
    const seconds = (nanoseconds: number): number => (delays.count === 0 ? 0 : nanoseconds / NANOSECONDS);
    const samples = [
      { labels: { quantile: "0.5" }, value: seconds(delays.percentile(50)) },
      { labels: { quantile: "0.99" }, value: seconds(delays.percentile(99)) },
      { labels: { quantile: "1" }, value: seconds(delays.max) },
    ];
    delays.reset();
    return {
      name: "sluice_main_event_loop_delay_seconds",
      help: "Delay of the main thread's event loop since the last scrape.",
      type: "gauge",
      samples,
    };
  }
}

function cpuAndMemory(): MetricFamily[] {
  const cpu = process.cpuUsage();
  return [
    {
      name: "sluice_process_cpu_seconds_total",
      help: "User and system CPU time of all threads.",
      type: "counter",
      samples: [{ value: (cpu.user + cpu.system) / 1e6 }],
    },
    {
      name: "sluice_process_resident_memory_bytes",
      help: "Resident memory of the process.",
      type: "gauge",
      samples: [{ value: process.memoryUsage.rss() }],
    },
  ];
}
