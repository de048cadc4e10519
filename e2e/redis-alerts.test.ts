// A budget that several machines share runs out: people are told once of each part, not once by each machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until, type RunningGateway } from "./harness.ts";
import { requirePart } from "./parts.ts";
import { startRedis } from "./redis/redis-server.ts";
import { startSeveral, type Several } from "./redis/several.ts";

const LIMIT = 10_000;
/** Longer than what is used takes to be stored and told. */
const TOLD_MS = 400;

interface Alert {
  readonly subject: string;
  readonly percent: number;
}

function alertsOf(gateway: RunningGateway): Alert[] {
  return gateway
    .log()
    .split("\n")
    .filter((line) => line.includes('"percent"'))
    .map((line) => JSON.parse(line) as Alert);
}

/** What all processes ever told. */
const percents = (gateways: readonly RunningGateway[]): string[] =>
  gateways.flatMap(alertsOf).map(({ subject, percent }) => `${subject} ${percent}`);

async function use(several: Several, machine: number, tokens: number): Promise<void> {
  const content = `/simulate promptTokens=${tokens - 10}&completionTokens=10&tokens=4`;
  assert.equal((await several.ask(machine, content, { max_tokens: 10 })).status, 200);
  await sleep(TOLD_MS);
}

test("80 and 100 percent of a shared budget are told of once by all machines together, also over restarts", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const several = await startSeveral(t, {
    redis,
    machines: 3,
    grant: { monthly: { tokens: LIMIT } },
    state: { timeout: "1s" },
  });
  const everybody = [...several.gateways];
  // no machine uses 80 percent by itself
  for (const machine of [0, 1, 2]) await use(several, machine, 2_600);
  assert.deepEqual(percents(everybody), []);
  for (const machine of [0, 1, 2, 0, 1, 2]) await use(several, machine, 200);
  assert.deepEqual(percents(everybody), ["grant:search/index 80"]);
  for (const machine of [1, 2]) {
    await several.gateways[machine]!.stop();
    everybody.push(await several.start(machine));
  }
  for (const machine of [0, 1, 2]) await use(several, machine, 20);
  assert.deepEqual(percents(everybody), ["grant:search/index 80"]);
  await Promise.all([0, 1, 2].map((machine) => use(several, machine, 450)));
  await until("it is used up", () => (percents(everybody).length > 1 ? true : undefined));
  await sleep(TOLD_MS);
  assert.deepEqual(percents(everybody), ["grant:search/index 80", "grant:search/index 100"]);
});

test("without Redis a machine tells of what it knows, at once, and the others do not tell again when it is back", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const several = await startSeveral(t, {
    redis,
    machines: 2,
    grant: { monthly: { tokens: LIMIT } },
    more: { quotas: { onAuthorityLoss: "open" } },
  });
  const everybody = [...several.gateways];
  await redis.kill();
  await several.untilShared(false);
  await use(several, 0, 8_100);
  await until("it is told", () => (percents(everybody).length > 0 ? true : undefined));
  assert.deepEqual(percents(everybody), ["grant:search/index 80"]);
  await redis.start();
  await several.untilShared(true);
  await sleep(TOLD_MS);
  await use(several, 1, 100);
  await use(several, 0, 100);
  assert.deepEqual(percents(everybody), ["grant:search/index 80"]);
});
