/**
 * Limits that four processes share by a Redis: what that costs it, how exact it is, and what happens when it stands still;
 * against a limiter that runs a script there for each request.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "../bench.ts";
import { latencyPercentile } from "../latency-histogram.ts";
import { Contestant, type Reading } from "../limits/contestant.ts";
import { mostWithin, overshoot, utilisation } from "../limits/exactness.ts";
import { gatewaysAtFullSpeed } from "../limits/gateways.ts";
import { CONTESTED_PER_SECOND, MACHINES, type LoopResult, type SharedLimit } from "../limits/protocol.ts";
import { installRateLimiterFlexible, RATE_LIMITER_FLEXIBLE } from "../peers/rate-limiter-flexible.ts";
import { installRedis, type InstalledRedis } from "../peers/redis.ts";
import type { OwnScenario } from "./contract.ts";
import { messageOf } from "../../src/lib/thrown.ts";

const NAME = "shared-limits";
/** Of each machine. */
const IN_FLIGHT = 64;
const WARM_UP_MS = 1_500;
/** Of all machines, where latency is measured. */
const CALM_PER_SECOND = 2_000;
const CALM_MS = 2_000;
const STILL_MS = 1_000;
/** After Redis goes on: what waited for it is decided, and machines find it again. */
const RECOVERY_MS = 2_000;
/** So much of a contested limit Sluice lets come at once; the peer all of it. */
const BURST_SECONDS = 1;
/** Times what a contested limit allows. */
const DEMAND = 4;
/** Contested rounds last long; more of them say nothing new. */
const MOST_CONTESTED_ROUNDS = 3;
/** In windows: one request opens the first, then nothing until its last quarter, and demand from then on. */
const PAUSE_WINDOWS = 0.75;
const COUNT_FROM_WINDOWS = 1.5;
const COUNT_TO_WINDOWS = 3.5;

export const sharedLimits: OwnScenario = {
  name: NAME,
  kind: "own",
  async run(bench) {
    const redis = await installed(bench, "redis-server", () => installRedis(bench.cacheFolder));
    if (redis === undefined) {
      return;
    }
    bench.otherPeers.push({
      name: "redis-server",
      version: redis.version,
      features: "what limits are shared by: one for each contender, without persistence",
    });
    const contestants = await start(bench, redis);
    try {
      await compare(bench, contestants);
    } finally {
      for (const contestant of contestants) {
        await contestant.end();
      }
    }
    await gatewaysAtFullSpeed(bench, redis);
  },
};

/** Undefined where it cannot be had; the report says why. */
async function installed<Result>(
  bench: Bench,
  name: string,
  install: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await install();
  } catch (error) {
    const reason = messageOf(error);
    bench.missingPeers.push({ name, reason: reason.replaceAll(/\s+/g, " ").replaceAll("|", "/") });
    bench.remark(`${NAME}: ${name} cannot be had here: ${reason}`);
    return undefined;
  }
}

async function start(bench: Bench, redis: InstalledRedis): Promise<Contestant[]> {
  const { name } = RATE_LIMITER_FLEXIBLE;
  const packages = await installed(bench, name, () => installRateLimiterFlexible(bench.cacheFolder));
  const sluice = await Contestant.start(bench, "sluice", redis, "");
  if (packages === undefined) {
    return [sluice];
  }
  bench.otherPeers.push(RATE_LIMITER_FLEXIBLE);
  return [sluice, await Contestant.start(bench, name, redis, packages)];
}

/** Of the rounds, which value is told: that of the middle one, or, where a single miss counts, the largest. */
type Told = "median" | "largest";

/** Figures of one contestant by metric and unit. */
type Rounds = Map<string, { metric: string; unit: string; told: Told; readonly values: number[] }>;

async function compare(bench: Bench, contestants: readonly Contestant[]): Promise<void> {
  const all = new Map<Contestant, Rounds>(contestants.map((contestant) => [contestant, new Map()]));
  for (let round = 0; round < bench.options.rounds; round++) {
    for (const [contestant, rounds] of all) {
      const add: Add = (metric, unit, value, told = "median") => {
        const key = `${metric}, ${unit}`;
        const known = rounds.get(key) ?? { metric, unit, told, values: [] };
        known.values.push(value);
        rounds.set(key, known);
      };
      if (round < MOST_CONTESTED_ROUNDS) {
        for (const perSecond of CONTESTED_PER_SECOND) {
          await contested(bench, contestant, perSecond, add);
        }
      }
      await fullSpeed(bench, contestant, add);
      await stillRedis(bench, contestant, add);
    }
  }
  for (const [{ name }, rounds] of all) {
    for (const { metric, unit, told, values } of rounds.values()) {
      bench.record(NAME, name, metric, unit, told === "median" ? values : [Math.max(...values)]);
    }
  }
}

type Add = (metric: string, unit: string, value: number, told?: Told) => void;

let limits = 0;

/** A limit of its own: what earlier ones have used plays no part. */
function newLimit(limit: Omit<SharedLimit, "id">): SharedLimit {
  limits += 1;
  return { id: limits, ...limit };
}

/** Requests and tokens a minute, both out of reach. */
function plenty(): SharedLimit {
  return newLimit({ requests: 1e9, tokens: 1e12, windowSeconds: 60, burstSeconds: 60 });
}

