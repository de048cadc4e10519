/** A new configuration of 10,000 models, targets and routes while requests run. Sluice only. */
import { renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import type { Bench } from "../bench.ts";
import { httpRequest, job } from "../measure.ts";
import { chatRequest, MODEL } from "../payloads.ts";
import { baseConfig, startSluice } from "../peers/sluice.ts";
import type { RunningSluice } from "../peers/sluice.ts";
import type { LoadJob, LoadStats } from "../protocol.ts";
import {
  LOAD_SECONDS,
  LOADS,
  MAIN_DELAY_SECONDS,
  readMetrics,
  SWAP_SECONDS,
  SWAP_SLICE_SECONDS,
  WORKER_DELAY_SECONDS,
} from "../sluice-metrics.ts";
import type { OwnScenario } from "./contract.ts";

const SIZE = 10_000;
const ROUTES_PER_HOST = 100;
const PER_SECOND = 500;
const SWAP_WITHIN_MS = 60_000;
const POLL_MS = 200;
/** The workers' delay is that of their last second: watched a little longer, so that it holds the swap. */
const WATCH_AFTER_MS = 1_500;

export const swap: OwnScenario = {
  name: "swap",
  kind: "own",
  async run(bench) {
    if (!bench.peers.some((peer) => peer.name === "sluice")) {
      return;
    }
    const context = bench.startContext("sluice-swap");
    const config = (version: number): Record<string, unknown> => largeConfig(bench.upstream.port, version);
    const sluice = await startSluice({ ...context, cores: bench.cores.twoWorkers }, config(0));
    try {
      await measure(bench, sluice, config);
    } finally {
      await sluice.group.end();
    }
  },
};

function largeConfig(upstreamPort: number, version: number): Record<string, unknown> {
  const models = Array.from({ length: SIZE }, (_, index) => ({
    name: `model-${index}`,
    targets: [{ provider: "upstream", model: MODEL, weight: 1 + ((index + version) % 3) }],
  }));
  const domains = Array.from({ length: SIZE / ROUTES_PER_HOST }, (_, host) => ({
    host: `team-${host}.example.com`,
    routes: Array.from({ length: ROUTES_PER_HOST }, (__, route) => ({
      path: `/app-${version}-${route}/v1/*`,
      api: "openai",
    })),
  }));
  const base = baseConfig(upstreamPort);
  const everywhere = { host: "*", routes: [{ path: "/v1/*", api: "openai" }] };
  return { ...base, models, domains: [...domains, everywhere] };
}

async function measure(
  bench: Bench,
  sluice: RunningSluice,
  config: (version: number) => Record<string, unknown>,
): Promise<void> {
  await bench.upstream.setMode({ answer: "whole", bytes: 1024 });
  const target = sluice.target("whole");
  const requests = Array.from({ length: 100 }, (_, index) =>
    httpRequest(target, chatRequest({ bytes: 2048, model: "first", stream: "whole" }, `model-${index * 100}`)),
  );
  const load = {
    ...job(target, "", {}),
    requests,
    connections: 256,
    shape: { kind: "paced", perSecond: PER_SECOND },
  } as const;
  await warmUp(bench, load);
  await bench.load.begin(load);
  const calmly = await watch(sluice, bench.options.latencySeconds * 1000);
  const calm = await bench.load.stop();

  await bench.load.begin(load);
  const results: SwapResult[] = [];
  for (let version = 1; version <= bench.options.rounds; version++) {
    const result = await oneSwap(sluice, stringify(config(version)), calmly.mainCpuShare);
    if (result === undefined) {
      bench.remark(`swap: a new file was not taken up within ${SWAP_WITHIN_MS / 1000} s`);
      break;
    }
    results.push(result);
  }
  const swapping = await bench.load.stop();
  report(bench, results, calm, swapping);
  bench.record("swap", "sluice", "worker event-loop delay without swaps", "ms", [calmly.workerDelayMs]);
}

async function warmUp(bench: Bench, load: LoadJob): Promise<void> {
  await bench.load.begin(load);
  await sleep(3_000);
  await bench.load.stop();
}

function report(bench: Bench, results: readonly SwapResult[], calm: LoadStats, swapping: LoadStats): void {
  const record = (metric: string, unit: string, rounds: readonly number[]): void => {
    bench.record("swap", "sluice", metric, unit, rounds);
  };
  const of = (read: (result: SwapResult) => number): number[] => results.map(read);
  record(
    "main thread, CPU beyond the usual",
    "ms",
    of((result) => result.mainCpuMs),
  );
  record(
    "worker event-loop delay",
    "ms",
    of((result) => result.workerDelayMs),
  );
  record(
    "longest slice of compiling",
    "ms",
    of((result) => result.sliceMs),
  );
  record(
    "reading and checking (own thread)",
    "ms",
    of((result) => result.loadMs),
  );
  record(
    "compiling in a worker",
    "ms",
    of((result) => result.swapMs),
  );
  record(
    "file changed to all swapped",
    "ms",
    of((result) => result.wallMs),
  );
  record("failed requests", "requests", [swapping.failed + swapping.skipped]);
  record("slowest answer without swaps", "ms", [calm.latencyMs.max]);
  record("slowest answer with swaps", "ms", [swapping.latencyMs.max]);
  if (swapping.firstError !== "") {
    bench.remark(`swap: ${swapping.firstError}`);
  }
}

interface SwapResult {
  /** What the main thread used beyond its usual share; 0: no more than that. */
  readonly mainCpuMs: number;
  readonly mainDelayMs: number;
  readonly workerDelayMs: number;
  readonly sliceMs: number;
  readonly loadMs: number;
  readonly swapMs: number;
  readonly wallMs: number;
}

async function oneSwap(sluice: RunningSluice, text: string, mainCpuShare: number): Promise<SwapResult | undefined> {
  const count = (await readMetrics(sluice.adminPort)).get(LOADS) ?? 0;
  const cpuBefore = mainCpuMs(sluice);
  const startedAt = performance.now();
  writeFileSync(`${sluice.configFile}.new`, text);
  renameSync(`${sluice.configFile}.new`, sluice.configFile);
  let workerDelay = 0;
  let mainDelay = 0;
  while (performance.now() - startedAt < SWAP_WITHIN_MS) {
    await sleep(POLL_MS);
    const metrics = await readMetrics(sluice.adminPort);
    workerDelay = Math.max(workerDelay, metrics.get(WORKER_DELAY_SECONDS) ?? Number.NaN);
    mainDelay = Math.max(mainDelay, metrics.get(MAIN_DELAY_SECONDS) ?? Number.NaN);
    if ((metrics.get(LOADS) ?? 0) > count && (metrics.get(SWAP_SECONDS) ?? 0) > 0) {
      const wallMs = performance.now() - startedAt;
      const after = await watch(sluice, WATCH_AFTER_MS);
      const mainMs = mainCpuMs(sluice) - cpuBefore - mainCpuShare * (performance.now() - startedAt);
      return {
        mainCpuMs: Math.max(0, mainMs),
        mainDelayMs: mainDelay * 1000,
        workerDelayMs: Math.max(workerDelay * 1000, after.workerDelayMs),
        sliceMs: (metrics.get(SWAP_SLICE_SECONDS) ?? Number.NaN) * 1000,
        loadMs: (metrics.get(LOAD_SECONDS) ?? Number.NaN) * 1000,
        swapMs: (metrics.get(SWAP_SECONDS) ?? Number.NaN) * 1000,
        wallMs,
      };
    }
  }
  return undefined;
}

interface Watched {
  /** Share of a core that the main thread used. */
  readonly mainCpuShare: number;
  /** Longest delay of a worker's event loop. */
  readonly workerDelayMs: number;
}

/** Looks on for a while, polling as often as during a swap. */
async function watch(sluice: RunningSluice, durationMs: number): Promise<Watched> {
  const cpuBefore = mainCpuMs(sluice);
  const startedAt = performance.now();
  let workerDelay = 0;
  do {
    await sleep(POLL_MS);
    const metrics = await readMetrics(sluice.adminPort);
    workerDelay = Math.max(workerDelay, metrics.get(WORKER_DELAY_SECONDS) ?? Number.NaN);
  } while (performance.now() - startedAt < durationMs);
  const mainCpuShare = (mainCpuMs(sluice) - cpuBefore) / (performance.now() - startedAt);
  return { mainCpuShare, workerDelayMs: workerDelay * 1000 };
}

function mainCpuMs(sluice: RunningSluice): number {
  return (sluice.group.threadCpuSeconds().get(sluice.group.pid) ?? Number.NaN) * 1000;
}
