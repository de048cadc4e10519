import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean, nearest } from "./nearest.ts";

test("the nearest word is the one with the fewest edits, case aside", () => {
  const words = ["openai", "anthropic", "gateway", "drainTimeout", "maxBodyBytes"];
  const cases: [string, string | undefined][] = [
    ["opnai", "openai"],
    ["opneai", "openai"], // neighbours swapped: one edit
    ["OpenAI", "openai"],
    ["gatway", "gateway"],
    ["drain_timeout", "drainTimeout"],
    ["maxbodybytes", "maxBodyBytes"],
    ["zzz", undefined],
    ["", undefined],
    ["x".repeat(10_000), undefined],
  ];
  for (const [word, expected] of cases) {
    assert.equal(nearest(word, words), expected, word.slice(0, 20));
  }
});

test("of equally near words the first wins, and an exact one beats all", () => {
  assert.equal(nearest("b", ["a", "c"]), "a");
  assert.equal(nearest("model-2", ["model-1", "model-3", "model-2"]), "model-2");
});

test("without a near word the other remedy is given", () => {
  assert.equal(didYouMean("conect", ["connect"], "x"), 'Did you mean "connect"?');
  assert.equal(didYouMean("qqqq", ["connect"], "Look it up."), "Look it up.");
});
