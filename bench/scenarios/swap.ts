/** A new configuration of 10,000 models, targets and routes while requests run. Sluice only. */
import { renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import type { Bench } from "../bench.ts";
import { httpRequest, job } from "../measure.ts";
import { chatRequest, MODEL } from "../payloads.ts";
import { baseConfig, startSluice } from "../peers/sluice.ts";
import type { RunningSluice } from "../peers/sluice.ts";
import type { LoadStats } from "../protocol.ts";
import { readMetrics, SWAP_COUNT, SWAP_MAIN_SECONDS, SWAP_WORKER_DELAY_SECONDS } from "../sluice-metrics.ts";
import type { OwnScenario } from "./contract.ts";

const SIZE = 10_000;
const ROUTES_PER_HOST = 100;
const PER_SECOND = 500;
const SWAP_WITHIN_MS = 60_000;

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
  await bench.load.begin(load);
  await sleep(bench.options.latencySeconds * 1000);
  const calm = await bench.load.stop();

  await bench.load.begin(load);
  await sleep(1_000);
  const results: SwapResult[] = [];
  for (let version = 1; version <= bench.options.rounds; version++) {
    const result = await oneSwap(sluice, stringify(config(version)));
    if (result === undefined) {
      bench.remark(`swap: ${SWAP_COUNT} did not grow within ${SWAP_WITHIN_MS / 1000} s`);
      break;
    }
    results.push(result);
    await sleep(1_500);
  }
  report(bench, results, calm, await bench.load.stop());
}

function report(bench: Bench, results: readonly SwapResult[], calm: LoadStats, swapping: LoadStats): void {
  const record = (metric: string, unit: string, rounds: readonly number[]): void =>
    bench.record("swap", "sluice", metric, unit, rounds);
  record(
    "main thread, of the swap",
    "ms",
    results.map((result) => result.mainMs),
  );
  record(
    "main thread, CPU in all",
    "ms",
    results.map((result) => result.mainCpuMs),
  );
  record(
    "worker event-loop delay",
    "ms",
    results.map((result) => result.workerDelayMs),
  );
  record(
    "file changed to swapped",
    "ms",
    results.map((result) => result.wallMs),
  );
  record("failed requests", "requests", [swapping.failed + swapping.skipped]);
  record("slowest answer without swaps", "ms", [calm.latencyMs.max]);
  record("slowest answer with swaps", "ms", [swapping.latencyMs.max]);
  if (swapping.firstError !== "") {
    bench.remark(`swap: ${swapping.firstError}`);
  }
}

interface SwapResult {
  readonly mainMs: number;
  readonly mainCpuMs: number;
  readonly workerDelayMs: number;
  readonly wallMs: number;
}

async function oneSwap(sluice: RunningSluice, text: string): Promise<SwapResult | undefined> {
  const count = (await readMetrics(sluice.adminPort)).get(SWAP_COUNT) ?? 0;
  const mainCpu = (): number => sluice.group.threadCpuSeconds().get(sluice.group.pid) ?? 0;
  const cpuBefore = mainCpu();
  const startedAt = performance.now();
  writeFileSync(`${sluice.configFile}.new`, text);
  renameSync(`${sluice.configFile}.new`, sluice.configFile);
  while (performance.now() - startedAt < SWAP_WITHIN_MS) {
    await sleep(100);
    const metrics = await readMetrics(sluice.adminPort);
    if ((metrics.get(SWAP_COUNT) ?? 0) > count) {
      return {
        mainMs: (metrics.get(SWAP_MAIN_SECONDS) ?? Number.NaN) * 1000,
        mainCpuMs: (mainCpu() - cpuBefore) * 1000,
        workerDelayMs: (metrics.get(SWAP_WORKER_DELAY_SECONDS) ?? Number.NaN) * 1000,
        wallMs: performance.now() - startedAt,
      };
    }
  }
  return undefined;
}
