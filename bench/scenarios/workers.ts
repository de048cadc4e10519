/**
 * Throughput of two workers against one. With four cores or more it is simply counted. With fewer, load and upstream
 * need the core that the second worker should have, so it is computed: requests per CPU second of the gateway, times
 * how evenly connections spread over its two workers. Sluice only.
 */
import type { Bench } from "../bench.ts";
import { cpuRound } from "../measure.ts";
import type { RoundResult } from "../measure.ts";
import type { InstalledPeer, RunningPeer } from "../peers/contract.ts";
import type { Cores } from "../processes.ts";
import { CPU_PLANS, planJob } from "./cpu.ts";
import type { CpuPlan } from "./cpu.ts";
import type { UpstreamMode } from "../protocol.ts";
import type { OwnScenario } from "./contract.ts";

const ENOUGH_CORES = 4;
/** So many that the system's spreading of connections over workers evens out. */
const CONNECTIONS = 256;
/** Each connection the same light work, far from saturation: then a worker's CPU time says how many connections it has. */
const EVEN_LOAD: UpstreamMode = { answer: "stream", bytes: 1024, pace: { kind: "rate", perSecond: 15, events: 0 } };
const EVEN_SECONDS = 3;
/** CPU time of a worker before the first round: what is measured is optimised code. */
const WARM_UP_CPU_SECONDS = 2.5;
const WARM_UP_MAX_SECONDS = 12;

export const workers: OwnScenario = {
  name: "workers",
  kind: "own",
  async run(bench) {
    const sluice = bench.peers.find((peer) => peer.name === "sluice");
    if (sluice === undefined) {
      return;
    }
    const one = await started(bench, sluice, 1, bench.cores.gateway);
    const two = await started(bench, sluice, 2, bench.cores.twoWorkers);
    const singles: RoundResult[] = [];
    const doubles: RoundResult[] = [];
    const evenness: number[] = [];
    try {
      await measured(bench, one, WARM_UP_CPU_SECONDS);
      await measured(bench, two, 2 * WARM_UP_CPU_SECONDS);
      const { cpuSeconds } = bench.options;
      for (let number = 0; number < bench.options.rounds; number++) {
        singles.push(await measured(bench, one, cpuSeconds));
        doubles.push(await measured(bench, two, 2 * cpuSeconds));
        evenness.push(await spread(bench, two, 2));
      }
    } finally {
      await one.group.end();
      await two.group.end();
    }
    report(bench, singles, doubles, evenness);
  },
};

async function started(bench: Bench, sluice: InstalledPeer, count: number, cores: Cores): Promise<RunningPeer> {
  const running = await sluice.start({ ...bench.startContext(`sluice-${count}-workers`), workers: count, cores });
  running.group.pause();
  return running;
}

function measured(bench: Bench, running: RunningPeer, cpuSeconds: number): Promise<RoundResult> {
  const plan = planOf("json-2k");
  return cpuRound(bench, running, {
    mode: plan.mode,
    job: { ...planJob(plan, { running }), connections: CONNECTIONS },
    cpuSeconds,
    rest: "asleep",
    maxSeconds: Math.max(WARM_UP_MAX_SECONDS, bench.options.maxRoundSeconds),
  });
}

/** 1: all workers have as many connections; 1 / workers: one has them all. */
async function spread(bench: Bench, running: RunningPeer, workerCount: number): Promise<number> {
  const before = running.group.threadCpuSeconds();
  const load = { ...planJob(planOf("sse-10k"), { running }), connections: CONNECTIONS };
  await cpuRound(bench, running, {
    mode: EVEN_LOAD,
    job: load,
    cpuSeconds: 60,
    maxSeconds: EVEN_SECONDS,
    rest: "asleep",
  });
  const used: number[] = [];
  for (const [thread, seconds] of running.group.threadCpuSeconds()) {
    if (thread !== running.group.pid) {
      used.push(seconds - (before.get(thread) ?? 0));
    }
  }
  const busiest = used.toSorted((a, b) => b - a).slice(0, workerCount);
  const sum = busiest.reduce((total, seconds) => total + seconds, 0);
  return sum / (workerCount * (busiest[0] ?? Number.NaN));
}

function planOf(name: CpuPlan["name"]): CpuPlan {
  const plan = CPU_PLANS.find((candidate) => candidate.name === name);
  if (plan === undefined) {
    throw new Error(`no plan ${name}`);
  }
  return plan;
}

function report(
  bench: Bench,
  singles: readonly RoundResult[],
  doubles: readonly RoundResult[],
  evenness: readonly number[],
): void {
  const record = (metric: string, unit: string, rounds: readonly number[]): void => {
    bench.record("workers", "sluice", metric, unit, rounds);
  };
  const perSecond = (result: RoundResult): number => result.load.completed / result.wallSeconds;
  const perCpuSecond = (result: RoundResult): number => result.load.completed / result.cpuSeconds;
  record("1 worker", "requests/s", singles.map(perSecond));
  record("2 workers", "requests/s", doubles.map(perSecond));
  record(
    "CPU per request, 1 worker",
    "µs",
    singles.map((result) => 1e6 / perCpuSecond(result)),
  );
  record(
    "CPU per request, 2 workers",
    "µs",
    doubles.map((result) => 1e6 / perCpuSecond(result)),
  );
  record("evenness of 2 workers", "of 1", evenness);
  const counted = bench.machine.cores >= ENOUGH_CORES;
  const gain = doubles.map((double, index) => {
    const single = singles[index];
    if (single === undefined) {
      return Number.NaN;
    }
    const computed = (2 * (evenness[index] ?? Number.NaN) * perCpuSecond(double)) / perCpuSecond(single);
    return counted ? perSecond(double) / perSecond(single) : computed;
  });
  record(counted ? "throughput gained" : "throughput gained (computed)", "×", gain);
}
