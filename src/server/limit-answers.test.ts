import assert from "node:assert/strict";
import { test } from "node:test";
import type { LimitsConfig, Snapshot } from "../config/snapshot.ts";
import { zeroConfig } from "../config/zero-config.ts";
import { ConfiguredSubjects } from "../engine/configured-subjects.ts";
import { namesOf } from "../engine/names.ts";
import type { JsonObject } from "../lib/json.ts";
import { NameTable } from "../lib/name-table.ts";
import { parseSubjectText } from "../quotas/bucket.ts";
import type { LimitOverride } from "../quotas/overrides/override.ts";
import { LimitAnswers } from "./limit-answers.ts";
import type { LimitsAnswer } from "./messages.ts";

const { snapshot: PLAIN } = zeroConfig({ keyHash: "0".repeat(64), environment: {} });
const FILE: LimitsConfig = { rpm: 10, burstMs: 60_000, mode: "soft" };

const snapshotOf = (...consumers: string[]): Snapshot => ({
  ...PLAIN,
  consumers: consumers.map((name) => ({
    name,
    timeZone: "UTC",
    limits: FILE,
    grants: [{ model: "ec*" }],
    keys: [{ name: "prod", hash: "0".repeat(64) }],
  })),
});

function start(...consumers: string[]) {
  const names = new NameTable();
  const answers = new LimitAnswers((name) => names.find(name));
  const configure = (snapshot: Snapshot) => {
    for (const name of namesOf(snapshot)) names.id(name);
    const subjects = new ConfiguredSubjects(snapshot, (name) => names.find(name));
    return answers.configure({ quotas: snapshot.quotas, subjects });
  };
  configure(snapshotOf(...consumers));
  return { answers, configure, names };
}

function entry(subject: string, limits: JsonObject | null, version: number | null = null): LimitOverride {
  return { subject, limits, setAt: 0, by: "ops", from: "10.0.0.1", on: "m1", version };
}

const one = (answers: LimitAnswers, subject: string): LimitsAnswer =>
  answers.answer({ ask: "one", subject: parseSubjectText(subject), isShared: false });
const bodyOf = (answer: LimitsAnswer): JsonObject => {
  assert.equal(answer.outcome, "found");
  return answer.outcome === "found" ? (JSON.parse(answer.body) as JsonObject) : {};
};
const refusalOf = (answer: LimitsAnswer): string =>
  answer.outcome === "refused" ? `${answer.reason}: ${answer.message}` : answer.outcome;

test("what is set holds instead of the file's limits, tells who set it, and gives way to them when it is removed", () => {
  const { answers, names } = start("search");
  const subject = { type: "consumer", first: names.find("search"), second: 0, third: 0 } as const;
  const { changes, counts } = answers.take({ entries: [entry("consumer:search", { rpm: 3 })], forgotten: [] });
  assert.deepEqual(changes, [{ subject, holds: { ...FILE, rpm: 3 } }]);
  assert.deepEqual(counts, { inForce: 1, withoutEffect: 0 });
  assert.deepEqual(bodyOf(one(answers, "consumer:search")), {
    subject: "consumer:search",
    type: "consumer",
    consumer: "search",
    holds: { rpm: 3, burst: "60s", mode: "soft" },
    file: { rpm: 10, burst: "60s", mode: "soft" },
    set: {
      limits: { rpm: 3 },
      at: "1970-01-01T00:00:00.000Z",
      by: "ops",
      from: "10.0.0.1",
      on: "m1",
      reach: "machine",
      inForce: true,
    },
  });
  const lifted = answers.take({ entries: [entry("consumer:search", {})], forgotten: [] });
  assert.deepEqual(lifted.changes, [{ subject, holds: "nothing" }]);
  assert.equal(bodyOf(one(answers, "consumer:search"))["holds"], null);
  assert.deepEqual(answers.take({ entries: [entry("consumer:search", {}, 9)], forgotten: [] }).changes, [], "no news");
  const removed = answers.take({ entries: [entry("consumer:search", null)], forgotten: [] });
  assert.deepEqual(removed.changes, [{ subject, holds: "file" }]);
  assert.deepEqual([removed.counts.inForce, bodyOf(one(answers, "consumer:search"))["set"]], [0, null]);
});

test("other machines know it, or will", () => {
  const { answers } = start("search");
  answers.take({
    entries: [entry("consumer:search", { rpm: 3 }, 5), entry("key:search/prod", { rpm: 3 })],
    forgotten: [],
  });
  const { limits } = bodyOf(answers.answer({ ask: "all", isShared: true })) as { limits: { set: JsonObject }[] };
  assert.deepEqual(
    limits.map(({ set }) => set["reach"]),
    ["all", "pending"],
  );
});

