import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { z } from "zod";
import { configJsonSchema } from "./json-schema.ts";
import type { JsonSchema } from "./json-schema.ts";
import { configReference } from "./reference.ts";
import { outlineSchema, rootSchema } from "./schema/root.ts";

function* keysOf(schema: JsonSchema, prefix = ""): Generator<{ path: string; schema: JsonSchema }> {
  for (const [key, value] of Object.entries(schema.properties ?? {})) {
    const path = `${prefix}${key}`;
    yield { path, schema: value };
    yield* keysOf(value, `${path}.`);
    yield* keysOf(value.items ?? {}, `${path}[].`);
  }
}

test("the JSON Schema closes every map, describes every key and knows the defaults", () => {
  const schema = configJsonSchema();
  assert.equal(schema.additionalProperties, false);
  const keys = [...keysOf(schema)];
  for (const { path, schema: value } of keys) {
    assert.ok((value.description ?? "").length > 3, `${path} has no description`);
    const map = value.items ?? value;
    assert.ok(map.properties === undefined || map.additionalProperties === false, `${path} is open`);
  }
  const find = (path: string): JsonSchema | undefined => keys.find((key) => key.path === path)?.schema;
  assert.equal(find("server.drainTimeout")?.default, "10m");
  assert.deepEqual(find("models[].balance.policy")?.enum, ["weighted", "round-robin"]);
  assert.deepEqual(schema.properties?.["providers"]?.items?.required, ["name", "dialect"]);
  assert.ok(keys.length > 60);
});

test("what editors accept is what is read: outline and whole document have the same keys", () => {
  assert.deepEqual(Object.keys(outlineSchema.shape), Object.keys(rootSchema.shape));
});

test("editors accept the published examples", () => {
  // zod reads JSON Schema back, so the generated schema itself is put to the test.
  const schema = z.fromJSONSchema(configJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);
  const accepted = {
    server: { listen: ":1", workers: "${WORKERS}", maxBodyBytes: "20MiB" },
    providers: [{ name: "p", dialect: "openai", baseUrl: "${URL}", credentials: [{ apiKey: "${KEY}", weight: 2 }] }],
    quotas: { mode: "hard", burst: "10s", timeZone: "Asia/Shanghai" },
    consumers: [
      {
        name: "c",
        limits: { rpm: 60, tpm: "${TPM}", monthly: { usd: 0.5 }, burst: "1s" },
        budgets: { monthly: { tokens: 1, usd: "${USD}" } },
        grants: [{ model: "m", rpm: 0, mode: "soft" }],
      },
    ],
    models: [{ name: "m", targets: [{ provider: "p", model: "x" }], retry: { attempts: 1, on: ["connect", 429] } }],
    domains: [
      {
        host: "*",
        routes: [
          { path: "/", api: "openai" },
          { path: "/x", api: ["openai", "anthropic"] },
        ],
      },
    ],
  };
  assert.equal(schema.safeParse(accepted).success, true, JSON.stringify(schema.safeParse(accepted).error?.issues));
  assert.equal(schema.safeParse({ ...accepted, gatway: "x" }).success, false);
  assert.equal(schema.safeParse({ server: { workers: "many" } }).success, false);
  assert.equal(schema.safeParse({ consumers: [{ name: "c", limits: { rpm: -1 } }] }).success, false);
  assert.equal(schema.safeParse({ consumers: [{ name: "c", limits: { monthly: { usd: "much" } } }] }).success, false);
});

test("the guide holds the reference of every key as the schema has it", () => {
  const guide = readFileSync(new URL("../../docs/configuration.md", import.meta.url), "utf8");
  const reference = configReference();
  assert.match(reference, /\| `models\[\]\.targets\[\]\.provider` \| string \| required \|/);
  assert.ok(
    guide.includes(reference),
    "docs/configuration.md is behind the schema: replace its table by the output of `sluice schema --markdown`",
  );
});
