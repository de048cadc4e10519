/** Keys: every way to send one, what is no key, and that neither words nor time tell what exists. */
import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import test, { after, before, beforeEach } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import type { JsonObject } from "../src/lib/json.ts";
import { assertNoSecrets, Cleanups, testKey } from "./harness.ts";
import { chatBody, errorCode, exchange, get } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

const team = testKey("team");
const narrow = testKey("narrow");
const expired = testKey("expired");
const soon = testKey("soon");
const stranger = testKey("stranger");
/** How long `soon` still lives when the gateway starts. */
const SOON_MS = 4_000;

let world: World;
let expiresAt = 0;
const cleanups = new Cleanups();
before(async () => {
  const target = (model: string): JsonObject[] => [{ provider: "openai", model }];
  expiresAt = Date.now() + SOON_MS;
  world = await startWorld(cleanups, {
    config: {
      server: { maxHeaderBytes: "1MiB" },
      models: [
        { name: MODELS.openai, aliases: ["nickname"], targets: target("gpt-5.1") },
        { name: "secret-model", targets: target("gpt-5.1") },
        { name: "vendor/*", targets: target("*") },
        { name: "other-vendor/*", targets: target("*") },
        { name: "vendor/special", targets: target("gpt-5.1") },
      ],
      consumers: [
        {
          name: "team",
          grants: [{ model: MODELS.openai }, { model: "vendor/*" }],
          keys: [
            { name: "team", hash: team.hash },
            { name: "narrow", hash: narrow.hash, grants: [{ model: "vendor/special" }] },
            { name: "expired", hash: expired.hash, expiresAt: "2024-01-01T00:00:00Z" },
            { name: "soon", hash: soon.hash, expiresAt: new Date(expiresAt).toISOString() },
          ],
        },
        { name: "strangers", grants: [{ model: "*" }], keys: [{ name: "stranger", hash: stranger.hash }] },
        {
          name: "many",
          keys: Array.from({ length: 2_000 }, (_, index) => ({
            name: `key-${index}`,
            hash: testKey(`many-${index}`).hash,
          })),
        },
      ],
      domains: [
        { host: "strangers.example.com", consumers: ["strangers"], routes: [{ path: "/v1/*", api: "openai" }] },
        { host: "*", consumers: ["team", "many"], routes: [{ path: "/v1/*", api: ["openai", "anthropic"] }] },
      ],
    },
  });
});
beforeEach(() => {
  world.simulators.openai.reset();
});
after(async () => {
  await cleanups.run();
});

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly text: string;
}

