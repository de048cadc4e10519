/** What quotas count is what the access log says, to the token, however requests and workers end. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import type { UsageEntry } from "../src/ledger/entry.ts";
import type { SimulatorOptions } from "../src/simulate/options.ts";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { read } from "./client.ts";
import { startGateway, testKey, until, type RunningGateway } from "./harness.ts";
import { Load } from "./load.ts";
import { chatBody, post } from "./raw-http.ts";
import { limitOf, quietUsage, tokensOf } from "./usage.ts";

const PRELOAD = join(import.meta.dirname, "crash-preload.ts");
const PLENTY = { tokens: 1_000_000_000, usd: 1_000_000 };
/** Dollars a million tokens; cached ones are cheaper. */
const PRICE = { input: 2.5, cachedInput: 0.25, output: 15 };
const { key, hash } = testKey("usage-exact");

/** Everything that a request of the one key to the one model counts in. */
const SUBJECTS = [
  "consumer:search",
  "key:search/prod",
  "grant:search/index",
  "keyGrant:search/prod/in*",
  "model:index",
  "target:index/engine/m",
  "credential:engine%2Fmain",
];

function configOf(engine: Simulator, timeouts: JsonObject): JsonObject {
  const limits = { rpm: 1_000_000, tpm: 1_000_000_000, concurrency: 10_000, monthly: PLENTY };
  return {
    providers: [
      {
        name: "engine",
        dialect: "openai",
        nodes: [`${engine.url}/v1`],
        credentials: [{ name: "main", apiKey: "sk-engine", limits }],
        timeouts,
      },
    ],
    models: [
      {
        name: "index",
        targets: [{ provider: "engine", model: "m", limits, price: PRICE }],
        retry: { attempts: 1 },
        limits,
      },
    ],
    consumers: [
      {
        name: "search",
        limits,
        grants: [{ model: "index", ...limits }, { model: "in*" }],
        keys: [{ name: "prod", hash, limits, grants: [{ model: "in*", ...limits }] }],
      },
    ],
  };
}

interface StartOptions {
  readonly environment?: Record<string, string>;
  readonly timeouts?: JsonObject;
  readonly simulator?: SimulatorOptions;
}

async function start(
  t: TestContext,
  { environment = {}, timeouts = {}, simulator = {} }: StartOptions = {},
): Promise<{ readonly gateway: RunningGateway; readonly engine: Simulator }> {
  const engine = await startSimulator(simulator);
  t.after(() => engine.close());
  return { engine, gateway: await startGateway(t, { config: configOf(engine, timeouts), workers: 2, environment }) };
}

/** Every counter is the entries' sum, and nothing is reserved. */
async function assertExact(gateway: RunningGateway, entries: readonly UsageEntry[]): Promise<void> {
  const rows = await quietUsage(gateway);
  const tokens = tokensOf(entries);
  const nanoUsd = entries.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0);
  assert.ok(nanoUsd > 0);
  for (const subject of SUBJECTS) {
    const { used, remaining, limit } = limitOf(rows, subject, "monthlyTokens");
    assert.deepEqual({ subject, used, remaining }, { subject, used: tokens, remaining: limit - tokens });
    assert.equal(limitOf(rows, subject, "monthlyUsd").used, nanoUsd / 1e9, subject);
    assert.equal(limitOf(rows, subject, "concurrency").used, 0);
  }
}

test("(3) 100 calls aborted at random moments: nothing stays reserved, 100 entries, counters equal their sum", async (t) => {
  const { gateway, engine } = await start(t);
  const bodies = [
    chatBody("index", "/simulate reply=lorem&tokens=400&chunkMs=1&firstTokenMs=20\n", { stream: true }),
    chatBody("index", "/simulate reply=lorem&tokens=700&chunkMs=0\n", { stream: true, max_tokens: 900 }),
    chatBody("index", "/simulate reply=lorem&tokens=50&chunkMs=4\n"),
    chatBody("index", "/simulate firstTokenMs=5000\n", { stream: true }),
  ];
  await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      await sleep(index * 4);
      await callAndLeave(gateway.port, bodies[index % bodies.length]!, Math.random() * 350);
    }),
  );
  const entries = await gateway.waitForEntries(100);
  await engine.waitFor((seen) => seen.live === 0, 3_000);
  await sleep(300);
  assert.equal((await gateway.entries()).length, 100);
  assert.ok(entries.filter(({ outcome }) => outcome === "aborted").length >= 20, "most were aborted");
  await assertExact(gateway, entries);
});

/** Sends a whole request, and leaves after a time. */
async function callAndLeave(port: number, body: string, afterMs: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.on("data", () => {});
  const sent = Promise.withResolvers<void>();
  socket.write(post("/v1/chat/completions", [`authorization: Bearer ${key}`], body), () => {
    sent.resolve();
  });
  await sent.promise;
  await sleep(afterMs);
  socket.destroy();
}

