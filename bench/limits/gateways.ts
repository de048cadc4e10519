/** Whole gateways that share limits, as fast as they go: what that costs Redis. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "../bench.ts";
import { BothSides } from "../helper.ts";
import { job } from "../measure.ts";
import { chatRequest } from "../payloads.ts";
import { freePort } from "../peers/install.ts";
import { BenchRedis, type InstalledRedis } from "../peers/redis.ts";
import { baseConfig, startSluice, type RunningSluice } from "../peers/sluice.ts";
import { MACHINES } from "./protocol.ts";

const CONNECTIONS = 64;
const WARM_UP_MS = 5_000;

/** Records requests a second of all gateways, and Redis calls of theirs. */
export async function gatewaysAtFullSpeed(bench: Bench, installed: InstalledRedis): Promise<void> {
  const context = bench.startContext("shared-limits-redis");
  const redis = await BenchRedis.start(installed, bench.cores.helpers, context.folder);
  const gateways: RunningSluice[] = [];
  const sides: BothSides[] = [];
  try {
    for (let index = 0; index < MACHINES; index++) {
      gateways.push(await startSluice(bench.startContext("sluice-shared"), configOf(bench, redis)));
      sides.push(await BothSides.start(await freePort(), bench.cores.helpers, context.folder));
    }
    await bench.upstream.setMode({ answer: "whole", bytes: 1024 });
    const loads = sides.map(({ load }) => load);
    await Promise.all(loads.map((load, index) => load.begin(jobOf(gateways[index]!))));
    await sleep(WARM_UP_MS);
    await measure(bench, redis, loads);
    await Promise.all(loads.map((load) => load.stop()));
  } finally {
    for (const { group } of [...sides, ...gateways]) {
      await group.end();
    }
    await redis.end();
  }
}

/** Requests and tokens a minute for the consumer and for its grant, all out of reach. */
function configOf(bench: Bench, redis: BenchRedis): Record<string, unknown> {
  const base = baseConfig(bench.upstream.port);
  const [consumer] = base["consumers"] as [Record<string, unknown>];
  const limits = { rpm: 1e9, tpm: 1e12 };
  return {
    ...base,
    state: { redis: `redis://127.0.0.1:${redis.port}/0` },
    consumers: [{ ...consumer, limits, grants: [{ model: "*", ...limits }] }],
  };
}

function jobOf(gateway: RunningSluice) {
  const body = chatRequest({ bytes: 2048, model: "first", stream: "whole" });
  return job(gateway.target("whole"), body, { connections: CONNECTIONS / MACHINES });
}

async function measure(bench: Bench, redis: BenchRedis, loads: readonly BothSides["load"][]): Promise<void> {
  const reading = async () => {
    const stats = await Promise.all(loads.map((load) => load.stats()));
    const completed = stats.reduce((sum, each) => sum + each.completed, 0);
    const failed = stats.reduce((sum, each) => sum + each.failed, 0);
    return { at: performance.now(), completed, failed, ...(await redis.counts()) };
  };
  const perSecond: number[] = [];
  const calls: number[] = [];
  let before = await reading();
  for (let round = 0; round < bench.options.rounds; round++) {
    await sleep(bench.options.cpuSeconds * 1_000);
    const after = await reading();
    const requests = after.completed - before.completed;
    perSecond.push((requests * 1_000) / (after.at - before.at));
    calls.push(((after.calls - before.calls) * 1_000) / requests);
    before = after;
  }
  if (before.failed > 0) {
    bench.remark(`shared-limits: ${before.failed} requests to the gateways failed`);
  }
  bench.record("shared-limits", "sluice", "four whole gateways at full speed", "requests/s", perSecond);
  bench.record("shared-limits", "sluice", "Redis calls of the gateways", "per 1,000 requests", calls);
}
