import assert from "node:assert/strict";
import { test } from "node:test";
import type { LimitsConfig, ProviderConfig, Snapshot, TargetConfig } from "../config/snapshot.ts";
import { zeroConfig } from "../config/zero-config.ts";
import { NameTable } from "../lib/name-table.ts";
import { subjectText } from "../quotas/bucket.ts";
import { ConfiguredSubjects } from "./configured-subjects.ts";
import { namesOf } from "./names.ts";

const { snapshot: PLAIN } = zeroConfig({ keyHash: "0".repeat(64), environment: {} });
const limits = (rpm: number): LimitsConfig => ({ rpm, burstMs: 60_000, mode: "soft" });

test("all that has limits, once, in the order of the file, with the calendar that its months are of", () => {
  const provider: ProviderConfig = {
    ...PLAIN.providers[0]!,
    name: "vendor",
    credentials: [
      { name: "free", apiKey: "a", weight: 1 },
      { name: "main", apiKey: "b", weight: 1, limits: limits(9) },
    ],
  };
  const target: TargetConfig = { provider: "vendor", model: "org/m", weight: 1, priority: 0, filters: [] };
  const targets = [target, { ...target, limits: limits(7) }, { ...target, priority: 1, limits: limits(8) }];
  const snapshot: Snapshot = {
    ...PLAIN,
    quotas: { ...PLAIN.quotas, timeZone: "Asia/Tokyo" },
    providers: [provider],
    models: [{ ...PLAIN.models[0]!, name: "index", targets, limits: limits(6) }],
    consumers: [
      {
        name: "search",
        timeZone: "Asia/Shanghai",
        limits: limits(1),
        grants: [{ model: "index", limits: limits(2) }, { model: "*" }],
        keys: [
          { name: "plain", hash: "a".repeat(64) },
          { name: "prod", hash: "b".repeat(64), limits: limits(3), grants: [{ model: "in*", limits: limits(4) }] },
        ],
      },
      { name: "none", timeZone: "UTC", grants: [{ model: "*" }], keys: [] },
    ],
  };
  const names = new NameTable();
  for (const name of namesOf(snapshot)) {
    names.id(name);
  }
  const subjects = new ConfiguredSubjects(snapshot, (name) => names.find(name));
  const found = Array.from(subjects.limited, (subject) => [
    subjectText(subject, (id) => names.name(id)),
    subject.limits.rpm,
    subject.timeZone,
  ]);
  assert.deepEqual(found, [
    ["consumer:search", 1, "Asia/Shanghai"],
    ["grant:search/index", 2, "Asia/Shanghai"],
    ["key:search/prod", 3, "Asia/Shanghai"],
    ["keyGrant:search/prod/in*", 4, "Asia/Shanghai"],
    ["model:index", 6, "Asia/Tokyo"],
    ["target:index/vendor/org%2Fm", 7, "Asia/Tokyo"],
    ["credential:vendor%2Fmain", 9, "Asia/Tokyo"],
  ]);
});
