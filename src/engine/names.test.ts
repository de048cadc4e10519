import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConsumerConfig, LimitsConfig, Snapshot } from "../config/snapshot.ts";
import { zeroConfig } from "../config/zero-config.ts";
import { NameTable } from "../lib/name-table.ts";
import { namesOf } from "./names.ts";
import { Policies } from "./policy.ts";
import { policyTexts } from "./policy-text.ts";

const { snapshot: PLAIN } = zeroConfig({ keyHash: "0".repeat(64), environment: {} });
const LIMITS: LimitsConfig = { rpm: 1, burstMs: 60_000, mode: "soft" };

const consumer = (name: string): ConsumerConfig => ({
  name,
  timeZone: "UTC",
  grants: [{ model: "unlimited*" }, { model: "limited*", limits: LIMITS }],
  keys: [
    { name: "prod", hash: "a".repeat(64) },
    { name: "batch", hash: "b".repeat(64), grants: [{ model: "limited-by-key", limits: LIMITS }] },
  ],
});

test("every policy has a name, and so has every pattern; consumers of like content share them", () => {
  const names = new NameTable();
  const snapshot: Snapshot = { ...PLAIN, consumers: [consumer("one"), consumer("two")] };
  for (const name of namesOf(snapshot)) {
    names.id(name);
  }
  assert.ok(names.find("unlimited*") > 0, "it may be limited at run time");
  const policyNames = names.names.filter((name) => name.startsWith("policy:"));
  assert.equal(policyNames.length, 2, "one for the keys called prod, one for those called batch");
  assert.ok(policyNames.every((name) => !/one|two|prod|batch/.test(name)));

  const policies = new Policies(names);
  for (const { keys, ...shared } of snapshot.consumers) {
    const [prod, batch] = keys.map((key) => policies.get(names.find(policyTexts(shared)(key))));
    assert.equal(prod?.grantsFor("limited-by-key").consumer?.patternId, names.find("limited*"));
    assert.equal(batch?.grantsFor("limited-by-key").key?.patternId, names.find("limited-by-key"));
    assert.ok(names.find("limited*") > 0 && names.find("limited-by-key") > 0);
  }
});
