import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelConfig, Snapshot } from "../config/snapshot.ts";
import { implicitModels, userModelOf } from "./prompt-models.ts";

const model = (name: string, provider: string, aliases: string[] = []): ModelConfig => ({
  name,
  aliases,
  targets: [{ provider, model: "m", weight: 1, priority: 0, filters: [] }],
  balance: { policy: "weighted" },
  retry: { attempts: 0, on: [] },
  fallbacks: [],
});

function snapshotOf(models: ModelConfig[], ...prompts: [provider: string, model: string][]): Snapshot {
  const middlewares = prompts.map(([provider, name]) => ({
    name: "v1_chat_template",
    options: { provider, model_name: name, prompt_template: "x" },
  }));
  return { models, domains: [{ host: "*", routes: [{ path: "/x", middlewares }] }] } as unknown as Snapshot;
}

test("a model of the provider is made up once, where no user model of its name has a target there", () => {
  const snapshot = snapshotOf([model("index", "bili")], ["bili", "index"], ["other", "index"], ["other", "index"]);
  assert.deepEqual(
    implicitModels(snapshot).map(({ name, targets }) => [name, targets[0]!.provider, targets[0]!.model]),
    [["other/index", "other", "index"]],
  );
  assert.equal(userModelOf("bili", "index", snapshot), "index");
  assert.equal(userModelOf("other", "index", snapshot), "other/index");
});

test("a name that the configuration gives a meaning keeps it: as a name, an alias, or by its beginning", () => {
  const made = (...models: ModelConfig[]): string[] =>
    implicitModels(snapshotOf(models, ["bili", "index"])).map(({ name }) => name);
  for (const own of [model("bili/index", "x"), model("a", "x", ["bili/index"]), model("bili/*", "bili")]) {
    assert.deepEqual(made(own), [], own.name);
  }
  assert.deepEqual(made(model("*", "x")), ["bili/index"], "a prompt goes to the provider that it names");
  assert.deepEqual(made(model("*", "bili"), model("bili/*", "x")), ["bili/index"], "the longest beginning counts");
});
