/**
 * Throughput of two workers against one. With four cores or more it is simply counted. With fewer, load and upstream
 * need the cores that the second worker should have, so it is computed: requests per CPU second of the gateway,
 * times how evenly its two workers share the load. Sluice only.
 */
import type { Bench } from "../bench.ts";
import { cpuRound } from "../measure.ts";
import type { RoundResult } from "../measure.ts";
import type { InstalledPeer, RunningPeer } from "../peers/contract.ts";
import type { Cores } from "../processes.ts";
import { CPU_PLANS, planJob } from "./cpu.ts";
import type { OwnScenario } from "./contract.ts";

const ENOUGH_CORES = 4;
/** So many that the system's spreading of connections over workers evens out. */
const CONNECTIONS = 256;

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
    const singles: WorkerResult[] = [];
    const doubles: WorkerResult[] = [];
    try {
      await measured(bench, one, 1);
      await measured(bench, two, 2);
      for (let number = 0; number < bench.options.rounds; number++) {
        singles.push(await measured(bench, one, 1));
        doubles.push(await measured(bench, two, 2));
      }
    } finally {
      await one.group.end();
      await two.group.end();
    }
    report(bench, singles, doubles);
  },
};

async function started(bench: Bench, sluice: InstalledPeer, count: number, cores: Cores): Promise<RunningPeer> {
  const running = await sluice.start({ ...bench.startContext(`sluice-${count}-workers`), workers: count, cores });
  running.group.pause();
  return running;
}

interface WorkerResult extends RoundResult {
  /** 1: all workers did the same; 1 / workers: one did everything. */
  readonly balance: number;
}

async function measured(bench: Bench, running: RunningPeer, count: number): Promise<WorkerResult> {
  const plan = CPU_PLANS.find(({ name }) => name === "json-2k");
  if (plan === undefined) {
    throw new Error("no plan json-2k");
  }
  const before = running.group.threadCpuSeconds();
  const load = { ...planJob(plan, { running }), connections: CONNECTIONS };
  const { cpuSeconds, maxRoundSeconds: maxSeconds } = bench.options;
  const result = await cpuRound(bench, running, {
    mode: plan.mode,
    job: load,
    cpuSeconds: cpuSeconds * count,
    maxSeconds,
  });
  const used: number[] = [];
  for (const [thread, seconds] of running.group.threadCpuSeconds()) {
    if (thread !== running.group.pid) {
      used.push(seconds - (before.get(thread) ?? 0));
    }
  }
  const busiest = used.toSorted((a, b) => b - a).slice(0, count);
  const sum = busiest.reduce((total, seconds) => total + seconds, 0);
  return { ...result, balance: sum / (count * (busiest[0] ?? Number.NaN)) };
}

function report(bench: Bench, singles: readonly WorkerResult[], doubles: readonly WorkerResult[]): void {
  const record = (metric: string, unit: string, rounds: readonly number[]): void =>
    bench.record("workers", "sluice", metric, unit, rounds);
  const perSecond = (result: WorkerResult): number => result.load.completed / result.wallSeconds;
  const perCpuSecond = (result: WorkerResult): number => result.load.completed / result.cpuSeconds;
  record("1 worker", "requests/s", singles.map(perSecond));
  record("2 workers", "requests/s", doubles.map(perSecond));
  record(
    "evenness of 2 workers",
    "of 1",
    doubles.map((result) => result.balance),
  );
  const counted = bench.machine.cores >= ENOUGH_CORES;
  const gain = doubles.map((result, index) => {
    const single = singles[index];
    if (single === undefined) {
      return Number.NaN;
    }
    return counted
      ? perSecond(result) / perSecond(single)
      : (2 * result.balance * perCpuSecond(result)) / perCpuSecond(single);
  });
  record(counted ? "throughput gained" : "throughput gained (computed)", "×", gain);
}
