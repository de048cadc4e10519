import assert from "node:assert/strict";
import { test } from "node:test";
import { grantSetName, GrantSets } from "./grants.ts";

const grants = (...models: string[]): { model: string }[] => models.map((model) => ({ model }));
const setOf = (consumer: { model: string }[], key?: { model: string }[]) =>
  new GrantSets().get(1, () => grantSetName(consumer, key));

test("names, prefixes and `*` grant models", () => {
  const set = setOf(grants("index", "openai/*"));
  assert.deepEqual(
    ["index", "index-2", "openai/gpt-4o", "openai", ""].map((model) => set.allows(model)),
    [true, false, true, false, false],
  );
  assert.equal(setOf(grants("*")).allows("anything"), true);
  assert.equal(setOf([]).allows("index"), false);
});

test("a key narrows its consumer's grants and never widens them", () => {
  const narrower = setOf(grants("index", "other"), grants("index"));
  assert.deepEqual([narrower.allows("index"), narrower.allows("other")], [true, false]);
  assert.equal(setOf(grants("index"), grants("*")).allows("other"), false);
  assert.equal(setOf(grants("*"), []).allows("index"), false);
});

test("the same grants have one name, whatever their order", () => {
  assert.equal(grantSetName(grants("a", "b"), undefined), grantSetName(grants("b", "a"), undefined));
  assert.notEqual(grantSetName(grants("a"), undefined), grantSetName(grants("a"), grants("a")));
});
