import assert from "node:assert/strict";
import test from "node:test";
import { signThinking, verifyThinking } from "./anthropic/signature.ts";
import { SimulatedEngine } from "./engine.ts";
import { FaultRules, FaultSyntaxError, parseFaultRule } from "./faults.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { countTokens, cutTokens, lorem } from "./tokens.ts";

test("tokens are four characters, never half a character", () => {
  const text = `abc😀😀 ${"é".repeat(5)}`;
  const tokens = cutTokens(text);
  assert.equal(tokens.join(""), text);
  for (const token of tokens) assert.equal(Buffer.from(token).toString(), token);
  assert.equal(cutTokens(lorem(37)).length, 37);
  assert.equal(countTokens(lorem(37)), 37);
});

test("the prefix cache finds whole blocks of the same beginning", () => {
  const cache = new PrefixCache(1000);
  const base = lorem(200);
  assert.equal(cache.use("m", base), 0);
  assert.equal(cache.use("m", `${base} and more`), 192);
  assert.equal(cache.use("other model", base), 0);
  assert.equal(cache.use("m", `x${base}`), 0);
  assert.equal(cache.use("m", lorem(64)), 0, "the last token is always computed");
});

test("the prefix cache forgets what was not used longest", () => {
  const cache = new PrefixCache(4);
  const first = `1${lorem(150)}`;
  const second = `2${lorem(150)}`;
  cache.use("m", first);
  cache.use("m", second);
  cache.use("m", first);
  cache.use("m", `3${lorem(150)}`);
  assert.equal(cache.use("m", first), 128);
  assert.equal(cache.use("m", second), 0);
});

test("the engine runs so many at once, in order of arrival", () => {
  const engine = new SimulatedEngine({
    prefillTokensPerSecond: 1000,
    decodeMs: 10,
    decodeLoadMs: 1,
    concurrency: 2,
    queueLimit: 1,
  });
  const started: string[] = [];
  const a = engine.enter(() => started.push("a"));
  engine.enter(() => started.push("b"));
  assert.equal(engine.tokenMs(), 11);
  assert.equal(engine.isFull, false);
  const c = engine.enter(() => started.push("c"));
  assert.equal(engine.isFull, true);
  assert.deepEqual(started, ["a", "b"]);
  a.leave();
  a.leave();
  assert.deepEqual(started, ["a", "b", "c"]);
  c.leave();
  assert.equal(engine.running, 1);
  assert.equal(engine.prefillMs(500), 500);
});

test("a fault is written name:value,option=value", () => {
  assert.deepEqual(parseFaultRule("status:429,retry-after=2,times=3,key=sk-a"), {
    fault: { name: "status", value: "429", retryAfter: "2" },
    times: 3,
    key: "sk-a",
  });
  for (const wrong of ["stats:500", "status:500,time=1", "status:500,times=x", ""]) {
    assert.throws(() => parseFaultRule(wrong), FaultSyntaxError, wrong);
  }
});

test("fault rules are counted and matched", () => {
  const rules = new FaultRules();
  rules.set([parseFaultRule("close,times=2,model=a"), parseFaultRule("reset,every=3")]);
  const of = (model: string): string | undefined => rules.take({ key: "k", model, path: "/" })?.name;
  assert.deepEqual([of("a"), of("b"), of("a"), of("a"), of("a")], ["close", undefined, "close", undefined, "reset"]);
});

test("a signature holds for the very same bytes only", () => {
  const signature = signThinking("thought é");
  assert.equal(verifyThinking("thought é", signature), true);
  assert.equal(verifyThinking("thought e", signature), false);
  assert.equal(verifyThinking("thought é", `${signature}=`), false);
  assert.equal(verifyThinking("thought é", `A${signature.slice(1)}`), false);
});
