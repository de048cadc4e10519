/** Limits as clients meet them, on one machine: several workers, both dialects, retries, fallbacks, aborts. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";
import type { JsonObject } from "../src/lib/json.ts";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { startGateway, testKey, type RunningGateway } from "./harness.ts";

interface Setting {
  readonly gateway: RunningGateway;
  readonly engine: Simulator;
  readonly key: string;
  readonly ask: (
    body?: JsonObject,
    signal?: AbortSignal,
  ) => Promise<{ status: number; headers: Headers; body: JsonObject }>;
}

interface Limits {
  readonly consumer?: JsonObject;
  readonly grant?: JsonObject;
  readonly key?: JsonObject;
  readonly model?: JsonObject;
  readonly target?: JsonObject;
  readonly credential?: JsonObject;
  readonly config?: JsonObject;
}

const chat = (content: string, more: JsonObject = {}): JsonObject => ({
  model: "index",
  messages: [{ role: "user", content }],
  ...more,
});

function configOf(engine: Simulator, hash: string, limits: Limits): JsonObject {
  return {
    providers: [
      {
        name: "engine",
        dialect: "openai",
        nodes: [`${engine.url}/v1`],
        credentials: [{ name: "main", apiKey: "sk-engine", ...limits.credential }],
      },
    ],
    models: [
      {
        name: "index",
        aliases: ["index-latest"],
        targets: [{ provider: "engine", model: "m", ...limits.target }],
        retry: { attempts: 0 },
        ...limits.model,
      },
    ],
    consumers: [
      {
        name: "search",
        grants: [{ model: "index", ...limits.grant }],
        keys: [{ name: "prod", hash, ...limits.key }],
        ...limits.consumer,
      },
    ],
    ...limits.config,
  };
}

async function start(t: TestContext, limits: Limits, workers = 2): Promise<Setting> {
  const engine = await startSimulator({});
  t.after(() => engine.close());
  const { key, hash } = testKey("quotas");
  const gateway = await startGateway(t, { config: configOf(engine, hash, limits), workers });
  return {
    gateway,
    engine,
    key,
    ask: async (body = chat("hi"), signal) => {
      const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body: JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      });
      const text = await answer.text();
      return {
        status: answer.status,
        headers: answer.headers,
        body: JSON.parse(text.startsWith("{") ? text : "{}") as JsonObject,
      };
    },
  };
}

test("requests a minute: as many as the limit, over all workers, then 429 that says whose limit and when to come back", async (t) => {
  const { ask, engine, key, gateway } = await start(t, { grant: { rpm: 10 } });
  const answers = await Promise.all(Array.from({ length: 30 }, () => ask()));
  assert.equal(answers.filter(({ status }) => status === 200).length, 10);
  assert.equal(engine.stats().hits, 10);
  const refused = answers.find(({ status }) => status === 429)!;
  const error = refused.body["error"] as JsonObject;
  assert.equal(error["code"], "rate_limit_exceeded");
  assert.match(String(error["message"]), /10 requests a minute for consumer "search" on model "index".*Try again in/);
  const after = Number(refused.headers.get("retry-after"));
  assert.ok(after >= 5 && after <= 6, `retry-after: ${after}`);
  const afterMs = Number(refused.headers.get("retry-after-ms"));
  assert.ok(afterMs > 4_000 && afterMs <= 6_000, `retry-after-ms: ${afterMs}`);
  assert.equal(refused.headers.get("x-ratelimit-limit-requests"), "10");
  assert.equal(refused.headers.get("x-ratelimit-remaining-requests"), "0");
  assert.match(refused.headers.get("x-ratelimit-reset-requests")!, /^(1m0|59|5[5-9])s$/);
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: key, maxRetries: 0 });
  await assert.rejects(
    client.chat.completions.create({ model: "index-latest", messages: [{ role: "user", content: "an alias" }] }),
    OpenAI.RateLimitError,
  );
  const entries = await gateway.waitForEntries(31);
  assert.equal(entries.filter(({ outcome }) => outcome === "refused").length, 21);
});

/** A chat call whose answer reports exactly this usage. */
const uses = (promptTokens: number, completionTokens: number, more: JsonObject = {}): JsonObject =>
  chat(`/simulate promptTokens=${promptTokens}&completionTokens=${completionTokens}&tokens=4`, more);

test("tokens of a month survive kill -9; what was refused and what failed cost nothing", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "sluice-quotas-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const store = { url: `sqlite:${join(directory, "sluice.db")}` };
  const limits: Limits = { grant: { monthly: { tokens: 10_000 } }, config: { store } };
  const first = await start(t, limits);
  assert.equal((await first.ask(uses(7_900, 100))).status, 200);
  assert.equal((await first.ask(uses(9, 9, { max_tokens: 5_000 }))).status, 200, "soft: nine in ten answers are short");
  first.engine.setFault("status:500");
  assert.equal((await first.ask(uses(500, 500))).status, 500);
  first.engine.setFault();
  await sleep(300);
  first.gateway.process.kill("SIGKILL");
  await once(first.gateway.process, "exit");
  const second = await start(t, limits);
  assert.equal((await second.ask(uses(1_900, 82))).status, 200);
  await sleep(50);
  const refused = await second.ask(uses(1, 1));
  assert.equal(refused.status, 429);
  const error = refused.body["error"] as JsonObject;
  assert.equal(error["code"], "insufficient_quota");
  assert.match(
    String(error["message"]),
    /10000 tokens a month for consumer "search" on model "index" is used up until 20\d\d-/,
  );
  assert.equal(refused.headers.get("x-should-retry"), "false");
});

