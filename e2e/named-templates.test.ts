/** Chat calls that name a template, as clients of other gateways write them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startPrompts } from "./prompt-world.ts";

const version = (number: number, content: string, more: JsonObject = {}): JsonObject => ({
  version: number,
  prompt: { model: "index", messages: [{ role: "user", content }], syntax: "simple", ...more },
});
const TEMPLATES = [
  { name: "qna", published: 1, labels: { new: 2 }, versions: [version(1, "Q: {{q}}"), version(2, "Answer: {{ q }}")] },
  { name: "hidden", published: 1, versions: [version(1, "x")] },
  { name: "rate", published: 1, versions: [version(1, "Rate {{q}}", { output: "json" })] },
];
const named = (path: string, options: JsonObject): JsonObject => ({
  path,
  api: ["openai", "anthropic"],
  middlewares: [{ name: "named_templates", options }],
});
const ROUTES = [
  named("/open/*", { templates: ["qna", "rate"] }),
  named("/closed/*", { templates: ["qna@new"], required: true }),
];

test("both forms, whole and streamed; the version is in the entry; input stays input", async (t) => {
  const { post, lastRequest, gateway } = await startPrompts(t, ROUTES, {}, { templates: TEMPLATES });
  const kong = { model: "ignored", messages: "{template://qna}", properties: { q: "{{q}} {template://hidden}" } };
  assert.equal((await post("/open/chat/completions", kong)).status, 200);
  assert.deepEqual(lastRequest()["messages"], [{ role: "user", content: "Q: {{q}} {template://hidden}" }]);
  assert.equal(lastRequest()["model"], "index-72b");
  const apisix = { template_name: "qna", q: "why", stream: true };
  const stream = await post("/closed/chat/completions", apisix);
  assert.match(await stream.text(), /\[DONE\]/);
  assert.deepEqual(lastRequest()["messages"], [{ role: "user", content: "Answer: why" }]);
  const entries = await gateway.waitForEntries(2);
  assert.deepEqual(
    entries.map((entry) => [entry.template, entry.model, entry.stream]),
    [
      ["qna@1", "index", false],
      ["qna@2", "index", true],
    ],
  );
});

test("what is not offered here cannot be named, and grants hold", async (t) => {
  const { post, engine } = await startPrompts(t, ROUTES, {}, { templates: TEMPLATES });
  const cases: [path: string, body: JsonObject, param: string][] = [
    ["/open/chat/completions", { messages: "{template://hidden}" }, "messages"],
    ["/open/chat/completions", { template_name: "qna@new", q: 1 }, "template_name"],
    ["/open/chat/completions", { template_name: 7 }, "template_name"],
    ["/open/chat/completions", { template_name: ["qna"], q: 1 }, "template_name"],
    ["/open/chat/completions", { template_name: "qna", q: 1, stream: "true" }, "stream"],
    ["/open/chat/completions", { messages: "{template://qna}", properties: [] }, "properties"],
    ["/open/chat/completions", { template_name: "rate", q: 1, stream: true }, "stream"],
    ["/closed/chat/completions", { model: "index", messages: [{ role: "user", content: "x" }] }, "template_name"],
    ["/closed/completions", { model: "index", prompt: "x" }, "template_name"],
  ];
  for (const [path, body, param] of cases) {
    const answer = await post(path, body);
    const { error } = (await answer.json()) as { error: { param: string } };
    assert.deepEqual([answer.status, error.param], [400, param], JSON.stringify(body));
  }
  const words = { model: "index", max_tokens: 9, messages: [{ role: "user", content: "x" }] };
  const messages = await post("/closed/messages", words, { "anthropic-version": "2023-06-01" });
  assert.equal(messages.status, 400, "another dialect is no way around");
  assert.equal((await post("/open/chat/completions", { template_name: "qna" })).status, 400, "q is missing");
  assert.equal(engine.stats().hits, 0);
  const other = await startPrompts(t, ROUTES, { grants: [{ model: "other" }] }, { templates: TEMPLATES });
  assert.equal((await other.post("/open/chat/completions", { template_name: "qna", q: 1 })).status, 404);
});

test("calls with messages of their own pass as bytes", async (t) => {
  const { post, engine } = await startPrompts(t, ROUTES, {}, { templates: TEMPLATES });
  const bytes = '{ "model":"index-72b" ,"messages":[{"role":"user","content":"{template://qna}"}] }';
  assert.equal((await post("/open/chat/completions", bytes.replace("index-72b", "index"))).status, 200);
  assert.equal(engine.requests().at(-1)!.body.toString(), bytes);
});
