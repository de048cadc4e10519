import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ModelConfig } from "../config/snapshot.ts";
import type { CompiledModel } from "./engine.ts";
import { Policy } from "./policy.ts";
import { mayUse, modelInfo, Models, upstreamModelFor } from "./models.ts";

const compiled = (name: string): CompiledModel => ({ name }) as CompiledModel;

function tableOf(...configs: readonly { readonly name: string; readonly aliases?: readonly string[] }[]): Models {
  const models = new Models();
  for (const { name, aliases = [] } of configs) {
    models.add({ name, aliases } as unknown as ModelConfig, compiled(name));
  }
  return models;
}

describe("finding a model", () => {
  const models = tableOf(
    { name: "vendor/*" },
    { name: "vendor/fast-*" },
    { name: "vendor/fast-1", aliases: ["quick", "vendor/old"] },
    { name: "*" },
  );
  for (const [asked, found] of [
    ["vendor/fast-1", "vendor/fast-1"],
    ["quick", "vendor/fast-1"],
    ["vendor/old", "vendor/fast-1"],
    ["vendor/fast-12", "vendor/fast-*"],
    ["vendor/fast-", "vendor/fast-*"],
    ["vendor/slow", "vendor/*"],
    ["vendor/", "vendor/*"],
    ["vendor", "*"],
    ["__proto__", "*"],
    ["constructor", "*"],
  ] as const) {
    test(`${asked} is ${found}`, () => {
      assert.equal(models.find(asked)?.name, found);
    });
  }

  test("what nothing stands for is not found, whatever objects inherit", () => {
    const few = tableOf({ name: "a" }, { name: "b/*" });
    for (const asked of ["", "A", "a ", "b", "aa", "__proto__", "toString"]) {
      assert.equal(few.find(asked), undefined, asked);
    }
  });

  test("lists hold plain names, aliases too", () => {
    const all = tableOf({ name: "vendor/*", aliases: ["any"] }, { name: "fast", aliases: ["quick"] });
    assert.deepEqual(
      all.listed.map(({ name, model }) => [name, model.name]),
      [
        ["any", "vendor/*"],
        ["fast", "fast"],
        ["quick", "fast"],
      ],
    );
  });
});

test("`*` of an upstream model is what the client wrote there; an alias has no such part", () => {
  const pattern = compiled("vendor/*");
  for (const [upstream, model, asked, sent] of [
    ["gpt", pattern, "vendor/x", "gpt"],
    ["*", pattern, "vendor/x", "x"],
    ["*", pattern, "vendor/", ""],
    ["a-*-b", pattern, "vendor/$&", "a-$&-b"],
    ["*", pattern, "quick", "quick"],
    ["*", compiled("*"), "anything", "anything"],
  ] as const) {
    assert.equal(upstreamModelFor(upstream, model, asked), sent);
  }
});

function policyOf(consumer: readonly string[], key: readonly string[] | null): Policy {
  const grants = (models: readonly string[]) => models.map((model) => ({ model }));
  const content = { timeZone: "UTC", consumerLimits: undefined, keyLimits: undefined };
  const keyGrants = key === null ? undefined : grants(key);
  return new Policy({ ...content, consumerGrants: grants(consumer), keyGrants }, () => 0);
}

test("a grant covers a model by the name asked or by its own, and a key's must agree with its consumer's", () => {
  const model = compiled("vendor/*");
  for (const [consumer, key, asked, allowed] of [
    [["*"], null, "vendor/x", true],
    [["vendor/*"], null, "vendor/x", true],
    [["vendor/x"], null, "vendor/x", true],
    [["vendor/x"], null, "vendor/xy", false],
    [["vendor/x*"], null, "vendor/y", false],
    [[], null, "vendor/x", false],
    [["*"], ["vendor/y"], "vendor/x", false],
    [["vendor/y"], ["*"], "vendor/x", false],
    [["*"], [], "vendor/x", false],
    // granted with the model that it is an alias of
    [["vendor/*"], null, "quick", true],
    [["vendor/x"], null, "quick", false],
  ] as const) {
    assert.equal(mayUse(policyOf(consumer, key), model, asked), allowed, JSON.stringify([consumer, key, asked]));
  }
  assert.equal(mayUse(undefined, model, "vendor/x"), false);
});

test("an alias names its model to those who may use that as well", () => {
  const info = { id: "fast", created: 0, ownedBy: "vendor" };
  const model = { name: "fast", info } as CompiledModel;
  assert.deepEqual(modelInfo(model, "fast", policyOf(["*"], null)), info);
  assert.deepEqual(modelInfo(model, "quick", policyOf(["*"], null)), { ...info, id: "quick", aliasOf: "fast" });
  assert.deepEqual(modelInfo(model, "quick", policyOf(["quick"], null)), { ...info, id: "quick" });
  const pattern = { name: "vendor/*", info } as CompiledModel;
  assert.deepEqual(modelInfo(pattern, "quick", policyOf(["*"], null)), { ...info, id: "quick" });
});