test("concurrency: no more at once than the limit, and a place is free again however a request ends", async (t) => {
  const { ask, engine, gateway } = await start(t, { key: { limits: { concurrency: 2 } } });
  const slow = chat("/simulate reply=lorem&chunkMs=40&tokens=20", { stream: true });
  const abort = new AbortController();
  const running = [ask(slow), ask(slow, abort.signal).catch(() => undefined)];
  await engine.waitFor((stats) => stats.running === 2, 5_000);
  assert.equal((await ask()).status, 429);
  abort.abort();
  await engine.waitFor((stats) => stats.running === 1, 5_000);
  assert.equal((await eventually(() => ask())).status, 200);
  await Promise.all(running);
  engine.setFault("reset-body:5");
  for (let count = 0; count < 4; count++) assert.notEqual((await ask()).status, 429);
  engine.setFault();
  assert.equal((await ask()).status, 200);
  await gateway.waitForEntries(9);
});

test("a target at its ceiling: traffic moves to the next, and only when all are full the client is told", async (t) => {
  const { ask, gateway } = await start(t, {
    model: {
      targets: [
        { provider: "engine", model: "small", limits: { rpm: 3 } },
        { provider: "engine", model: "large", limits: { rpm: 2 }, priority: 1 },
      ],
    },
  });
  const answers: number[] = [];
  for (let count = 0; count < 6; count++) answers.push((await ask()).status);
  assert.deepEqual(answers, [200, 200, 200, 200, 200, 429]);
  const entries = await gateway.waitForEntries(6);
  assert.deepEqual(
    // workers write their entries in batches, each its own
    entries.map(({ upstreamModel }) => upstreamModel ?? "").toSorted(),
    ["", "large", "large", "small", "small", "small"],
  );
});

test("a credential at its ceiling: the other one serves", async (t) => {
  const engine = await startSimulator({});
  t.after(() => engine.close());
  const { hash } = testKey("quotas");
  const config = configOf(engine, hash, {});
  const credentials = [
    { name: "small", apiKey: "sk-small", limits: { rpm: 2, tpm: 100_000 } },
    { name: "large", apiKey: "sk-large", limits: { rpm: 4 } },
  ];
  const [provider] = config["providers"] as JsonObject[];
  const { ask } = await start(t, {
    config: { providers: [{ ...provider, nodes: [`${engine.url}/v1`], credentials }] },
  });
  const statuses = await Promise.all(Array.from({ length: 6 }, async () => (await ask()).status));
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 200]);
  assert.deepEqual(engine.stats().hitsByKey, { "sk-small": 2, "sk-large": 4 });
  const refused = await ask();
  assert.equal(refused.status, 429);
  assert.match(JSON.stringify(refused.body), /providers are at their limits/);
  assert.ok(!JSON.stringify(refused.body).includes("small"), "nothing of the inside is told");
});

test("limits changed while it runs: in force at once, and what is used stays used", async (t) => {
  const { ask, engine, gateway } = await start(t, { consumer: { limits: { rpm: 3 } } });
  const { hash } = testKey("quotas");
  for (let count = 0; count < 3; count++) assert.equal((await ask()).status, 200);
  assert.equal((await ask()).status, 429);
  await gateway.configure(configOf(engine, hash, { consumer: { limits: { rpm: 5 } } }));
  const changedAt = performance.now();
  assert.equal((await eventually(() => ask())).status, 200);
  assert.ok(performance.now() - changedAt < 2_000);
  assert.equal((await ask()).status, 200);
  assert.equal((await ask()).status, 429, "five in all, three of them before");
  await gateway.configure(configOf(engine, hash, {}));
  assert.equal((await eventually(() => ask())).status, 200);
});

async function eventually(ask: Setting["ask"]): ReturnType<Setting["ask"]> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    const answer = await ask();
    if (answer.status === 200 || performance.now() > deadline) return answer;
    await sleep(10);
  }
}

test("tokens that are only counted are not used", async (t) => {
  const engine = await startSimulator({ dialect: "anthropic" });
  t.after(() => engine.close());
  const { key, hash } = testKey("quotas");
  const config = configOf(engine, hash, { grant: { rpm: 2, monthly: { tokens: 100_000 } } });
  const providers = [{ name: "engine", dialect: "anthropic", nodes: [engine.url] }];
  const gateway = await startGateway(t, { config: { ...config, providers }, workers: 1 });
  const statuses: number[] = [];
  for (let count = 0; count < 3; count++) {
    const answer = await fetch(`${gateway.url}/v1/messages/count_tokens`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": key, "anthropic-version": "2023-06-01" },
      body: JSON.stringify(chat("a text of some words")),
    });
    statuses.push(answer.status);
    if (answer.status === 200) assert.ok(((await answer.json()) as { input_tokens: number }).input_tokens > 0);
  }
  assert.deepEqual(statuses, [200, 200, 429], "each is a request all the same");
  for (const { promptTokens, completionTokens } of await gateway.waitForEntries(3)) {
    assert.equal(promptTokens + completionTokens, 0);
  }
});
