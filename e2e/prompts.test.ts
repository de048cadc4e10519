/** Prompts behind routes: a business sends plain JSON, and gets the model's answer by every rule of the gateway. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import type { JsonObject } from "../src/lib/json.ts";
import { testKey } from "./harness.ts";
import { startPrompts as start } from "./prompt-world.ts";

/** The published form, as it was published. */
const SEED = parse(readFileSync(join(import.meta.dirname, "fixtures/seed-chat-template.yaml"), "utf8")) as JsonObject[];
const PROMPT_ROUTE: JsonObject = {
  path: "/v1/summaries",
  middlewares: [
    {
      name: "prompt_template",
      options: {
        model: "index",
        messages: [
          { role: "system", content: "You sum up for {{ .audience }}." },
          { role: "user", content: "Example" },
          { role: "assistant", content: "Short." },
          { role: "user", content: "{{ range $i, $text := .texts }}{{ if $i }}\n{{ end }}{{ $text }}{{ end }}" },
        ],
        parameters: { temperature: 0.25, max_tokens: 64 },
        defaults: { audience: "everybody" },
      },
    },
  ],
};

test("the published form loads as it stands and sends the right prompt", async (t) => {
  const { post, gateway, lastRequest } = await start(t, SEED);
  const answer = await post("/v1/reply-to-en", { reply_list: ["你好", "{dyn:1}"] });
  assert.equal(answer.status, 200);
  assert.equal(((await answer.json()) as JsonObject)["object"], "chat.completion");
  const sent = lastRequest();
  assert.equal(sent["model"], "index-72b", "the user model of that name, since it has a target there");
  const [message] = sent["messages"] as JsonObject[];
  const content = String(message!["content"]);
  assert.match(content, /一共有2个文本/);
  assert.match(content, /输入: \{"1":"你好","2":"\{dyn:1\}"\}\n/);
  const [entry] = await gateway.waitForEntries(1);
  assert.deepEqual(
    [entry!.route, entry!.operation, entry!.model, entry!.consumer, entry!.outcome],
    ["/v1/reply-to-en", "chat", "index", "search", "ok"],
  );
  assert.ok(entry!.promptTokens > 50);
});

test("a provider's model that no user model stands for is granted, limited and recorded as provider/model", async (t) => {
  const [seed] = structuredClone(SEED);
  const [middleware] = seed!["middlewares"] as JsonObject[];
  (middleware!["options"] as JsonObject)["model_name"] = "other";
  const grants = [{ model: "bilibili/other", rpm: 2 }];
  const { post, gateway } = await start(t, [seed!], { grants });
  const statuses: number[] = [];
  for (let count = 0; count < 3; count++) statuses.push((await post("/v1/reply-to-en", { reply_list: [] })).status);
  assert.deepEqual(statuses, [200, 200, 429]);
  const entries = await gateway.waitForEntries(3);
  assert.deepEqual(new Set(entries.map(({ model }) => model)), new Set(["bilibili/other"]));
  const { post: postElsewhere } = await start(t, [seed!], { grants: [{ model: "index" }] });
  const refused = await postElsewhere("/v1/reply-to-en", { reply_list: [] });
  assert.equal(refused.status, 404, "no side route goes past grants");
  const wrong = await postElsewhere("/v1/reply-to-en", {});
  assert.equal(wrong.status, 404, "nor tells what the prompt takes");
});

test("messages, parameters and defaults make the request; input is data and no template", async (t) => {
  const { post, lastRequest } = await start(t, [PROMPT_ROUTE]);
  const texts = ["one {{ .secret }}", 'two "quoted" \\ 你'];
  assert.equal((await post("/v1/summaries", { texts })).status, 200);
  const { messages, temperature, max_tokens: maxTokens } = lastRequest();
  assert.deepEqual(messages, [
    { role: "system", content: "You sum up for everybody." },
    { role: "user", content: "Example" },
    { role: "assistant", content: "Short." },
    { role: "user", content: texts.join("\n") },
  ]);
  assert.deepEqual([temperature, maxTokens], [0.25, 64]);
  await post("/v1/summaries", { texts, audience: "children", model: "another", stream: true });
  assert.equal(lastRequest()["model"], "index-72b", "input is no parameter");
  assert.equal(lastRequest()["stream"], undefined);
});