/** As fast as it goes. */
async function fullSpeed(bench: Bench, contestant: Contestant, add: Add): Promise<void> {
  await contestant.begin({ limit: plenty(), arrivals: { kind: "closed", inFlight: IN_FLIGHT } });
  await sleep(WARM_UP_MS);
  await contestant.lap();
  const before = await contestant.reading();
  await sleep(bench.options.cpuSeconds * 1_000);
  await contestant.lap();
  const after = await contestant.reading();
  const results = await contestant.stop();
  report(bench, contestant, results);
  const { decisions } = together(results, 1);
  add("at full speed", "requests/s", (decisions * 1_000) / (after.at - before.at));
  add(
    "CPU of the machines per request",
    "µs",
    ((after.machinesCpuSeconds - before.machinesCpuSeconds) * 1e6) / decisions,
  );
  addRedis(add, "full speed", decisions, before, after);
}

function addRedis(add: Add, phase: string, decisions: number, before: Reading, after: Reading): void {
  const per = (units: number): number => units / decisions;
  add(`Redis calls, ${phase}`, "per 1,000 requests", per((after.calls - before.calls) * 1_000));
  add(`commands within the calls, ${phase}`, "per 1,000 requests", per((after.inner - before.inner) * 1_000));
  add(`CPU of Redis per request, ${phase}`, "µs", per((after.cpuSeconds - before.cpuSeconds) * 1e6));
}

/** What a decision takes at a fixed rate, and while Redis stands still. */
async function stillRedis(bench: Bench, contestant: Contestant, add: Add): Promise<void> {
  const arrivals = { kind: "paced", perSecond: CALM_PER_SECOND / MACHINES, pauseMs: 0 } as const;
  await contestant.begin({ limit: plenty(), arrivals });
  await sleep(WARM_UP_MS);
  await contestant.lap();
  await sleep(CALM_MS);
  await contestant.lap();
  contestant.redis.group.pause();
  await sleep(STILL_MS);
  contestant.redis.group.resume();
  await contestant.lap();
  await sleep(RECOVERY_MS);
  const results = await contestant.stop();
  report(bench, contestant, results);
  for (const [index, when] of [
    [1, `at ${CALM_PER_SECOND.toLocaleString("en-US")}/s`],
    [2, "while Redis stands still"],
  ] as const) {
    const { latency } = together(results, index);
    add(`decision ${when}, p50`, "ms", latencyPercentile(latency, 0.5));
    add(`decision ${when}, p99`, "ms", latencyPercentile(latency, 0.99));
  }
}

/** More requests than the limit allows, after a rest that fills its bucket and leaves a window almost unused. */
async function contested(bench: Bench, contestant: Contestant, perSecond: number, add: Add): Promise<void> {
  const windowSeconds = bench.options.cpuSeconds < 1 ? 2 : 4;
  const windowMs = windowSeconds * 1_000;
  const limit = newLimit({ requests: perSecond * windowSeconds, windowSeconds, burstSeconds: BURST_SECONDS });
  const lossesBefore = contestant.losses;
  const startAt = await contestant.begin({
    limit,
    arrivals: { kind: "paced", perSecond: (DEMAND * perSecond) / MACHINES, pauseMs: PAUSE_WINDOWS * windowMs },
  });
  await sleep(COUNT_FROM_WINDOWS * windowMs);
  await contestant.lap();
  const before = await contestant.reading();
  await sleep((COUNT_TO_WINDOWS - COUNT_FROM_WINDOWS) * windowMs);
  await contestant.lap();
  const after = await contestant.reading();
  const results = await contestant.stop();
  report(bench, contestant, results);
  if (contestant.losses > lossesBefore) {
    bench.remark(`${NAME}: Redis did not answer in time while a limit was contested: machines went by their own rule`);
  }
  const what = `${perSecond}/s contested`;
  const times = results.flatMap(({ admittedAt }) => admittedAt);
  const [from, to] = [startAt + COUNT_FROM_WINDOWS * windowMs, startAt + COUNT_TO_WINDOWS * windowMs];
  const perMs = perSecond / 1_000;
  const atOnce = contestant.name === "sluice" ? perSecond * BURST_SECONDS : limit.requests;
  add(`${what}: utilisation`, "%", utilisation(times, from, to, perMs) * 100);
  add(`${what}: overshoot`, "requests", overshoot(times, atOnce, perMs), "largest");
  add(`${what}: most in a window's time`, "× limit", mostWithin(times, windowMs) / limit.requests);
  const lap = together(results, 1);
  const least = Math.min(...results.map(({ laps }) => laps[1]!.admitted));
  add(`${what}: the machine that got least`, "% of its share", (least / (lap.admitted / MACHINES)) * 100);
  add(`${what}: Redis calls`, "per 1,000 requests", ((after.calls - before.calls) * 1_000) / lap.decisions);
  add(`${what}: admitted after, p50`, "ms", latencyPercentile(lap.admittedLatency, 0.5));
  add(`${what}: decided after, p99`, "ms", latencyPercentile(lap.latency, 0.99));
}

/** A lap of all machines. */
function together(results: readonly LoopResult[], index: number) {
  const laps = results.map(({ laps }) => laps[index]!);
  return {
    decisions: laps.reduce((sum, lap) => sum + lap.decisions, 0),
    admitted: laps.reduce((sum, lap) => sum + lap.admitted, 0),
    latency: laps.map(({ latency }) => latency),
    admittedLatency: laps.map(({ admittedLatency }) => admittedLatency),
  };
}

/** What must not be, and would make figures doubtful. */
function report(bench: Bench, { name }: Contestant, results: readonly LoopResult[]): void {
  const skipped = results.reduce((sum, result) => sum + result.skipped, 0);
  const failed = results.flatMap(({ laps }) => laps).reduce((sum, lap) => sum + lap.failed, 0);
  if (skipped > 0 || failed > 0) {
    const error = results.find(({ firstError }) => firstError !== "")?.firstError ?? "";
    bench.remark(`${NAME}: ${name}: ${failed} decisions failed, ${skipped} requests were skipped: ${error}`);
  }
}
