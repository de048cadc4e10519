import assert from "node:assert/strict";
import { test } from "node:test";
import { WeightedRoundRobin } from "./weighted-round-robin.ts";

const candidate = (name: string, weight: number) => ({ name, weight, nodeId: 0, credentialId: 0 });

test("each candidate gets its share, as evenly as possible", () => {
  const balancer = new WeightedRoundRobin([candidate("a", 5), candidate("b", 1), candidate("c", 1)]);
  const picks = Array.from({ length: 14 }, () => balancer.pick(() => true)?.name).join("");
  assert.equal(picks, "aabacaaaabacaa");
});

test("what is not usable is passed over, and nothing usable is undefined", () => {
  const balancer = new WeightedRoundRobin([candidate("a", 1), candidate("b", 1)]);
  assert.equal(balancer.pick(({ name }) => name === "b")?.name, "b");
  assert.equal(
    balancer.pick(() => false),
    undefined,
  );
  assert.equal(
    new WeightedRoundRobin([]).pick(() => true),
    undefined,
  );
});