test("input that does not satisfy the route's schema is a 400 that names the field; defaults are filled in", async (t) => {
  const route = structuredClone(PROMPT_ROUTE);
  const options = (route["middlewares"] as JsonObject[])[0]!["options"] as JsonObject;
  options["defaults"] = {};
  options["input"] = {
    type: "object",
    required: ["texts"],
    additionalProperties: false,
    properties: {
      texts: { type: "array", items: { type: "string" }, minItems: 1 },
      audience: { type: "string", default: "friends", pattern: "^(a|a)*$|(e+)+n?d*s?$" },
    },
  };
  const { post, engine, lastRequest } = await start(t, [route]);
  const cases: [body: unknown, param: string][] = [
    [{}, "texts"],
    [{ texts: ["a", 7] }, "texts[1]"],
    [{ texts: [] }, "texts"],
    [{ texts: ["a"], colour: "red" }, "colour"],
    [{ texts: ["a"], audience: ["x"] }, "audience"],
    [{ texts: ["a"], audience: `${"a".repeat(100_000)}!` }, "audience"],
    [{ texts: ["a"], audience: `${"a".repeat(1_000_000)}!` }, "(input)"],
  ];
  for (const [body, param] of cases) {
    const answer = await post("/v1/summaries", body);
    assert.equal(answer.status, 400);
    assert.equal((((await answer.json()) as JsonObject)["error"] as JsonObject)["param"], param);
  }
  assert.equal(engine.stats().hits, 0);
  assert.equal((await post("/v1/summaries", { texts: ["a"] })).status, 200);
  assert.deepEqual((lastRequest()["messages"] as JsonObject[])[0], {
    role: "system",
    content: "You sum up for friends.",
  });
});

test("a schema holds in full: without a type, for names it only requires, beside a reference", async (t) => {
  const route = (path: string, input: JsonObject): JsonObject => {
    const changed = structuredClone(PROMPT_ROUTE);
    const options = (changed["middlewares"] as JsonObject[])[0]!["options"] as JsonObject;
    options["input"] = input;
    return { ...changed, path };
  };
  const { post } = await start(t, [
    route("/v1/untyped", { required: ["texts"], properties: { texts: { type: "array" } } }),
    route("/v1/only-required", { type: "object", required: ["user"] }),
    route("/v1/reference", { $defs: { all: { type: "object" } }, $ref: "#/$defs/all", maxProperties: 1 }),
    route("/v1/both", { properties: { a: { default: 1 } }, allOf: [{ properties: { a: { default: 2 } } }] }),
  ]);
  const cases: [path: string, body: JsonObject, status: number][] = [
    ["/v1/untyped", { texts: "no list" }, 400],
    ["/v1/untyped", { texts: ["a"] }, 200],
    ["/v1/only-required", { texts: [] }, 400],
    ["/v1/only-required", { texts: [], user: "ann" }, 200],
    ["/v1/reference", { texts: [], user: "ann" }, 400],
    ["/v1/both", { texts: [] }, 200],
  ];
  for (const [path, body, status] of cases) {
    const answer = await post(path, body);
    assert.equal(answer.status, status, `${path} ${JSON.stringify(body)}: ${await answer.text()}`);
  }
});

test("an id of 64 bits is in the prompt as it was sent; a long list of unknown names is not sent back", async (t) => {
  const echo = structuredClone(PROMPT_ROUTE);
  const options = (echo["middlewares"] as JsonObject[])[0]!["options"] as JsonObject;
  options["defaults"] = {};
  options["messages"] = [{ role: "user", content: "{{ .id }} {{ jsonify .list }}" }];
  options["input"] = { properties: { id: { type: "integer" }, list: {} }, additionalProperties: false };
  const { post, lastRequest } = await start(t, [echo]);
  await post("/v1/summaries", '{"id":9007199254740993,"list":[-9007199254740993]}');
  assert.deepEqual(lastRequest()["messages"], [{ role: "user", content: "9007199254740993 [-9007199254740993]" }]);
  const names = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`${"x".repeat(200)}${index}`, 1]));
  const refused = await post("/v1/summaries", names);
  assert.equal(refused.status, 400);
  assert.ok((await refused.text()).length < 2_000);
});