async function chat(headers: Readonly<Record<string, string>>, model: string = MODELS.openai): Promise<Answer> {
  const answer = await fetch(`${world.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: chatBody(model),
  });
  const text = await answer.text();
  assertNoSecrets("an answer", text);
  return { status: answer.status, code: errorCode(text), text };
}

/** `GET /v1/models`, or one model, at a host. */
async function models(key: string, path = "", host = "localhost"): Promise<{ status: number; body: string }> {
  const headers = [`authorization: Bearer ${key}`, "connection: close"];
  const request = get(`/v1/models${path}`, headers).replace("host: localhost", `host: ${host}`);
  const { answers } = await exchange(world.gateway, request);
  return { status: answers[0]?.status ?? 0, body: answers[0]?.body ?? "" };
}

async function listed(key: string): Promise<string[]> {
  const { body } = await models(key);
  return (JSON.parse(body) as { data: { id: string }[] }).data.map(({ id }) => id);
}

test("a key may come in any of the vendors' headers", async () => {
  const { key } = team;
  for (const headers of [
    { authorization: `Bearer ${key}` },
    { authorization: `bearer ${key}` },
    { authorization: `BEARER   ${key}` },
    { "x-api-key": key },
    { "api-key": key },
    { "x-goog-api-key": key },
    { authorization: "Basic dXNlcjpwYXNz", "x-api-key": key },
  ] as Record<string, string>[]) {
    assert.equal((await chat(headers)).status, 200, JSON.stringify(Object.keys(headers)));
  }
});

test("what is no key is 401 and reaches nothing", async () => {
  const { key } = team;
  const cases: [headers: Record<string, string>, code: string][] = [
    [{}, "missing_api_key"],
    [{ authorization: "" }, "missing_api_key"],
    [{ authorization: "Bearer" }, "missing_api_key"],
    [{ authorization: "Bearer " }, "missing_api_key"],
    [{ authorization: `Basic ${key}` }, "missing_api_key"],
    [{ authorization: key }, "missing_api_key"],
    [{ "x-api-key": "" }, "missing_api_key"],
    [{ cookie: `key=${key}` }, "missing_api_key"],
    [{ authorization: "Bearer ' OR '1'='1" }, "invalid_api_key"],
    [{ authorization: 'Bearer "; DROP TABLE keys; --' }, "invalid_api_key"],
    [{ authorization: "Bearer ${OPENAI_API_KEY}" }, "invalid_api_key"],
    [{ authorization: "Bearer *" }, "invalid_api_key"],
    [{ authorization: "Bearer __proto__" }, "invalid_api_key"],
    [{ authorization: `Bearer ${key}x` }, "invalid_api_key"],
    [{ authorization: `Bearer ${key.slice(0, -1)}` }, "invalid_api_key"],
    [{ authorization: `Bearer ${key.toUpperCase()}` }, "invalid_api_key"],
    [{ authorization: `Bearer Bearer ${key}` }, "invalid_api_key"],
    [{ authorization: `Bearer ${team.hash}` }, "invalid_api_key"],
    [{ authorization: `Bearer ${team.hash.slice(7)}` }, "invalid_api_key"],
    [{ authorization: `Bearer ${"k".repeat(1_000_000)}` }, "invalid_api_key"],
    [{ authorization: "Bearer wrong", "x-api-key": key }, "invalid_api_key"],
    [{ authorization: `Bearer ${expired.key}` }, "expired_api_key"],
    [{ authorization: `Bearer ${stranger.key}` }, "invalid_api_key"],
    [{ "x-api-key": "\u00e9\u00ff" }, "invalid_api_key"],
  ];
  for (const [headers, code] of cases) {
    const answer = await chat(headers);
    assert.deepEqual([answer.status, answer.code], [401, code], JSON.stringify(headers).slice(0, 100));
  }
  assert.equal(world.simulators.openai.stats().hits, 0);
});

test("a query or a user name in the URL is no way to send a key", async () => {
  for (const path of [`/v1/models?key=${team.key}`, `/v1/models?api_key=${team.key}`]) {
    const answer = await fetch(world.gateway.url + path);
    assert.equal(answer.status, 401);
    assert.equal(errorCode(await answer.text()), "missing_api_key");
  }
});

test("refusals of unknown keys, and of those of another domain, are the same byte for byte", async () => {
  const unknown = await chat({ authorization: "Bearer sk-sluice-unknown" });
  assert.deepEqual(await chat({ authorization: `Bearer ${stranger.key}` }), unknown);
  assert.equal((await models(stranger.key, "", "strangers.example.com")).status, 200);
  assert.equal((await models(team.key, "", "strangers.example.com")).status, 401);
  // a target that is a whole URL names the host, whatever the header says
  for (const [key, host, status] of [
    [stranger.key, "strangers.example.com", 200],
    [team.key, "strangers.example.com", 401],
    [team.key, "x", 200],
  ] as const) {
    const request = get(`http://${host}/v1/models`, [`authorization: Bearer ${key}`, "connection: close"]);
    assert.equal((await exchange(world.gateway, request)).answers[0]?.status, status, host);
  }
});

test("a model that is not granted is refused as one that does not exist, byte for byte but for its name", async () => {
  const key = { authorization: `Bearer ${team.key}` };
  const names = ["secret-model", "other-vendor/x", "other-vendor/*", "vendor", "no-such-model", "NICKNAME"];
  const answers = await Promise.all(names.map((name) => chat(key, name)));
  const [first] = answers;
  for (const [index, { status, text }] of answers.entries()) {
    assert.equal(status, 404);
    assert.equal(text, first!.text.replaceAll(names[0]!, names[index]!));
  }
  const single = await Promise.all(["secret-model", "no-such-model"].map((name) => models(team.key, `/${name}`)));
  assert.equal(single[1]?.body, single[0]?.body.replaceAll("secret-model", "no-such-model"));
  assert.deepEqual(
    single.map(({ status }) => status),
    [404, 404],
  );
  assert.equal(world.simulators.openai.stats().hits, 0);
});

