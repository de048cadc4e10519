// Limits that are set at run time, on several machines that share a Redis.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import { until } from "./harness.ts";
import { askLimits, limitsSet, type LimitsReply } from "./limits-api.ts";
import { requirePart } from "./parts.ts";
import { startRedis, type RedisServer } from "./redis/redis-server.ts";
import { startSeveral, type Answer, type Several } from "./redis/several.ts";

const consumer = "consumer/search";
/** What is promised is one second; the machine that runs this may be slow. */
const patienceMs = 10_000;

async function start(
  t: TestContext,
  machines: number,
  grant: JsonObject = {},
): Promise<{ redis: RedisServer; several: Several }> {
  const redis = await startRedis(t);
  const several = await startSeveral(t, { redis, machines, grant });
  await several.untilShared(true);
  return { redis, several };
}

const put = (several: Several, machine: number, limits: JsonObject, path = consumer): Promise<LimitsReply> =>
  askLimits(several.gateways[machine]!, "PUT", path, limits);

/** What was set for the consumer on a machine, and how far it reaches; undefined if nothing was. */
async function setOn(
  several: Several,
  machine: number,
  subject = "consumer:search",
): Promise<[JsonObject, unknown] | undefined> {
  const entry = (await limitsSet(several.gateways[machine]!)).get(subject);
  const set = entry?.["set"] as JsonObject | undefined;
  return set && [set["limits"] as JsonObject, set["reach"]];
}

/** Waits until all machines have this, and tells how long that took. */
async function untilAll(
  several: Several,
  machines: readonly number[],
  limits: JsonObject | undefined,
): Promise<number> {
  const startedAt = performance.now();
  for (const machine of machines) {
    await until(
      `machine ${machine} has ${JSON.stringify(limits)}`,
      async () => {
        const set = await setOn(several, machine);
        const isSame = JSON.stringify(set?.[0]) === JSON.stringify(limits);
        return isSame && (set === undefined || set[1] === "all") ? true : undefined;
      },
      patienceMs,
    );
  }
  return Math.round(performance.now() - startedAt);
}

const statusOf = async (several: Several, machine: number): Promise<number> => (await several.ask(machine)).status;

test("what is set on one of three machines holds on all, is removed on all, and survives the end of each", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { several } = await start(t, 3);
  const took: number[] = [];
  for (let round = 0; round < 3; round++) {
    const reply = await put(several, round, { rpm: 0 });
    assert.equal((reply.body["set"] as JsonObject)["reach"], "all");
    assert.equal(await statusOf(several, round), 429);
    took.push(await untilAll(several, [0, 1, 2], { rpm: 0 }));
    for (const machine of [0, 1, 2]) assert.equal(await statusOf(several, machine), 429);
    await askLimits(several.gateways[(round + 1) % 3]!, "DELETE", consumer);
    took.push(await untilAll(several, [0, 1, 2], undefined));
    for (const machine of [0, 1, 2]) assert.equal(await statusOf(several, machine), 200);
  }
  t.diagnostic(`after the answer, all knew it within ${took.join(", ")} ms`);
  await put(several, 0, { rpm: 0 });
  await untilAll(several, [1], { rpm: 0 });
  several.gateways[1]!.process.kill("SIGKILL");
  await once(several.gateways[1]!.process, "exit");
  await several.start(1);
  assert.equal(await statusOf(several, 1), 429, "from its first request on");
  assert.match(several.gateways[2]!.log(), /limits of consumer:search were changed on another machine/);
});

/** Calls without an end, on one machine. */
class Traffic {
  readonly answers: (Answer & { readonly startedAt: number })[] = [];
  readonly #callers: Promise<void>[];
  #isOver = false;

  constructor(several: Several, machine: number, callers: number) {
    this.#callers = Array.from({ length: callers }, async () => {
      while (!this.#isOver) {
        const startedAt = performance.now();
        this.answers.push({ ...(await several.ask(machine)), startedAt });
        await sleep(2);
      }
    });
  }

  /** Starts of requests that were admitted after a moment. */
  admittedAfter(moment: number): number {
    return this.answers.filter(({ status, startedAt }) => status === 200 && startedAt > moment).length;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#callers);
  }
}

