// Whatever happens, on one machine and on four: a hard limit is never passed, and in the end everything is accounted for.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import type { UsageEntry } from "../src/ledger/entry.ts";
import { MachineStore } from "../src/quotas/machine-store.ts";
import { testKey, until, type RunningGateway } from "./harness.ts";
import { requirePart } from "./parts.ts";
import { startRedis, type RedisServer } from "./redis/redis-server.ts";
import { startSeveral, storedBucket, type Several } from "./redis/several.ts";
import { quietUsage, tokensOf } from "./usage.ts";

const PRELOAD = join(import.meta.dirname, "clock-preload.ts");
const TPM = 180_000;
const CONCURRENCY = 6;
/** Tokens a month of the model that is used up in each of them. */
const CAPPED = 2_500;
const PHASE_MS = 6_000;
/** On all machines together. */
const CALLERS = 12;
/** What was settled so long before its machine is killed is in its log and in all counters. */
const SETTLED_MS = 400;
/** What a request's prompt may take. */
const PROMPT_TOKENS = 100;

/** A generator of numbers from 0 to 1, the same for the same seed. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** One call as its caller knows it. */
interface Call {
  readonly machine: number;
  readonly model: string;
  readonly maxTokens: number;
  readonly startedAt: number;
  endedAt: number;
  /** 0 for one that its caller left, or whose connection broke. */
  status: number;
}

function chosenFault(random: () => number): string {
  const chance = random();
  if (chance < 0.1) return "&fault=status:500";
  if (chance < 0.2) return "&fault=reset-body:5";
  return chance < 0.25 ? "&fault=reset-token" : "";
}

/** One caller: streams and whole answers, some left early, some that fail. */
async function caller(several: Several, machine: number, random: () => number, endsAt: number, calls: Call[]) {
  while (performance.now() < endsAt) {
    const maxTokens = 20 + Math.floor(random() * (random() < 0.2 ? 600 : 200));
    const chunkMs = Math.floor(random() * 3);
    const model = random() < 0.4 ? "capped" : "index";
    // reports that are this far off teach nothing, so that every prompt is reserved as at first: no less than it takes
    const content = `/simulate reply=lorem&promptTokens=1&tokens=${maxTokens}&chunkMs=${chunkMs}${chosenFault(random)}`;
    const leaves = random() < 0.25 ? AbortSignal.timeout(1 + Math.floor(random() * 150)) : undefined;
    const stream = random() < 0.6 ? { stream: true, stream_options: { include_usage: true } } : {};
    const call: Call = { machine, model, maxTokens, startedAt: performance.now(), endedAt: Infinity, status: 0 };
    calls.push(call);
    const body = { model, max_tokens: maxTokens, ...stream };
    call.status = await several.ask(machine, content, body, leaves).then(
      ({ status }) => status,
      () => 0,
    );
    call.endedAt = performance.now();
    await sleep(5 + random() * 30);
  }
}

function config(): JsonObject {
  const target = { provider: "engine", model: "m" };
  return {
    quotas: { mode: "hard", burst: "1s" },
    models: ["index", "capped"].map((name) => ({ name, targets: [target], retry: { attempts: 2 } })),
    consumers: [
      {
        name: "search",
        limits: { tpm: TPM, concurrency: CONCURRENCY },
        grants: [
          { model: "index", monthly: { tokens: 50_000_000 } },
          { model: "capped", monthly: { tokens: CAPPED } },
        ],
        keys: [{ name: "prod", hash: testKey("several").hash }],
      },
    ],
  };
}

/** Some machines under traffic, and all that was seen of them. */
class Run {
  readonly calls: Call[] = [];
  /** Gateways that ended before the others. */
  readonly earlier: RunningGateway[] = [];
  mostRunning = 0;
  readonly startedAt = performance.now();
  readonly several: Several;
  readonly #redis: RedisServer | undefined;
  readonly #seed: number;
  readonly #machines: number[];
  #round = 0;

