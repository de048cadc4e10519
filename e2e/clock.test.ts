/** The wall clock is set, forward and back, over the end of the month: no counter is lost, and nothing waits for ever. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { MachineStore } from "../src/quotas/machine-store.ts";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { oneEngine, startGateway, testKey, until, type RunningGateway } from "./harness.ts";
import { temporaryDirectory } from "./sluice-process.ts";
import { limitOf, usageOf } from "./usage.ts";

const PRELOAD = join(import.meta.dirname, "clock-preload.ts");
const DAY_MS = 86_400_000;
const { key, hash } = testKey("clock");

function configOf(engine: Simulator, more: JsonObject = {}): JsonObject {
  return {
    ...oneEngine(engine),
    consumers: [
      {
        name: "search",
        grants: [{ model: "index", monthly: { tokens: 1_000 }, mode: "hard" }],
        keys: [{ name: "prod", hash }],
      },
    ],
    ...more,
  };
}

async function ask(gateway: RunningGateway, tokens = 20): Promise<number> {
  const content = `/simulate promptTokens=${tokens - 10}&completionTokens=10&tokens=4`;
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "index", max_tokens: tokens, messages: [{ role: "user", content }] }),
  });
  await answer.text();
  return answer.status;
}

/** Milliseconds to some day of the next month and of the one before, from now on, in UTC. */
function otherMonths(): { readonly next: number; readonly last: number } {
  const now = new Date();
  const day = (index: number): number => Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + index, 10) - now.getTime();
  return { next: day(1), last: day(-1) };
}

function monthOf(offsetMs: number): string {
  return new Date(Date.now() + offsetMs).toISOString().slice(0, 7);
}

/** What the report says of the month that the gateway is in. */
async function inMonth(gateway: RunningGateway, month: string): Promise<number> {
  return until(`it is ${month}`, async () => {
    const limit = limitOf(await usageOf(gateway), "grant:search/index", "monthlyTokens");
    return limit.month === month ? limit.used : undefined;
  });
}

test("each month has its counter, wherever the clock goes, also one that the process did not know at its start", async (t) => {
  const engine = await startSimulator({});
  t.after(() => engine.close());
  const path = join(await temporaryDirectory(t), "sluice.db");
  const config = configOf(engine, { store: { url: `sqlite:${path}` } });
  const { next, last } = otherMonths();
  const start = (startMs: number, ...jumps: number[]): Promise<RunningGateway> =>
    startGateway(t, {
      config,
      workers: 2,
      environment: {
        NODE_OPTIONS: `--import=${PRELOAD}`,
        CLOCK_START: String(startMs),
        CLOCK_JUMPS: jumps.join(","),
      },
    });
  const first = await start(0, next, 0, last, 0);
  const jump = async (gateway: RunningGateway, to: number): Promise<number> => {
    gateway.process.kill("SIGUSR2");
    return inMonth(gateway, monthOf(to));
  };
  assert.equal(await ask(first, 900), 200);
  assert.equal(await jump(first, next), 0);
  assert.equal(await ask(first, 300), 200);
  assert.equal(await jump(first, 0), 900);
  assert.equal(await ask(first, 200), 429, "this month has 100 left");
  assert.equal(await jump(first, last), 0);
  assert.equal(await ask(first, 50), 200);
  assert.equal(await jump(first, 0), 900);
  await first.stop();

  // the clock is a month ahead when it starts, and is put right then
  const second = await start(next, 0);
  assert.equal(await inMonth(second, monthOf(next)), 300);
  await jump(second, 0);
  assert.equal(await ask(second, 40), 200);
  const used = await until("the counter is found again", async () => {
    const found = await inMonth(second, monthOf(0));
    return found === 940 ? found : undefined;
  });
  assert.equal(await ask(second, 200), 429, `${used} are used`);
  await second.stop();
  const store = new MachineStore(path);
  t.after(() => {
    store.close();
  });
  assert.deepEqual(
    store.since(0).map((row) => row.used),
    [50, 940, 300],
  );
});

test("a node that was told to rest while the clock was a month ahead rests no longer than it was told", async (t) => {
  const engine = await startSimulator({});
  t.after(() => engine.close());
  const gateway = await startGateway(t, {
    config: configOf(engine),
    environment: { NODE_OPTIONS: `--import=${PRELOAD}`, CLOCK_START: String(31 * DAY_MS), CLOCK_JUMPS: "0" },
  });
  assert.equal(await ask(gateway), 200);
  engine.setFault("status:429,retry-after=3");
  assert.equal(await ask(gateway), 429);
  engine.setFault();
  gateway.process.kill("SIGUSR2");
  await until("it is asked again", async () => ((await ask(gateway)) === 200 ? true : undefined), 15_000);
});
