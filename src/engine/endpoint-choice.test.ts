import assert from "node:assert/strict";
import { test } from "node:test";
import { Cooldowns, createCooldownsMemory } from "../balancing/cooldowns.ts";
import { WeightedRoundRobin } from "../balancing/weighted-round-robin.ts";
import { EndpointChoice, type ServingModel } from "./endpoint-choice.ts";
import type { CompiledModel, CompiledTarget, Endpoint } from "./engine.ts";

/** Endpoints by name: each on a node of its own, in the given groups of one priority. */
class Setting {
  readonly cooldowns = new Cooldowns(createCooldownsMemory());
  readonly #endpoints = new Map<string, Endpoint>();

  model(name: string, ...priorities: readonly (readonly string[])[]): ServingModel {
    const groups = priorities.map((names) => new WeightedRoundRobin(names.map((each) => this.#create(each))));
    return { name, model: { name, priorities: groups } as unknown as CompiledModel };
  }

  choice(...models: readonly ServingModel[]): EndpointChoice {
    return new EndpointChoice(models, this.cooldowns);
  }

  endpoint(name: string): Endpoint {
    const endpoint = this.#endpoints.get(name);
    assert.ok(endpoint !== undefined);
    return endpoint;
  }

  /** The names of what is chosen next. */
  take(choice: EndpointChoice, count: number): string[] {
    return Array.from({ length: count }, () => {
      const found = choice.next();
      const entry = [...this.#endpoints].find(([, endpoint]) => endpoint === found?.endpoint);
      return entry === undefined ? "none" : entry[0] + (found?.again === true ? " again" : "");
    });
  }

  /** Names of one letter share a target. */
  #create(name: string): Endpoint {
    const nodeId = this.#endpoints.size + 1;
    const same = [...this.#endpoints].find(([other]) => other[0] === name[0])?.[1].target;
    const target = same ?? ({} as CompiledTarget);
    const endpoint = { weight: 1, nodeId, credentialId: nodeId + 1_000, target } as unknown as Endpoint;
    this.#endpoints.set(name, endpoint);
    return endpoint;
  }
}

test("one priority after the other, then the fallbacks, then the same again", () => {
  const setting = new Setting();
  const choice = setting.choice(setting.model("first", ["a1", "a2"], ["b1"]), setting.model("second", ["c1"]));
  assert.deepEqual(setting.take(choice, 4), ["a1", "a2", "b1", "c1"]);
  for (const again of setting.take(choice, 3)) {
    assert.match(again, /^a[12] again$/);
  }
});

test("the model that serves is said with each choice", () => {
  const setting = new Setting();
  const choice = setting.choice(setting.model("first", ["a1"]), setting.model("second", ["b1"]));
  assert.deepEqual([choice.next()?.name, choice.next()?.name], ["first", "second"]);
});

test("what was told to rest is left out, be it the node or the credential", () => {
  const setting = new Setting();
  const model = setting.model("m", ["a1", "a2", "a3"]);
  setting.cooldowns.rest(setting.endpoint("a1").nodeId, 60_000, Date.now());
  setting.cooldowns.rest(setting.endpoint("a2").credentialId, 60_000, Date.now());
  assert.deepEqual(setting.take(setting.choice(model), 2), ["a3", "a3 again"]);
});

test("an ejected node serves when nothing else does", () => {
  const setting = new Setting();
  const model = setting.model("m", ["a1", "a2"]);
  setting.cooldowns.eject(setting.endpoint("a1").nodeId, Date.now());
  const choice = setting.choice(model);
  assert.deepEqual(setting.take(choice, 2), ["a2", "a2 again"]);
  setting.cooldowns.rest(setting.endpoint("a2").nodeId, 60_000, Date.now());
  assert.deepEqual(setting.take(choice, 1), ["a1"]);
});

test("a target that cannot take the request is left out with all its endpoints", () => {
  const setting = new Setting();
  const choice = setting.choice(setting.model("m", ["a1", "a2", "b1"]));
  choice.exclude(setting.endpoint("a1").target);
  assert.deepEqual(setting.take(choice, 2), ["b1", "b1 again"]);
  choice.exclude(setting.endpoint("b1"));
  assert.deepEqual(setting.take(choice, 1), ["none"]);
  assert.equal(choice.earliestWakeMs(), Infinity);
});

test("the time to wait is that of the first to wake, of any model", () => {
  const setting = new Setting();
  const choice = setting.choice(setting.model("first", ["a1", "b1"]), setting.model("second", ["c1"]));
  const now = Date.now();
  setting.cooldowns.rest(setting.endpoint("a1").nodeId, 50_000, now);
  setting.cooldowns.rest(setting.endpoint("b1").nodeId, 30_000, now);
  setting.cooldowns.rest(setting.endpoint("b1").credentialId, 40_000, now);
  setting.cooldowns.rest(setting.endpoint("c1").nodeId, 45_000, now);
  assert.deepEqual(setting.take(choice, 1), ["none"]);
  const waitMs = choice.earliestWakeMs();
  assert.ok(waitMs > 39_000 && waitMs <= 40_000, `${waitMs}`);
});

test("calls share the turns of their model", () => {
  const setting = new Setting();
  const model = setting.model("m", ["a1", "a2"]);
  const firsts = Array.from({ length: 4 }, () => setting.take(setting.choice(model), 1)[0]);
  assert.deepEqual(firsts, ["a1", "a2", "a1", "a2"]);
});
