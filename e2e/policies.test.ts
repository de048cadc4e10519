/** Every route × every policy: whatever way a model is asked for, the same grants and keys decide. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startSimulator } from "../src/simulate/simulator.ts";
import { startGateway, testKey } from "./harness.ts";

interface Way {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: (model: string) => JsonObject;
}

const MESSAGES = [{ role: "user", content: "hello" }];
const OPENAI_WAYS: readonly Way[] = [
  { method: "POST", path: "/chat/completions", body: (model) => ({ model, messages: MESSAGES }) },
  { method: "POST", path: "/chat/completions", body: (model) => ({ model, messages: MESSAGES, stream: true }) },
  { method: "POST", path: "/completions", body: (model) => ({ model, prompt: "hello" }) },
  { method: "POST", path: "/embeddings", body: (model) => ({ model, input: "hello" }) },
];
const ANTHROPIC_WAYS: readonly Way[] = [
  { method: "POST", path: "/messages", body: (model) => ({ model, max_tokens: 5, messages: MESSAGES }) },
  { method: "POST", path: "/messages", body: (model) => ({ model, max_tokens: 5, messages: MESSAGES, stream: true }) },
  { method: "POST", path: "/messages/count_tokens", body: (model) => ({ model, messages: MESSAGES }) },
];

/** All ways to name a model, under every mount of the default domain and with and without `/v1`. */
function waysOf(model: string): { method: string; path: string; body?: string }[] {
  const ways: { method: string; path: string; body?: string }[] = [];
  const mounts = [
    ["/v1", [...OPENAI_WAYS, ...ANTHROPIC_WAYS]],
    ["/openai/v1", OPENAI_WAYS],
    ["/openai", OPENAI_WAYS],
    ["/anthropic/v1", ANTHROPIC_WAYS],
    ["/anthropic", ANTHROPIC_WAYS],
  ] as const;
  for (const [mount, operations] of mounts) {
    for (const { method, path, body } of operations) {
      ways.push({ method, path: mount + path, body: JSON.stringify(body?.(model)) });
    }
    ways.push({ method: "GET", path: `${mount}/models/${encodeURIComponent(model)}` });
  }
  return ways;
}

test("no way of asking escapes keys, grants or domains (7)", async (t) => {
  const simulator = await startSimulator();
  t.after(() => simulator.close());
  const granted = testKey("granted");
  const narrow = testKey("narrow");
  const expired = testKey("expired");
  const elsewhere = testKey("elsewhere");
  const grants = [{ model: "open" }, { model: "family/*" }];
  const gateway = await startGateway(t, {
    config: {
      providers: [{ name: "engine", dialect: "openai", nodes: [`${simulator.url}/v1`] }],
      models: ["open", "closed", "family/*"].map((name) => ({
        name,
        aliases: name === "open" ? ["nickname"] : [],
        targets: [{ provider: "engine", model: "m" }],
        fallbacks: name === "open" ? ["closed"] : [],
      })),
      consumers: [
        {
          name: "team",
          grants,
          keys: [
            { name: "granted", hash: granted.hash },
            { name: "narrow", hash: narrow.hash, grants: [{ model: "family/a" }] },
            { name: "expired", hash: expired.hash, expiresAt: "2020-01-01T00:00:00Z" },
          ],
        },
        { name: "other", grants: [{ model: "*" }], keys: [{ name: "elsewhere", hash: elsewhere.hash }] },
      ],
      domains: [
        {
          host: "*",
          consumers: ["team"],
          routes: [
            { path: "/v1/*", api: ["openai", "anthropic"] },
            { path: "/openai/*", api: "openai" },
            { path: "/anthropic/*", api: "anthropic" },
          ],
        },
      ],
    },
  });
  const statuses = async (model: string, key: string | undefined): Promise<Set<number>> => {
    const found = new Set<number>();
    for (const { method, path, body } of waysOf(model)) {
      const answer = await fetch(gateway.url + path, {
        method,
        headers: { "content-type": "application/json", ...(key === undefined ? {} : { "x-api-key": key }) },
        ...(body === undefined ? {} : { body }),
      });
      await answer.arrayBuffer();
      found.add(answer.status);
    }
    return found;
  };
  for (const model of ["open", "nickname", "family/a"]) {
    assert.deepEqual(await statuses(model, granted.key), new Set([200]), model);
  }
  await simulator.waitFor(({ running }) => running === 0, 5_000);
  simulator.reset();
  const refused: [model: string, key: string | undefined, status: number][] = [
    ["closed", granted.key, 404],
    ["no-such", granted.key, 404],
    ["familyx", granted.key, 404],
    ["open", narrow.key, 404],
    ["nickname", narrow.key, 404],
    ["closed", narrow.key, 404],
    ["family/b", narrow.key, 404],
    ["open", expired.key, 401],
    ["open", elsewhere.key, 401],
    ["open", "sk-sluice-unknown", 401],
    ["open", undefined, 401],
  ];
  for (const [model, key, status] of refused) {
    assert.deepEqual(await statuses(model, key), new Set([status]), `${model} with ${key}`);
  }
  assert.equal(simulator.stats().hits, 0, "nothing that was refused reached the engine");

  simulator.setFault("status:500");
  const failed = await statuses("open", granted.key);
  assert.ok(!failed.has(404));
  const models = new Set((await gateway.waitForEntries(1)).map((entry) => entry.servedModel));
  assert.ok(!models.has("closed"), "a fallback that the key is not granted is not used");
});