test("a limit that is lowered under load takes leases back: here at once, on the others when they know", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { several } = await start(t, 2, { monthly: { tokens: 10_000_000 } });
  const traffic = [new Traffic(several, 0, 4), new Traffic(several, 1, 4)] as const;
  await until(
    "leases in stock",
    () => (traffic.every(({ answers }) => answers.length > 300) ? true : undefined),
    30_000,
  );
  for (const { answers } of traffic) assert.ok(answers.every(({ status }) => status === 200));
  // much more than that is used on either, so that nothing is left
  await put(several, 0, { monthly: { tokens: 100 } }, "grant/search/index");
  const here = performance.now();
  await until("the other machine", () => setOn(several, 1, "grant:search/index"), patienceMs);
  await sleep(100); // its loader knows, and its workers do in a moment
  const there = performance.now();
  await until(
    "refusals",
    () => (traffic.every(({ answers }) => answers.at(-1)?.status === 429) ? true : undefined),
    patienceMs,
  );
  await sleep(1_000);
  await Promise.all(traffic.map((each) => each.stop()));
  const admitted = [traffic[0].admittedAfter(here), traffic[1].admittedAfter(there)];
  t.diagnostic(`the other machine knew ${Math.round(there - here)} ms later`);
  assert.deepEqual(admitted, [0, 0]);
});

test("Redis stands still: a change holds here at once, and everywhere when Redis is back; the last that reaches it counts", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { redis, several } = await start(t, 2);
  await put(several, 0, { rpm: 900 });
  await untilAll(several, [0, 1], { rpm: 900 });
  redis.pause();
  t.after(() => {
    redis.resume();
  });
  const reply = await put(several, 0, { rpm: 0 });
  assert.equal((reply.body["set"] as JsonObject)["reach"], "pending");
  assert.equal(await statusOf(several, 0), 429);
  assert.deepEqual(await setOn(several, 1), [{ rpm: 900 }, "all"]);
  const other = await put(several, 1, { rpm: 700 });
  assert.ok(other.ms < patienceMs);
  assert.deepEqual(await setOn(several, 0), [{ rpm: 0 }, "pending"]);
  assert.equal(await several.metric(0, 'sluice_quota_overrides\\{state="unshared"\\}'), 1);
  redis.resume();
  await until(
    "both have the same",
    async () => {
      const [first, second] = [await setOn(several, 0), await setOn(several, 1)];
      return first?.[1] === "all" && JSON.stringify(first) === JSON.stringify(second) ? true : undefined;
    },
    30_000,
  );
  t.diagnostic(`reached Redis last: ${JSON.stringify((await setOn(several, 0))![0])}`);
  const removed = await askLimits(several.gateways[1]!, "DELETE", consumer);
  assert.equal(removed.status, 200);
  await untilAll(several, [0, 1], undefined);
});

test("a Redis that starts empty gets everything back from the machines, and a new machine gets it from there", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { redis, several } = await start(t, 2);
  await put(several, 0, { rpm: 0 });
  await put(several, 1, { tpm: 5_000 }, "grant/search/index");
  await put(several, 1, { tpm: 5 }, "model/index");
  await askLimits(several.gateways[1]!, "DELETE", "model/index");
  await untilAll(several, [0, 1], { rpm: 0 });
  await redis.kill();
  await several.untilShared(false);
  assert.equal(await statusOf(several, 0), 429, "what was set holds without Redis");
  await redis.start();
  await several.untilShared(true);
  const stored = async (): Promise<string[]> =>
    ((await redis.command("HKEYS", "{sluice:main}:limits")) as string[]).filter((field) => field.includes(":"));
  await until("Redis has it", async () => ((await stored()).length === 3 ? true : undefined), patienceMs);
  await several.start(2);
  assert.equal(await statusOf(several, 2), 429, "from its first request on");
  assert.deepEqual([...(await limitsSet(several.gateways[2]!)).keys()].toSorted(), [
    "consumer:search",
    "grant:search/index",
  ]);
});

test("a machine that starts while Redis is away goes by its own copy; what was removed meanwhile does not come back by it", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { redis, several } = await start(t, 2);
  await put(several, 0, { rpm: 0 });
  await untilAll(several, [0, 1], { rpm: 0 });
  await several.gateways[1]!.stop();
  await askLimits(several.gateways[0]!, "DELETE", consumer);
  assert.equal(await statusOf(several, 0), 200);
  await redis.kill();
  await several.start(1);
  assert.equal(await statusOf(several, 1), 429);
  assert.deepEqual(await setOn(several, 1), [{ rpm: 0 }, "all"]);
  await redis.start();
  await untilAll(several, [0, 1], undefined);
  assert.equal(await statusOf(several, 1), 200);
  await sleep(1_000);
  await untilAll(several, [0, 1], undefined);
});