  constructor(t: TestContext, several: Several, redis: RedisServer | undefined) {
    this.several = several;
    this.#redis = redis;
    this.#machines = [...several.gateways.keys()];
    this.#seed = Date.now() % 1e6;
    t.diagnostic(`seed ${this.#seed}`);
    const watch = setInterval(() => {
      this.mostRunning = Math.max(this.mostRunning, several.engine.stats().running);
    }, 5);
    t.after(() => {
      clearInterval(watch);
    });
  }

  /** Traffic on all machines until the time is up, then quiet. */
  async traffic(meanwhile: () => Promise<void>): Promise<void> {
    const endsAt = performance.now() + PHASE_MS;
    this.#round += 1;
    const seed = this.#seed + this.#round * 1_000;
    const callers = this.#machines.flatMap((machine) =>
      Array.from({ length: CALLERS / this.#machines.length }, (_, index) =>
        caller(this.several, machine, numbers(seed + machine * 100 + index), endsAt, this.calls),
      ),
    );
    await meanwhile();
    await Promise.all(callers);
    const { engine, gateways } = this.several;
    await until("all is quiet", () => (engine.stats().running === 0 ? true : undefined), 10_000);
    for (const gateway of gateways) await quietUsage(gateway);
    await sleep(SETTLED_MS);
  }

  async entries(): Promise<UsageEntry[]> {
    return (await Promise.all([...this.several.gateways, ...this.earlier].map((gateway) => gateway.entries()))).flat();
  }

  /** Tokens of all months that Redis has of a model's grant; the most of one month. */
  async counted(model: string): Promise<{ readonly all: number; readonly most: number; readonly leased: number }> {
    const redis = this.#redis;
    assert.ok(redis !== undefined);
    const keys = (await redis.command("KEYS", `*:monthlyTokens:grant:search/${model}:*`)) as string[];
    const buckets = await Promise.all(keys.map((key) => storedBucket(redis, key.slice(key.indexOf("monthlyTokens")))));
    const counts = buckets.map(({ counted }) => counted);
    const leased = buckets.reduce((sum, bucket) => sum + bucket.leased, 0);
    return { all: counts.reduce((sum, count) => sum + count, 0), most: Math.max(...counts), leased };
  }

  /** The same, once nothing is leased any more: stock is given back after 2 seconds, what a dead one held after 10. */
  async nothingLeased(model: string): Promise<{ readonly all: number; readonly most: number }> {
    return until(
      `nothing is leased of the months of ${model}`,
      async () => {
        const counted = await this.counted(model);
        return counted.leased === 0 ? counted : undefined;
      },
      15_000,
    );
  }

  /** The same by what the machines keep themselves. Stops them. */
  async stored(model: string): Promise<{ readonly all: number; readonly most: number }> {
    const months = new Map<number, number>();
    for (const machine of this.#machines) {
      await this.several.gateways[machine]!.stop();
      const store = new MachineStore(this.several.storePath(machine));
      for (const { subject, month, used } of store.since(0)) {
        if (subject === `grant:search/${model}`) months.set(month, (months.get(month) ?? 0) + used);
      }
      store.close();
    }
    const counts = [...months.values()];
    return { all: counts.reduce((sum, count) => sum + count, 0), most: Math.max(...counts) };
  }

  /** No limit was passed, and all that may happen has happened. */
  assertLimits(entries: readonly UsageEntry[]): void {
    const outcomes = new Set(entries.map(({ outcome }) => outcome));
    for (const outcome of ["ok", "aborted", "refused", "upstream_error"] as const) {
      assert.ok(outcomes.has(outcome), `none is ${outcome}: ${[...outcomes].join(", ")}`);
    }
    assert.ok(
      entries.some(({ attempts }) => attempts > 1),
      "some are retried",
    );
    assert.ok(this.mostRunning <= CONCURRENCY, `${this.mostRunning} ran at once`);
    const tokens = tokensOf(entries);
    const tookMs = performance.now() - this.startedAt;
    assert.ok(tokens > 1_000, `${tokens} tokens`);
    // one second's worth at once, and what decays meanwhile
    assert.ok(tokens <= (TPM / 60) * (1 + tookMs / 1_000) + 1, `${tokens} tokens in ${tookMs} ms`);
  }
}

