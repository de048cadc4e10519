/** The platform's own instructions in ordinary chat calls, in both dialects, and bytes that pass through without them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startPrompts } from "./prompt-world.ts";

const decorator = (options: JsonObject): JsonObject => ({ name: "prompt_decorator", options });
const ROUTE: JsonObject = {
  path: "/decorated/*",
  api: ["openai", "anthropic"],
  middlewares: [
    decorator({
      when: { models: ["index"] },
      prepend: [{ role: "system", content: "For {{ .consumer }}/{{ .key }} ({{ index .headers `x-tenant` }})." }],
      headers: ["x-tenant"],
    }),
    decorator({
      when: { headers: { "x-stage": ["beta*"] } },
      append: [{ role: "system", content: "This is a beta." }],
    }),
    decorator({ append: [{ role: "user", content: "Today is {{ now | date `2006` }}." }] }),
  ],
};
const YEAR = String(new Date().getUTCFullYear());

test("a decorated call: what was asked, and around it what the platform says", async (t) => {
  const { post, gateway, lastRequest, engine } = await startPrompts(t, [ROUTE]);
  const call = { model: "index", temperature: 0.5, messages: [{ role: "user", content: "{{ .key }}" }] };
  const answer = await post("/decorated/chat/completions", call, { "x-tenant": "blue" });
  assert.equal(answer.status, 200);
  const { messages, temperature } = lastRequest();
  assert.deepEqual(messages, [
    { role: "system", content: "For search/prod (blue)." },
    { role: "user", content: "{{ .key }}" },
    { role: "user", content: `Today is ${YEAR}.` },
  ]);
  assert.equal(temperature, 0.5);
  const stream = await post("/decorated/chat/completions", { ...call, stream: true });
  assert.match(await stream.text(), /\[DONE\]/);
  const [entry] = await gateway.waitForEntries(2);
  assert.ok(entry!.promptTokens > 15, "what is put there is paid for");
  await (await post("/decorated/chat/completions", call, { "x-stage": "beta2" })).arrayBuffer();
  assert.ok(JSON.stringify(lastRequest()["messages"]).includes('"content":"This is a beta."'));
  const exact = '{"model":"index","messages":[{"role":"user","content":"x","id":9007199254740993}]}';
  await post("/decorated/chat/completions", exact);
  assert.match(engine.requests().at(-1)!.body.toString(), /"id":9007199254740993\}/, "numbers stay what they are");
  const bad = await post("/decorated/chat/completions", { model: "index", messages: "x" });
  assert.ok(bad.status >= 400);
  assert.equal(engine.stats().hits, 5, "the provider refused it, as without a filter");
});

test("anthropic's dialect on the same route, and its way through another dialect", async (t) => {
  const { post, lastRequest } = await startPrompts(t, [ROUTE]);
  const call = { model: "index", max_tokens: 20, system: "Own.", messages: [{ role: "user", content: "Hi" }] };
  const answer = await post("/decorated/messages", call, { "anthropic-version": "2023-06-01" });
  assert.equal(answer.status, 200, await answer.text());
  const text = JSON.stringify(lastRequest()["messages"]);
  assert.ok(text.indexOf("For search/prod ().") < text.indexOf("Own."), text);
  assert.ok(text.indexOf("Hi") < text.indexOf(`Today is ${YEAR}.`), text);
});

test("routes without it, and other operations, pass their bytes through", async (t) => {
  const { post, engine } = await startPrompts(t, [ROUTE]);
  const bytes = '{ "model":"index-72b" ,"messages":[{"role":"user","content":"\\u0041"}] }';
  const asked = bytes.replace("index-72b", "index");
  assert.equal((await post("/v1/chat/completions", asked)).status, 200);
  assert.equal(engine.requests().at(-1)!.body.toString(), bytes);
  const embedding = '{ "model":"index-72b", "input":"x" }';
  await post("/decorated/embeddings", embedding.replace("index-72b", "index"));
  assert.equal(engine.requests().at(-1)!.body.toString(), embedding);
});