for (const order of ["exit", "throw"]) {
  test(`(3) a worker dies in the midst (${order}): what its requests held is free, counters equal the entries' sum`, async (t) => {
    const { gateway, engine } = await start(t, { environment: { NODE_OPTIONS: `--import=${PRELOAD}`, ORDERS: order } });
    const load = { port: gateway.port, key, model: "index" };
    const slow = { stream: true, content: "/simulate reply=lorem&tokens=900&chunkMs=1\n" };
    const streams = new Load(t, { ...load, ...slow, callers: 16 });
    await engine.waitFor((seen) => seen.completionTokens > 16 * 400, 5_000);
    const short = new Load(t, { ...load, callers: 6, content: "/simulate promptTokens=70&completionTokens=30\n" });
    const leaving = Array.from({ length: 40 }, async (_, index) => {
      await sleep(index * 15);
      await callAndLeave(gateway.port, chatBody("index", slow.content, { stream: true }), 200 + Math.random() * 400);
    });
    await sleep(100);
    gateway.process.kill("SIGUSR2");
    await until("the replacement", () => (/the replaced worker serves/.test(gateway.log()) ? true : undefined));
    await Promise.all([streams.stop(), short.stop(), ...leaving]);
    await engine.waitFor((seen) => seen.live === 0, 5_000);
    await sleep(300);
    const entries = await gateway.entries();
    const lost = entries.filter(({ outcome }) => outcome === (order === "exit" ? "worker_lost" : "broken"));
    assert.ok(lost.length >= 1, "the worker had requests");
    assert.ok(
      lost.some(({ completionTokens }) => completionTokens >= 256),
      "some had a checkpoint",
    );
    await assertExact(gateway, entries);
  });
}

test("(3) a worker dies while clients have not taken answers that are known already: counters equal the entries' sum", async (t) => {
  const environment = { NODE_OPTIONS: `--import=${PRELOAD}`, ORDERS: "exit" };
  const { gateway, engine } = await start(t, { environment, simulator: { maxAnswerTokens: 2_000_000 } });
  // larger than what the system buffers on the way to a client that reads nothing
  const body = chatBody("index", `/simulate reply=lorem&tokens=2000000&chunkMs=0\n`);
  const sockets = Array.from({ length: 4 }, () => connect(gateway.port, "127.0.0.1"));
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  for (const socket of sockets) {
    socket.on("error", () => {});
    socket.pause();
    socket.write(post("/v1/chat/completions", [`authorization: Bearer ${key}`], body));
  }
  await engine.waitFor((seen) => seen.hits === 4 && seen.live === 0, 15_000);
  await sleep(500);
  gateway.process.kill("SIGUSR2");
  await until("the replacement", () => (/the replaced worker serves/.test(gateway.log()) ? true : undefined));
  for (const socket of sockets) socket.destroy();
  const entries = await gateway.waitForEntries(4);
  assert.ok(entries.some(({ outcome, completionTokens }) => outcome === "worker_lost" && completionTokens > 0));
  await assertExact(gateway, entries);
});

test("streams, whole answers, aborts, failures, retries and refusals: counters equal the entries' sum", async (t) => {
  const { gateway, engine } = await start(t, { timeouts: { firstToken: "300ms", idle: "300ms", total: "1s" } });
  const call = (dialect: "openai" | "anthropic", stream: boolean, content: string): Promise<unknown> =>
    read({ url: gateway.url, key, dialect, model: "index", stream, content }).catch(() => undefined);
  const contents = [
    "hello",
    "/simulate promptTokens=1234&cachedTokens=1000&completionTokens=77\n",
    "/simulate calls=2\n",
  ];
  const faults = [
    "status:500",
    "status:500,times=1",
    "reset",
    "reset-body:3",
    "close-body:4",
    "truncated-event:3",
    "no-finish:3",
    "no-done",
    "error-event:3",
    "error-200",
    "hang-token",
    "hang-body:3",
  ];
  for (const dialect of ["openai", "anthropic"] as const) {
    for (const stream of [true, false]) {
      for (const content of contents) await call(dialect, stream, content);
      for (const fault of faults) {
        engine.setFault(fault);
        await call(dialect, stream, "/simulate reply=lorem&tokens=20\n");
      }
      engine.setFault();
    }
  }
  await read({ url: gateway.url, key, dialect: "openai", model: "nothing", stream: false, content: "x" });
  await sleep(300);
  const entries = await gateway.entries();
  const outcomes = new Set(entries.map(({ outcome }) => outcome));
  for (const outcome of ["ok", "refused", "upstream_error", "broken", "timeout"] as const) {
    assert.ok(outcomes.has(outcome), `no ${outcome} among ${[...outcomes].join(", ")}`);
  }
  await assertExact(gateway, entries);
});
