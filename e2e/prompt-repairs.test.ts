/** JSON that does not fit: the model is told what is wrong and asked again, and all that it used is counted once. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { CANNED_USAGE, cannedAnswer } from "./canned.ts";
import { until } from "./harness.ts";
import { startPrompts, type PromptWorld } from "./prompt-world.ts";

const SCHEMA = { type: "object", required: ["stars"], properties: { stars: { type: "integer", maximum: 5 } } };
const QUESTION = { role: "user", content: "Rate it: fine" };

const route = (path: string, repairs?: number): JsonObject => ({
  path,
  middlewares: [
    {
      name: "prompt_template",
      options: {
        model: "index",
        messages: [{ role: "user", content: "Rate it: {{ .text }}" }],
        parameters: { temperature: 0 },
        output: "json",
        outputSchema: SCHEMA,
        ...(repairs !== undefined && { repairs }),
      },
    },
  ],
});
const ROUTES = [route("/v1/default"), route("/v1/never", 0), route("/v1/often", 5)];

interface Scripted extends PromptWorld {
  /** The bodies that the model got. */
  readonly asked: JsonObject[];
}

/** A model that gives these answers in turn, a number being a status, and 0 no answer at all. */
async function start(
  t: TestContext,
  answers: (string | number)[],
  consumer: JsonObject = {},
  more: { model?: JsonObject; target?: JsonObject } = {},
): Promise<Scripted> {
  const asked: JsonObject[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      asked.push(body as JsonObject);
      const answer = answers.shift() ?? 500;
      if (answer === 0) return;
      response.writeHead(typeof answer === "number" ? answer : 200, { "content-type": "application/json" });
      response.end(
        typeof answer === "number"
          ? '{"error":{"message":"no","type":"server_error"}}'
          : cannedAnswer("openai", answer),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const price = { input: 1, output: 10 };
  const world = await startPrompts(t, ROUTES, consumer, {
    providers: [{ name: "bilibili", dialect: "openai", nodes: [`http://127.0.0.1:${port}/v1`] }],
    models: [
      {
        name: "index",
        targets: [{ provider: "bilibili", model: "index-72b", price, ...more.target }],
        ...more.model,
      },
      { name: "other", targets: [{ provider: "bilibili", model: "other-7b", price }] },
    ],
    store: { url: "sqlite:./months.db" },
  });
  return { ...world, asked };
}

const USED = CANNED_USAGE.prompt + CANNED_USAGE.completion;
const NANO_USD = CANNED_USAGE.prompt * 1_000 + CANNED_USAGE.completion * 10_000;

test("the model is told what is wrong; one entry, with the tokens and the cost of both answers", async (t) => {
  const consumer = { grants: [{ model: "index", monthly: { tokens: 1_000 } }] };
  const { post, asked, gateway } = await start(t, ['{"stars": 9}', '{"stars": 4}'], consumer);
  const answer = await post("/v1/default", { text: "fine" });
  assert.deepEqual([answer.status, await answer.json()], [200, { stars: 4 }]);
  const [first, second] = asked;
  assert.deepEqual(first!["messages"], [QUESTION]);
  assert.deepEqual((second!["messages"] as JsonObject[]).slice(0, 2), [
    QUESTION,
    { role: "assistant", content: '{"stars": 9}' },
  ]);
  assert.match(String((second!["messages"] as JsonObject[])[2]!["content"]), /stars.*Answer again/s);
  assert.deepEqual({ ...second, messages: 0 }, { ...first, messages: 0 }, "all else is as it was");
  const entries = await gateway.waitForEntries(1);
  assert.equal(entries.length, 1);
  const [entry] = entries;
  assert.deepEqual(
    [entry!.outcome, entry!.attempts, entry!.promptTokens, entry!.completionTokens, entry!.costNanoUsd],
    ["ok", 2, 2 * CANNED_USAGE.prompt, 2 * CANNED_USAGE.completion, 2 * NANO_USD],
  );
  const usage = await (await fetch(`${gateway.adminUrl}/admin/v1/consumers/search/usage`)).text();
  assert.match(usage, new RegExp(`"used":${2 * USED}[,}]`), usage);
});

test("once unless the prompt says otherwise, and never more than the model's attempts", async (t) => {
  const never = await start(t, ["no", '{"stars": 1}']);
  assert.equal((await never.post("/v1/never", { text: "fine" })).status, 502);
  assert.equal(never.asked.length, 1);
  const once = await start(t, ["no", "still no", '{"stars": 1}']);
  const answer = await once.post("/v1/default", { text: "fine" });
  assert.equal(answer.status, 502);
  assert.match(await answer.text(), /not JSON/);
  assert.equal(once.asked.length, 2);
  const often = await start(t, ["no", "no", "no", '{"stars": 1}']);
  assert.equal((await often.post("/v1/often", { text: "fine" })).status, 502);
  assert.equal(often.asked.length, 3, "three attempts in all, whatever they are for");
  assert.equal((often.asked[2]!["messages"] as JsonObject[]).length, 5, "each answer and what was wrong with it");
  const [entry] = await often.gateway.waitForEntries(1);
  assert.deepEqual([entry!.attempts, entry!.completionTokens], [3, 3 * CANNED_USAGE.completion]);
});

test("a failure while it is asked again is retried with the same words; what was used before stays used", async (t) => {
  const world = await start(t, ["no", 503, '{"stars": 2}']);
  const answer = await world.post("/v1/default", { text: "fine" });
  assert.deepEqual([answer.status, await answer.json()], [200, { stars: 2 }]);
  assert.deepEqual(world.asked[2], world.asked[1]);
  const failed = await start(t, ["no", 503, 503]);
  assert.equal((await failed.post("/v1/default", { text: "fine" })).status, 503);
  const [entry] = await failed.gateway.waitForEntries(1);
  assert.deepEqual(
    [entry!.outcome, entry!.promptTokens, entry!.costNanoUsd],
    ["upstream_error", CANNED_USAGE.prompt, NANO_USD],
  );
});

test("where a limit must never be passed nothing is asked that was not reserved", async (t) => {
  const consumer = { grants: [{ model: "index", tpm: 10_000, mode: "hard" }] };
  const { post, asked } = await start(t, ["no", '{"stars": 2}'], consumer);
  assert.equal((await post("/v1/default", { text: "fine" })).status, 502);
  assert.equal(asked.length, 1);
});

test("each time the model is asked counts in the limits of its target", async (t) => {
  const target = { limits: { rpm: 2 } };
  const { post, asked, gateway } = await start(t, ["no", "no", '{"stars": 1}'], {}, { target });
  const answer = await post("/v1/often", { text: "fine" });
  assert.equal(answer.status, 502);
  assert.match(await answer.text(), /not JSON/, "the last answer, since nobody may be asked again");
  assert.equal(asked.length, 2);
  const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  assert.match(metrics, /^sluice_quota_reserved\{type="target".*kind="requests"\} 0$/m);
});

test("what was used before a fallback serves is charged to the model that used it, and once", async (t) => {
  const consumer = { grants: ["index", "other"].map((model) => ({ model, monthly: { tokens: 1_000 } })) };
  const model = { fallbacks: ["other"], retry: { attempts: 3, on: ["5xx"] } };
  const { post, asked, gateway } = await start(t, ["no", 503, '{"stars": 2}'], consumer, { model });
  assert.deepEqual(await (await post("/v1/default", { text: "fine" })).json(), { stars: 2 });
  assert.equal(asked[2]!["model"], "other-7b");
  await gateway.waitForEntries(1);
  const usage = (await (await fetch(`${gateway.adminUrl}/admin/v1/consumers/search/usage`)).json()) as {
    usage: { model: string; limits: { used: number }[] }[];
  };
  assert.deepEqual(
    usage.usage.map(({ model: name, limits }) => [name, limits[0]!.used]),
    [
      ["index", USED],
      ["other", USED],
    ],
  );
});

test("a client that leaves while the model is asked again ends that, and is charged for all that was asked", async (t) => {
  const { post, asked, gateway } = await start(t, ["no", 0]);
  const leaving = new AbortController();
  const left = assert.rejects(post("/v1/often", { text: "fine" }, {}, leaving.signal));
  await until("the second question", () => asked[1]);
  leaving.abort();
  await left;
  const [entry] = await gateway.waitForEntries(1);
  assert.deepEqual([entry!.outcome, entry!.attempts, entry!.tokensEstimated], ["aborted", 2, true]);
  assert.equal(entry!.completionTokens, CANNED_USAGE.completion);
  assert.ok(entry!.promptTokens > CANNED_USAGE.prompt, "the question that was not answered was read, too");
  assert.equal(asked.length, 2);
});
