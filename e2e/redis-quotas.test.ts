// Limits that several machines share by Redis, as clients meet them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { requirePart } from "./parts.ts";
import { startRedis } from "./redis/redis-server.ts";
import { startSeveral, storedBucket, type Answer, type Several } from "./redis/several.ts";
import { until } from "./harness.ts";

const admitted = (answers: readonly (readonly Answer[])[]): number =>
  answers.flat().filter(({ status }) => status === 200).length;

test("(4) three machines, ten requests a minute, thirty calls at once: ten are admitted", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const several = await startSeveral(t, { redis, machines: 3, grant: { rpm: 10 } });
  const answers = await several.askAll(10);
  assert.equal(admitted(answers), 10);
  assert.equal(several.engine.stats().hits, 10);
  const refused = answers.flat().find(({ status }) => status === 429)!;
  const afterMs = Number(refused.headers.get("retry-after-ms"));
  assert.ok(afterMs > 3_000 && afterMs <= 6_000, `retry-after-ms: ${afterMs}`);
  assert.match(refused.text, /10 requests a minute for consumer/);
  assert.equal(refused.headers.get("x-ratelimit-remaining-requests"), "0");
});

test("(4) the same for tokens in hard mode", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const several = await startSeveral(t, {
    redis,
    machines: 3,
    grant: { tpm: 10_500 },
    more: { quotas: { mode: "hard" } },
  });
  // each holds its prompt and 1,000 of output while it runs, and all decisions are made before the first one ends
  const ask = (machine: number): Promise<Answer> =>
    several.ask(machine, "/simulate promptTokens=20&completionTokens=1000&tokens=4&firstTokenMs=4000", {
      max_tokens: 1_000,
    });
  // on a busy machine what another holds in stock may come back later than a call waits: it is there for the next one
  const askTwice = async (machine: number): Promise<Answer> => {
    const answer = await ask(machine);
    return answer.status === 429 ? sleep(300).then(() => ask(machine)) : answer;
  };
  const answers = await Promise.all(
    several.gateways.map((_, machine) => Promise.all(Array.from({ length: 10 }, () => askTwice(machine)))),
  );
  assert.equal(admitted(answers), 10);
  const { leased } = await storedBucket(redis, "tokens:grant:search/index");
  assert.ok(leased <= 10_500, `${leased}`);
});

test("a graceful stop gives leases back at once, kill -9 after their time", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const several = await startSeveral(t, { redis, machines: 3, grant: { concurrency: 2 } });
  const bucket = "concurrency:grant:search/index";
  const hang = "/simulate firstTokenMs=60000";
  void several.ask(0, hang).catch(() => undefined);
  await several.engine.waitFor(({ running }) => running === 1, 5_000);
  assert.equal((await several.ask(1)).status, 200);
  await several.gateways[1]!.stop();
  const { leased } = await storedBucket(redis, bucket);
  assert.equal(leased, 1, "only what runs on the first machine");
  void several.ask(2, hang).catch(() => undefined);
  await several.engine.waitFor(({ running }) => running === 2, 5_000);
  assert.equal((await several.ask(2)).status, 429);
  several.gateways[0]!.process.kill("SIGKILL");
  const killedAt = performance.now();
  await until("a place is free", async () => ((await several.ask(2)).status === 200 ? true : undefined), 15_000);
  const tookMs = performance.now() - killedAt;
  assert.ok(tookMs > 3_000 && tookMs < 13_000, `${tookMs} ms`);
});

/**
 * Calls on every machine until the time is up: two callers each, who pause between two calls.
 * @param isEnough of a machine's answers; it goes on without, for 20 seconds at most
 */
async function traffic(
  several: Several,
  durationMs: number,
  isEnough: (answers: readonly Answer[]) => boolean = () => true,
): Promise<Answer[][]> {
  const startedAt = performance.now();
  return Promise.all(
    several.gateways.map(async (_, machine) => {
      const answers: Answer[] = [];
      const goesOn = (): boolean => {
        const ranMs = performance.now() - startedAt;
        return ranMs < durationMs || (ranMs < 20_000 && !isEnough(answers));
      };
      const call = async (): Promise<void> => {
        while (goesOn()) {
          answers.push(await several.ask(machine));
          await sleep(15);
        }
      };
      await Promise.all([call(), call()]);
      return answers;
    }),
  );
}

function quantile(answers: readonly (readonly Answer[])[], share: number): number {
  const sorted = answers
    .flat()
    .map(({ ms }) => ms)
    .toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length * share)]!;
}

