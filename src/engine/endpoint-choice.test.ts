import assert from "node:assert/strict";
import { test } from "node:test";
import { Cooldowns, createCooldownsMemory } from "../balancing/cooldowns.ts";
import { WeightedRoundRobin } from "../balancing/weighted-round-robin.ts";
import { EndpointChoice, type ServingModel } from "./endpoint-choice.ts";
import type { CompiledModel, Endpoint } from "./engine.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";

/** An endpoint on the node of this id, with a credential of ten times that. */
function endpoint(nodeId: number): Endpoint {
  return { weight: 1, nodeId, credentialId: nodeId * 10 } as Endpoint;
}

/** A model with the endpoints of each priority. */
function serving(name: string, ...priorities: readonly (readonly number[])[]): ServingModel {
  const groups = priorities.map((nodes) => new WeightedRoundRobin(nodes.map(endpoint)));
  return { name, model: { name, priorities: groups } as unknown as CompiledModel };
}

function choices(choice: EndpointChoice, count: number): (string | undefined)[] {
  return Array.from({ length: count }, () => {
    const next = choice.next();
    return next && `${next.name} ${next.endpoint.nodeId}${next.again ? " again" : ""}`;
  });
}

const cooldowns = (): Cooldowns => new Cooldowns(createCooldownsMemory());

test("priorities, then fallbacks, then the same again", () => {
  const choice = new EndpointChoice([serving("a", [1, 2], [3]), serving("b", [4])], cooldowns());
  assert.deepEqual(choices(choice, 6), ["a 1", "a 2", "a 3", "b 4", "a 2 again", "a 1 again"]);
});

test("what rests is passed over, by node and by credential, and may be waited for", () => {
  const rests = cooldowns();
  rests.rest(1, 60_000, sharedNowMs());
  rests.rest(20, 30_000, sharedNowMs());
  const choice = new EndpointChoice([serving("a", [1, 2], [3])], rests);
  assert.deepEqual(choices(choice, 2), ["a 3", "a 3 again"]);
  rests.rest(3, 90_000, sharedNowMs());
  assert.deepEqual(choices(choice, 1), [undefined]);
  const ms = choice.earliestWakeMs();
  assert.ok(ms > 29_000 && ms <= 30_000, `${ms} ms`);
});

test("an ejected node is used if there is nothing else", () => {
  const rests = cooldowns();
  rests.eject(1, sharedNowMs());
  assert.deepEqual(choices(new EndpointChoice([serving("a", [1, 2])], rests), 3), ["a 2", "a 2 again", "a 2 again"]);
  assert.deepEqual(choices(new EndpointChoice([serving("a", [1])], rests), 2), ["a 1", "a 1 again"]);
});

test("what cannot take the request is left out for good", () => {
  const choice = new EndpointChoice([serving("a", [1], [2])], cooldowns());
  const first = choice.next();
  assert.ok(first);
  choice.exclude(first.endpoint);
  assert.deepEqual(choices(choice, 2), ["a 2", "a 2 again"]);
  const other = choice.next();
  assert.ok(other);
  choice.exclude(other.endpoint);
  assert.deepEqual([choice.next(), choice.earliestWakeMs()], [undefined, Infinity]);
});