test("the list has just what the key may use", async () => {
  assert.deepEqual(await listed(team.key), [MODELS.openai, "nickname", "vendor/special"]);
  // narrower than its consumer, never wider
  assert.deepEqual(await listed(narrow.key), ["vendor/special"]);
  assert.deepEqual(await listed(testKey("many-7").key), []);
  for (const [path, status] of [
    [`/${MODELS.openai}`, 200],
    ["/vendor/special", 200],
    ["/vendor/anything", 200],
    ["/nickname", 200],
    ["/secret-model", 404],
    ["/%ff", 404],
    ["/%E0%A4%A", 404],
    ["/__proto__", 404],
    ["/constructor", 404],
  ] as const) {
    assert.equal((await models(team.key, path)).status, status, path);
  }
});

test("aliases are listed, and say what they stand for, and the SDKs take them as models", async () => {
  const openai = new OpenAI({ baseURL: `${world.gateway.url}/v1`, apiKey: team.key });
  const anthropic = new Anthropic({ baseURL: world.gateway.url, apiKey: team.key });
  const alias = { id: "nickname", alias_of: MODELS.openai };
  for (const { models: list } of [openai, anthropic]) {
    const all = (await list.list()).data;
    assert.deepEqual(
      all.map((model) => "alias_of" in model),
      [false, true, false],
    );
    assert.partialDeepStrictEqual(all[1], alias);
    assert.partialDeepStrictEqual(await list.retrieve("nickname"), alias);
  }
});

test("aliases and patterns are served by their models", async () => {
  const key = { authorization: `Bearer ${team.key}` };
  for (const [asked, upstream] of [
    ["nickname", "gpt-5.1"],
    ["vendor/special", "gpt-5.1"],
    ["vendor/gpt-4o", "gpt-4o"],
  ] as const) {
    world.simulators.openai.reset();
    assert.equal((await chat(key, asked)).status, 200, asked);
    const [request] = world.simulators.openai.requests();
    assert.equal((JSON.parse(request?.body.toString() ?? "{}") as JsonObject)["model"], upstream);
  }
  assert.equal((await chat({ authorization: `Bearer ${narrow.key}` }, "vendor/special")).status, 200);
  assert.equal((await chat({ authorization: `Bearer ${narrow.key}` }, "vendor/gpt-4o")).status, 404);
  assert.equal((await chat({ authorization: `Bearer ${narrow.key}` }, "secret-model")).status, 404);
});

/** Milliseconds of one `GET /v1/models` on a kept connection. */
async function timeOf(key: string): Promise<number> {
  const startedAt = performance.now();
  await new Promise<void>((resolve, reject) => {
    const request = httpRequest(`${world.gateway.url}/v1/models`, {
      headers: { authorization: `Bearer ${key}` },
    });
    request.on("response", (response) => response.resume().on("end", resolve));
    request.on("error", reject).end();
  });
  return performance.now() - startedAt;
}

test("unknown keys take as long as known ones", async () => {
  const keys = {
    known: testKey("many-1").key,
    unknown: testKey("never issued").key,
    near: `${testKey("many-1").key.slice(0, -1)}~`,
    long: "k".repeat(500),
  };
  const times: Record<string, number[]> = { known: [], unknown: [], near: [], long: [] };
  for (let round = 0; round < 300; round++) {
    for (const [name, key] of Object.entries(keys)) times[name]!.push(await timeOf(key));
  }
  const medians = Object.entries(times).map(([, samples]) => samples.toSorted((a, b) => a - b)[150] ?? 0);
  const [shortest, longest] = [Math.min(...medians), Math.max(...medians)];
  assert.ok(longest < shortest * 2 + 0.2, `medians in ms: ${medians.map((ms) => ms.toFixed(3)).join(", ")}`);
});

test("a key ends at its time, without a reload", async () => {
  const key = { authorization: `Bearer ${soon.key}` };
  const wait = expiresAt - Date.now();
  if (wait > 500) assert.equal((await chat(key)).status, 200);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, expiresAt - Date.now() + 20)));
  assert.deepEqual([(await chat(key)).status, (await chat(key)).code], [401, "expired_api_key"]);
});