test("(9) Redis stands still under load: nobody waits for it, each machine keeps to its share, and it is found again", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const several = await startSeveral(t, { redis, machines: 3, grant: { rpm: 600 } });
  await traffic(several, 300);
  const before = await traffic(several, 1_000);
  redis.pause();
  t.after(() => {
    redis.resume();
  });
  const pausedAt = performance.now();
  const during = await traffic(several, 3_000, (answers) => answers.some(({ status }) => status === 429));
  const pausedMs = performance.now() - pausedAt;
  await several.untilShared(false);
  const addedMs = quantile(during, 0.99) - quantile(before, 0.99);
  t.diagnostic(`p99 ${quantile(before, 0.99).toFixed(1)} ms before, ${quantile(during, 0.99).toFixed(1)} ms during`);
  assert.ok(addedMs <= 50, `p99 grew by ${addedMs} ms`);
  for (const [machine, answers] of during.entries()) {
    const here = admitted([answers]);
    assert.ok(here < answers.length, "there was more than is admitted");
    // a third of 600, what is leased of the rest (at most a sixth), and a third of what decays from 2 seconds before on
    const most = 200 + 100 + ((pausedMs + 2_000) / 60_000) * 200;
    assert.ok(here <= most, `machine ${machine} admitted ${here} of ${most}`);
    assert.ok(here > 20, `machine ${machine} admitted ${here}`);
    assert.match(several.gateways[machine]!.log(), /limits are not shared: Redis: no answer within 50 ms.*its share/);
  }
  redis.resume();
  await several.untilShared(true);
  const later = await several.askAll(1);
  assert.ok(later.flat().every(({ status }) => status === 200 || status === 429));
  await until("something is admitted again", async () => ((await several.ask(0)).status === 200 ? true : undefined));
});

const months = (used: number): string => `/simulate promptTokens=${used - 10}&completionTokens=10&tokens=4`;

test("a Redis that is killed and comes back empty, and a machine that restarts: what a month has used is known to all", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const several = await startSeveral(t, { redis, machines: 3, grant: { monthly: { tokens: 10_000 } } });
  for (const machine of [0, 1, 2]) assert.equal((await several.ask(machine, months(1_000))).status, 200);
  const bucket = `monthlyTokens:grant:search/index:${new Date().toISOString().slice(0, 7)}`;
  const counted = async (): Promise<number> => (await storedBucket(redis, bucket)).counted;
  await until("Redis knows", async () => ((await counted()) === 3_000 ? true : undefined));
  await redis.kill();
  await several.untilShared(false);
  assert.equal((await several.ask(0, months(500))).status, 200);
  await sleep(200);
  several.gateways[2]!.process.kill("SIGKILL");
  await redis.start();
  await several.start(2);
  await several.untilShared(true);
  for (const machine of [0, 1, 2]) assert.equal((await several.ask(machine, months(100))).status, 200);
  await until(`3,800 are counted, not ${await counted()}`, async () =>
    (await counted()) === 3_800 ? true : undefined,
  );
  assert.equal((await several.ask(1, months(6_190))).status, 200);
  // what the others hold in stock is given back when it is not used for 2 seconds
  await sleep(2_500);
  const refused = await several.ask(2, months(100), { max_tokens: 500 });
  assert.equal(refused.status, 429);
  assert.match(refused.text, /insufficient_quota/);
});

test("a wrong password: it serves, by its own share, and says what to do", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t, { settings: { requirepass: "right-password" } });
  const state = { redis: { url: redis.url, password: "wrong-password-1" } };
  const several = await startSeveral(t, { redis, machines: 1, grant: { rpm: 3 }, state });
  assert.equal(admitted(await several.askAll(5)), 3);
  assert.equal(await several.metric(0, "sluice_quota_authority_up"), 0);
  const said = several.gateways[0]!.log().match(/limits are not shared: [^"]*/g) ?? [];
  assert.equal(said.length, 1);
  assert.match(said[0], /Check `username` and `password` under `state.redis`.*onAuthorityLoss/);
  assert.ok(!several.gateways[0]!.log().includes("wrong-password"));
});

test("what is admitted without Redis is as configured: everything, or nothing; also after a change", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  await redis.kill();
  const options = { redis, machines: 1, grant: { rpm: 3 } };
  const several = await startSeveral(t, { ...options, more: { quotas: { onAuthorityLoss: "open" } } });
  assert.equal(admitted(await several.askAll(5)), 5);
  await several.gateways[0]!.configure({ ...several.config(0), quotas: { onAuthorityLoss: "closed" } });
  await until("nothing is admitted", async () => ((await several.ask(0)).status === 429 ? true : undefined));
});

test("a limit changed on all machines is in force at once, and what is used stays used", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const several = await startSeveral(t, { redis, machines: 2, grant: { rpm: 6 } });
  assert.equal(admitted(await several.askAll(6)), 6);
  for (const [machine, gateway] of several.gateways.entries()) {
    await gateway.configure(several.config(machine, { rpm: 9 }));
    await until("it is loaded", async () =>
      (await several.metric(machine, "sluice_config_loads_total")) === 2 ? true : undefined,
    );
  }
  await sleep(300);
  assert.equal(admitted(await several.askAll(6)), 3);
});

test("machines that start again while Redis is away share as many as they were", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const several = await startSeveral(t, { redis, machines: 3, grant: { rpm: 30 } });
  await until("all know of three", async () => {
    const counts = (await redis.command("ZCARD", "{sluice:main}:machines")) as number;
    return counts === 3 ? true : undefined;
  });
  await sleep(2_500);
  await redis.kill();
  await several.untilShared(false);
  for (const machine of [0, 1, 2]) {
    await several.gateways[machine]!.stop();
    await several.start(machine);
  }
  const answers = await several.askAll(30);
  assert.deepEqual(
    answers.map((each) => admitted([each])),
    [10, 10, 10],
  );
});