test("a subject that leaves the file keeps what was set, without effect; the log is told once", () => {
  const { answers, configure } = start("search", "other");
  answers.take({ entries: [entry("grant:search/ec*", { rpm: 3 }), entry("consumer:gone", { rpm: 1 })], forgotten: [] });
  const without = configure(snapshotOf("other"));
  assert.equal(without.changes[0]?.holds, "file");
  assert.deepEqual(without.counts, { inForce: 0, withoutEffect: 2 });
  assert.deepEqual(without.warnings, [
    "limits that were set at run time for grant:search/ec* have no effect: the configuration has no such subject now",
  ]);
  assert.deepEqual(configure(snapshotOf("other", "third")).warnings, []);
  const { set, holds } = bodyOf(one(answers, "grant:search/ec*")) as { set: JsonObject; holds: null };
  assert.deepEqual([set["inForce"], set["reason"], holds], [false, "the configuration has no such subject now", null]);
  const back = configure(snapshotOf("search"));
  assert.deepEqual([back.changes[0]?.holds, back.warnings], [{ ...FILE, rpm: 3 }, []]);
  assert.equal(configure(snapshotOf("other")).warnings.length, 1, "told again when it goes again");
});

test("what the store knew has effect with the first configuration; the file's defaults fill it in", () => {
  const names = new NameTable();
  const answers = new LimitAnswers((name) => names.find(name));
  answers.load([entry("consumer:search", { rpm: 3 }), entry("consumer:removed", null)]);
  const snapshot = { ...snapshotOf("search"), quotas: { ...PLAIN.quotas, mode: "hard" as const, burstMs: 1_000 } };
  for (const name of namesOf(snapshot)) names.id(name);
  const subjects = new ConfiguredSubjects(snapshot, (name) => names.find(name));
  const first = answers.configure({ quotas: snapshot.quotas, subjects });
  assert.deepEqual(
    first.changes.map(({ holds }) => holds),
    [{ rpm: 3, burstMs: 1_000, mode: "hard" }],
  );
  const second = answers.configure({ quotas: PLAIN.quotas, subjects });
  assert.deepEqual(
    second.changes.map(({ holds }) => holds),
    [{ ...FILE, rpm: 3 }],
    "a default has changed",
  );
});

test("only what the configuration has can be limited, by limits that are right; only what was set can be removed", () => {
  const { answers } = start("search");
  const set = (subject: string, text: string) =>
    refusalOf(answers.answer({ ask: "set", subject: parseSubjectText(subject), text }));
  const remove = (subject: string) => refusalOf(answers.answer({ ask: "remove", subject: parseSubjectText(subject) }));
  for (const subject of [
    "consumer:serch",
    "key:search/x",
    "grant:search/echo",
    "keyGrant:search/prod/ec*",
    "model:x",
  ]) {
    assert.match(set(subject, "{}"), /^subject_not_found: The configuration has no .*sluice check/, subject);
    assert.match(remove(subject), /^subject_not_found/, subject);
  }
  for (const subject of [
    "consumer:search",
    "key:search/prod",
    "grant:search/ec*",
    "model:echo",
    "target:echo/offline/echo",
  ]) {
    assert.equal(set(subject, '{"rpm":1}'), "allowed", subject);
    assert.match(remove(subject), /^limits_not_set/, subject);
  }
  for (const text of ["", "{", "[]", "1", "null", '"rpm"'])
    assert.match(set("consumer:search", text), /^invalid_limits: The body/);
  assert.match(set("consumer:search", '{"rpm":"many"}'), /^invalid_limits: rpm: must be a whole number/);
  answers.take({ entries: [entry("consumer:gone", { rpm: 1 })], forgotten: [] });
  assert.equal(remove("consumer:gone"), "allowed", "its subject has left the file");
});

test("there may be ten thousand, and those may still be changed", () => {
  const { answers } = start("search");
  const many = Array.from({ length: 10_000 }, (_, index) => entry(`consumer:c${index}`, { rpm: 1 }));
  answers.take({ entries: [...many.slice(1), entry("key:search/prod", { rpm: 1 })], forgotten: [] });
  const set = (subject: string) =>
    refusalOf(answers.answer({ ask: "set", subject: parseSubjectText(subject), text: '{"rpm":1}' }));
  assert.match(set("consumer:search"), /^too_many_limits: .*into the file/);
  assert.equal(set("key:search/prod"), "allowed");
});

test("what this version cannot read is kept, has no effect, and says so", () => {
  const { answers } = start("search");
  const { warnings, changes } = answers.take({
    entries: [entry("consumer:search", { rps: 5 }), entry("planet:earth", { rpm: 1 })],
    forgotten: [],
  });
  assert.deepEqual(changes, []);
  assert.match(warnings[0]!, /cannot read them: rps: there is no such key/);
  const { limits } = bodyOf(answers.answer({ ask: "all", isShared: false })) as { limits: JsonObject[] };
  assert.deepEqual(
    limits.map(({ subject }) => subject),
    ["consumer:search", "planet:earth"],
  );
});
