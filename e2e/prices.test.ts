/** What requests cost: in the usage entry, the header and the budget alike; what has no price never serves under one. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { startGateway, testKey, until, type RunningGateway } from "./harness.ts";

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

interface Setting {
  readonly gateway: RunningGateway;
  readonly engine: Simulator;
  readonly ask: (model: string, content: string, more?: JsonObject) => Promise<Answer>;
}

const { key, hash } = testKey("prices");

async function start(t: TestContext, config: JsonObject, consumer: JsonObject = {}, workers = 1): Promise<Setting> {
  const engine = await startSimulator({});
  t.after(() => engine.close());
  const gateway = await startGateway(t, {
    workers,
    config: {
      providers: [
        { name: "engine", dialect: "openai", nodes: [`${engine.url}/v1`] },
        { name: "messages", dialect: "anthropic", nodes: [engine.url] },
      ],
      consumers: [{ name: "search", grants: [{ model: "*" }], keys: [{ name: "prod", hash }], ...consumer }],
      domains: [{ host: "*", routes: [{ path: "/v1/*", api: ["openai", "anthropic"], exposeHeaders: true }] }],
      ...config,
    },
  });
  return {
    gateway,
    engine,
    ask: async (model, content, more = {}) => {
      const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body: JSON.stringify({ model, messages: [{ role: "user", content }], ...more }),
      });
      return { status: answer.status, headers: answer.headers, text: await answer.text() };
    },
  };
}

const target = (model: string, price?: JsonObject, more: JsonObject = {}): JsonObject => ({
  provider: "engine",
  model,
  ...(price && { price }),
  ...more,
});

const uses = (promptTokens: number, completionTokens: number): string =>
  `/simulate promptTokens=${promptTokens}&completionTokens=${completionTokens}&tokens=4`;

const DEAR = { input: 3, cachedInput: 0.3, output: 15, tiers: [{ above: 200_000, input: 6, output: 22.5 }] };

test("what a request costs stands in its entry, in its header and in the metrics, limited or not", async (t) => {
  const { ask, gateway } = await start(t, {
    models: [
      { name: "dear", targets: [target("a", DEAR)] },
      { name: "any/*", targets: [target("*")] },
      { name: "bridged", targets: [{ provider: "messages", model: "b", price: DEAR }] },
      { name: "nobody-knows", targets: [target("c")] },
    ],
    prices: [
      { model: "cheap*", input: 0.1, output: 0.4 },
      { provider: "engine", model: "zero", free: true },
    ],
  });
  const cost = async (model: string, content: string, more?: JsonObject): Promise<[string | null, number]> => {
    const { status, headers, text } = await ask(model, content, more);
    assert.equal(status, 200, text);
    const entry = await gateway.entryOf(headers.get("x-request-id")!);
    return [headers.get("x-sluice-cost"), entry.costNanoUsd];
  };
  // 1,000 × $3 + 100 × $15 a million
  assert.deepEqual(await cost("dear", uses(1_000, 100)), ["0.0045", 4_500_000]);
  assert.deepEqual(await cost("bridged", uses(1_000, 100)), ["0.0045", 4_500_000]);
  // 200,001 × $6 + 1 × $22.50 a million
  assert.deepEqual(await cost("dear", uses(200_001, 1)), ["1.2000285", 1_200_028_500]);
  assert.deepEqual(await cost("any/cheap-1", uses(1, 1)), ["0.0000005", 500]);
  assert.deepEqual(await cost("any/zero", uses(1_000, 100)), ["0", 0]);
  assert.deepEqual(await cost("nobody-knows", uses(1_000, 100)), [null, 0]);
  assert.deepEqual(
    await cost("dear", uses(1_000, 100), { stream: true }),
    [null, 4_500_000],
    "the head of a stream goes out before",
  );
  assert.deepEqual(await cost("bridged", uses(1_000, 100), { stream: true }), [null, 4_500_000]);
  const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const lines = metrics.split("\n").filter((line) => line.startsWith("sluice_cost_nano_usd_total{"));
  const total = lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  assert.equal(total, 4 * 4_500_000 + 1_200_028_500 + 500, lines.join("\n"));
});

test("(14) under a budget in money a model without a price is refused, and one that is free is not", async (t) => {
  const models = [
    { name: "unpriced", targets: [target("a")] },
    { name: "free", targets: [target("b", { free: true })] },
    { name: "zero", targets: [target("c", { input: 0, output: 0 })] },
    { name: "half", targets: [target("d"), target("e", { input: 1, output: 1 })] },
    { name: "any/*", targets: [target("*")] },
  ];
  const prices = [{ model: "known", input: 1, output: 1 }];
  const { ask, engine, gateway } = await start(t, { models, prices }, { budgets: { monthly: { usd: 1 } } });
  for (const model of ["unpriced", "any/unknown"]) {
    const refused = await ask(model, "hi");
    assert.equal(refused.status, 403);
    assert.match(refused.text, /"model_not_priced"/);
  }
  assert.equal(engine.stats().hits, 0);
  for (const model of ["free", "zero", "any/known"]) assert.equal((await ask(model, "hi")).status, 200, model);
  for (let count = 0; count < 4; count++) assert.equal((await ask("half", "hi")).status, 200);
  const entries = await gateway.waitForEntries(9);
  const served = entries.filter(({ model }) => model === "half").map(({ upstreamModel }) => upstreamModel);
  assert.deepEqual(served, ["e", "e", "e", "e"], "only the target that has a price serves");
});

test("a target with a limit in money of its own serves only at a known price, and until its money is used up", async (t) => {
  const limits = { monthly: { usd: 0.003 } };
  const models = [
    { name: "unpriced", targets: [target("a", undefined, { limits })] },
    {
      name: "priced",
      targets: [target("b", { input: 1, output: 1 }, { limits }), target("c", { free: true }, { priority: 1 })],
    },
  ];
  const { ask, gateway } = await start(t, { models });
  const refused = await ask("unpriced", "hi");
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.text, /"model_not_priced"/);
  for (let count = 0; count < 3; count++) {
    const { status } = await ask("priced", uses(2_000, 0), { max_tokens: 1 });
    assert.equal(status, 200);
  }
  const entries = await gateway.waitForEntries(4);
  const served = entries.filter(({ model }) => model === "priced").map(({ upstreamModel }) => upstreamModel);
  assert.deepEqual(served, ["b", "b", "c"]);
});

test("(2) $0.45 left, five calls of $0.15 at once, two workers: exactly three are admitted", async (t) => {
  const config = {
    quotas: { mode: "hard" },
    models: [{ name: "m", targets: [target("a", { input: 0, output: 150 })] }],
  };
  const { ask, engine } = await start(t, config, { budgets: { monthly: { usd: 0.45 } } }, 2);
  const content = "/simulate completionTokens=1000&tokens=20&chunkMs=20&reply=lorem";
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => ask("m", content, { max_tokens: 1_000, stream: true })),
  );
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 200, 200, 429, 429]);
  assert.equal(engine.stats().hits, 3);
  const refused = answers.find(({ status }) => status === 429)!;
  assert.match(refused.text, /"insufficient_quota"/);
});

test("after a fallback the model that served is billed, and the budget settles what the entry says", async (t) => {
  const models = [
    { name: "dear", targets: [target("a", { input: 100, output: 100 })], fallbacks: ["cheap"], retry: { attempts: 1 } },
    { name: "cheap", targets: [target("b", { input: 1, output: 1 })] },
  ];
  const { ask, engine, gateway } = await start(t, { models }, { budgets: { monthly: { usd: 1 } } });
  engine.setFault("status:500,model=a");
  const served = await ask("dear", uses(1_000, 1_000), { max_tokens: 1_000 });
  assert.equal(served.status, 200, served.text);
  assert.equal(served.headers.get("x-sluice-cost"), "0.002");
  const entry = await gateway.entryOf(served.headers.get("x-request-id")!);
  assert.deepEqual([entry.servedModel, entry.costNanoUsd, entry.attempts], ["cheap", 2_000_000, 2]);
  // $0.998 is left: a call of just that passes, and then one of next to nothing does not
  await until("the budget has it back", async () => {
    const { status } = await ask("cheap", uses(998_000, 0), { max_tokens: 1 });
    return status === 200 ? true : undefined;
  });
  const refused = await ask("cheap", uses(1, 1), { max_tokens: 1 });
  assert.equal(refused.status, 429);
  assert.match(refused.text, /"insufficient_quota"/);
});