/** Milliseconds to the 10th of the next month, in UTC. */
function toNextMonth(): number {
  const now = new Date();
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 10) - now.getTime();
}

const ofModel = (entries: readonly UsageEntry[], model: string): number =>
  tokensOf(entries.filter((entry) => entry.model === model));

for (const [machines, shares] of [
  [1, "alone"],
  [1, "with Redis"],
  [4, "with Redis"],
] as const) {
  test(`random traffic on ${machines} ${shares}: aborts, failures, retries, restarts, clocks that are set, kill -9`, async (t) => {
    if (shares === "with Redis" && !requirePart(t, "redis")) return;
    const redis = shares === "with Redis" ? await startRedis(t) : undefined;
    const several = await startSeveral(t, {
      ...(redis !== undefined && { redis, state: { timeout: "1s" } }),
      machines,
      grant: {},
      more: config(),
      workers: machines === 1 ? 2 : 1,
      environment: { NODE_OPTIONS: `--import=${PRELOAD}`, CLOCK_JUMPS: `${toNextMonth()},-3600000,0` },
    });
    const run = new Run(t, several, redis);
    const last = machines - 1;
    const setClocks = (): void => several.gateways.forEach((gateway) => gateway.process.kill("SIGUSR2"));

    await run.traffic(async () => {
      await sleep(PHASE_MS / 6);
      setClocks(); // to the next month
      await sleep(PHASE_MS / 6);
      setClocks(); // back, and an hour too far
      await sleep(PHASE_MS / 6);
      setClocks(); // to the true time
      run.earlier.push(several.gateways[last]!);
      await several.gateways[last]!.stop();
      await several.start(last);
    });
    const entries = await run.entries();
    t.diagnostic(
      `${entries.length} requests, ${entries.filter(({ status }) => status === 200).length} served, ${tokensOf(entries)} tokens, ${run.mostRunning} at once`,
    );
    run.assertLimits(entries);
    for (const model of redis === undefined ? [] : ["index", "capped"]) {
      const { all, most } = await run.nothingLeased(model);
      assert.deepEqual({ model, all }, { model, all: ofModel(entries, model) });
      assert.ok(model === "index" || (most <= CAPPED && most > CAPPED / 2), `${most} of ${CAPPED}`);
    }

    // one is killed: what its requests used since their last checkpoint, or in the last moment, is not known any more
    let killedAt = 0;
    await run.traffic(async () => {
      await sleep(PHASE_MS / 3);
      run.earlier.push(several.gateways[last]!);
      several.gateways[last]!.process.kill("SIGKILL");
      killedAt = performance.now();
      await several.start(last);
    });
    const later = await run.entries();
    run.assertLimits(later);
    const unsure = run.calls
      .filter(
        ({ machine, startedAt, endedAt, status }) =>
          machine === last &&
          startedAt < killedAt &&
          endedAt > killedAt - SETTLED_MS &&
          (status === 0 || status === 200),
      )
      .reduce((sum, { maxTokens }) => sum + maxTokens + PROMPT_TOKENS, 0);
    t.diagnostic(`${tokensOf(later)} tokens, of at most ${unsure} it is not sure`);
    assert.ok(unsure < tokensOf(later));
    const close = (all: number, by: string): void => {
      const told = `${all} by ${by}, ${tokensOf(later)} by the logs, at most ${unsure} unsure`;
      assert.ok(Math.abs(all - tokensOf(later)) <= unsure, told);
    };
    if (redis !== undefined) {
      const [index, capped] = [await run.nothingLeased("index"), await run.nothingLeased("capped")];
      close(index.all + capped.all, "Redis");
      assert.ok(capped.most <= CAPPED, `${capped.most} of ${CAPPED}`);
    }
    const [index, capped] = [await run.stored("index"), await run.stored("capped")];
    close(index.all + capped.all, "the stores");
    assert.ok(capped.most <= CAPPED, `${capped.most} of ${CAPPED}`);
  });
}
