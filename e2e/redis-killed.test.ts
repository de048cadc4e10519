// One of several machines is killed without a word: what it held comes back to the others, nothing is counted twice, and
// no limit is passed meanwhile.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import { testKey, until } from "./harness.ts";
import { requirePart } from "./parts.ts";
import { startRedis } from "./redis/redis-server.ts";
import { startSeveral, storedBucket, type Several } from "./redis/several.ts";
import { tokensOf, usageOf, limitOf } from "./usage.ts";

/** How long leases last, and what a busy test machine may add. */
const LEASE_MS = 10_000;
const SLACK_MS = 5_000;
const RPM = 120;
const USD_A_TOKEN = 0.001;
/** Between two checkpoints of a stream. */
const CHECKPOINT_TOKENS = 256;
/** Tokens after which a stream hangs, and what it may have. */
const HUNG_TOKENS = 300;
const MAX_TOKENS = 1_500;
/** What a stream holds and the prompt's estimate; two of them and what is settled leave no room for a third. */
const MONTH_TOKENS = 4_400;

const GRANTS: Readonly<Record<string, JsonObject>> = {
  requests: { rpm: RPM },
  tokens: { tpm: 240_000, burst: "1s" },
  places: { concurrency: 2 },
  month: { monthly: { tokens: MONTH_TOKENS } },
  money: { monthly: { usd: MONTH_TOKENS * USD_A_TOKEN } },
};

function config(): JsonObject {
  const price = { input: USD_A_TOKEN * 1e6, output: USD_A_TOKEN * 1e6 };
  return {
    quotas: { mode: "hard" },
    models: Object.keys(GRANTS).map((name) => ({
      name,
      targets: [{ provider: "engine", model: "m", price }],
      retry: { attempts: 0 },
    })),
    consumers: [
      {
        name: "search",
        grants: Object.entries(GRANTS).map(([model, limits]) => ({ model, ...limits })),
        keys: [{ name: "prod", hash: testKey("several").hash }],
      },
    ],
  };
}

const hang = `/simulate reply=lorem&tokens=${MAX_TOKENS}&fault=hang-body:${HUNG_TOKENS}`;

function bucketOf(model: string): string {
  const kind = { requests: "requests", tokens: "tokens", places: "concurrency", month: "monthlyTokens" }[model];
  const name = `${kind ?? "monthlyUsd"}:grant:search/${model}`;
  return model === "month" || model === "money" ? `${name}:${new Date().toISOString().slice(0, 7)}` : name;
}

/** As many as are admitted of many that are asked for at once, on the machines that live. */
async function burst(several: Several, machines: readonly number[], times: number): Promise<number> {
  const answers = await Promise.all(
    machines.flatMap((machine) =>
      Array.from({ length: times }, () => several.ask(machine, "hi", { model: "requests" })),
    ),
  );
  return answers.filter(({ status }) => status === 200).length;
}

test("a machine is killed: within the leases' time what it held is free, counters are the logs' sum, no limit is passed", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const state = { timeout: "1s" };
  const several = await startSeveral(t, { redis, machines: 3, grant: {}, state, more: config() });
  const { engine } = several;
  const stored = (model: string): ReturnType<typeof storedBucket> => storedBucket(redis, bucketOf(model));

  // some that end, told and written by the time of the kill
  for (const model of ["month", "money"]) {
    for (const machine of [0, 1]) {
      const content = "/simulate promptTokens=300&completionTokens=200&tokens=4";
      assert.equal((await several.ask(machine, content, { model, max_tokens: 200 })).status, 200);
    }
  }
  await until("the month is told", async () => ((await stored("month")).counted === 1_000 ? true : undefined));
  // and two of each kind that hold what is left
  for (const model of ["tokens", "places", "month", "money"]) {
    for (let stream = 0; stream < 2; stream++) {
      void several.ask(0, hang, { model, stream: true, max_tokens: MAX_TOKENS }).catch(() => undefined);
    }
  }
  await engine.waitFor(({ live }) => live === 8, 10_000);
  const startedAt = performance.now();
  let admitted = await burst(several, [0], 40);
  assert.equal(admitted, 40);
  await until(
    "checkpoints are told",
    async () => ((await stored("month")).counted >= 1_000 + 2 * CHECKPOINT_TOKENS ? true : undefined),
    20_000,
  );
  await sleep(500);
  const { counted } = await stored("month");
  const held = await stored("requests");
  assert.ok(held.leased > 0, "it holds a stock");
  t.diagnostic(`${held.leased} requests leased, ${(await stored("month")).leased} tokens of the month`);

  several.gateways[0]!.process.kill("SIGKILL");
  const killedAt = performance.now();
  const isFree = async (model: string): Promise<boolean> =>
    (await several.ask(1, "/simulate tokens=4", { model, max_tokens: MAX_TOKENS })).status === 200;
  for (const model of ["places", "month", "money"]) assert.equal(await isFree(model), false, model);
  const most = (): number => RPM + (RPM / 60_000) * (performance.now() - startedAt);
  admitted += await burst(several, [1, 2], 70);
  assert.ok(admitted <= most(), `${admitted} admitted of ${most()}`);

  for (const model of ["places", "month", "money", "tokens"]) {
    await until(`${model} are free`, async () => ((await isFree(model)) ? true : undefined), LEASE_MS + SLACK_MS);
    const tookMs = performance.now() - killedAt;
    assert.ok(tookMs < LEASE_MS + SLACK_MS, `${model} were free after ${tookMs} ms`);
  }
  // of a minute's limit it counts as used from then on: it may have been
  admitted += await burst(several, [1, 2], 70);
  assert.ok(admitted <= most(), `${admitted} admitted of ${most()}`);
  assert.ok(admitted >= most() - held.leased - 8, `${admitted} admitted of ${most()}`);
  await until("nobody holds any", async () => ((await stored("requests")).leased === 0 ? true : undefined));

  // the month: what is in the logs, and of the two streams that were killed what their last checkpoints said
  const entries = (await Promise.all(several.gateways.map((gateway) => gateway.entries()))).flat();
  const sum = (model: string): number => tokensOf(entries.filter((entry) => entry.model === model));
  const checkpoints = counted - 1_000;
  assert.ok(checkpoints >= 2 * CHECKPOINT_TOKENS && checkpoints <= 2 * (HUNG_TOKENS + 100), `${checkpoints}`);
  await until("all is told", async () =>
    (await stored("month")).counted === sum("month") + checkpoints ? true : undefined,
  );

  // the machine comes back with its store: nothing counts twice, and nothing stays held
  await several.start(0);
  assert.equal((await several.ask(0, "/simulate tokens=4", { model: "month", max_tokens: 10 })).status, 200);
  await several.gateways[0]!.waitForEntries(1);
  const back = await several.gateways[0]!.entries();
  await until("it is told once", async () => {
    const { counted: now, leased } = await stored("month");
    return now === sum("month") + checkpoints + tokensOf(back) && leased === 0 ? true : undefined;
  });
  const { used, reserved } = limitOf(await usageOf(several.gateways[0]!), "grant:search/month", "monthlyTokens");
  assert.deepEqual({ used, reserved }, { used: (await stored("month")).counted, reserved: 0 });
});