test("who accepts an event stream gets one, as does who asks for it in the query, which decides", async (t) => {
  const { post } = await start(t, [PROMPT_ROUTE]);
  const events = { accept: "text/event-stream" };
  const cases: [query: string, headers: Record<string, string>, isStream: boolean][] = [
    ["", events, true],
    ["?stream=true", {}, true],
    ["?a=b&stream=true&", { accept: "application/json" }, true],
    ["?stream=false", events, false],
    ["?upstream=true", {}, false],
    ["?", {}, false],
  ];
  for (const [query, headers, isStream] of cases) {
    const answer = await post(`/v1/summaries${query}`, { texts: ["a"] }, headers);
    const type = isStream ? /^text\/event-stream/ : /^application\/json/;
    assert.match(answer.headers.get("content-type")!, type, query);
    const text = await answer.text();
    assert.equal(/^data: \{.*\n\ndata: \[DONE\]\n\n$/s.test(text), isStream, query);
  }
  const wrong = await post("/v1/summaries?stream=yes", { texts: ["a"] });
  assert.equal(wrong.status, 400);
  assert.equal(((await wrong.json()) as { error: { param: string } }).error.param, "stream");
});

test("bad input is refused before anything is sent, and the error names what is wrong", async (t) => {
  const { post, engine, gateway } = await start(t, [...SEED, PROMPT_ROUTE]);
  const cases: [path: string, body: unknown, status: number, message: RegExp][] = [
    ["/v1/reply-to-en", {}, 400, /reply_list/],
    ["/v1/reply-to-en", { reply_list: 7 }, 400, /prompt_template:1:/],
    ["/v1/reply-to-en", [], 400, /object/],
    ["/v1/reply-to-en", "{", 400, /not valid JSON/],
    ["/v1/summaries", { texts: "no list" }, 400, /messages\[3\].*range/s],
    ["/v1/summaries", { texts: null, audience: undefined }, 200, /./],
  ];
  for (const [path, body, status, message] of cases) {
    const answer = await post(path, body);
    const text = await answer.text();
    assert.equal(answer.status, status, `${path} ${JSON.stringify(body)}: ${text}`);
    assert.match(text, message);
  }
  const long = await post("/v1/summaries", { texts: Array.from({ length: 300_000 }, () => "xxxxxxxxxxxxxxxx") });
  assert.equal(long.status, 400);
  assert.match(await long.text(), /limit|longer/);
  assert.equal((await fetch(`${gateway.url}/v1/summaries`, { method: "POST", body: "{}" })).status, 401);
  const get = await post("/v1/reply-to-en", "", {}).then(() => fetch(`${gateway.url}/v1/reply-to-en`));
  assert.equal(get.status, 401, "before anything else, who calls");
  assert.equal(engine.stats().hits, 1);
});

test("a broken template, two answers on one route and an unknown provider refuse the configuration, with the place", async (t) => {
  const { gateway, engine } = await start(t, [PROMPT_ROUTE]);
  const { hash } = testKey("prompts");
  const broken = (routes: JsonObject[]): JsonObject => ({
    providers: [{ name: "bilibili", dialect: "openai", nodes: [`${engine.url}/v1`] }],
    models: [{ name: "index", targets: [{ provider: "bilibili", model: "index-72b" }] }],
    consumers: [{ name: "search", grants: [{ model: "*" }], keys: [{ name: "prod", hash }] }],
    domains: [{ host: "*", routes }],
  });
  const template = (text: string, provider = "bilibili"): JsonObject => ({
    path: "/v1/x",
    middlewares: [{ name: "v1_chat_template", options: { provider, model_name: "m", prompt_template: text } }],
  });
  const badSchema = structuredClone(PROMPT_ROUTE);
  ((badSchema["middlewares"] as JsonObject[])[0]!["options"] as JsonObject)["input"] = { type: "nonsense" };
  const cases: [routes: JsonObject[], message: RegExp][] = [
    [[badSchema], /options\.input.*no JSON Schema that can be used/s],
    [[template("line one\n{{ if .a }}")], /prompt_template.*template:2: unexpected EOF/s],
    [[{ ...template("a"), api: "openai" }], /middlewares\[0\].*answers where something else does/],
    [[template("a", "nobody")], /options\.provider: there is no provider .*nobody/],
  ];
  for (const [routes, message] of cases) {
    await gateway.configure(broken(routes));
    const deadline = performance.now() + 5_000;
    while (!message.test(gateway.log()) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.match(gateway.log(), message);
  }
});
