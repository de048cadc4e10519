import assert from "node:assert/strict";
import { test } from "node:test";
import type { GrantConfig, LimitsConfig } from "../config/snapshot.ts";
import { NameTable } from "../lib/name-table.ts";
import { Policies } from "./policy.ts";
import type { Policy } from "./policy.ts";
import { policyTexts } from "./policy-text.ts";

const grants = (...models: string[]): GrantConfig[] => models.map((model) => ({ model }));
const limits = (values: Omit<LimitsConfig, "burstMs" | "mode">): LimitsConfig => ({
  ...values,
  burstMs: 60_000,
  mode: "soft",
});

/** Compiles a policy as a worker would: from a name table to which the loader has added it. */
class Table {
  readonly names = new NameTable();
  readonly policies = new Policies(this.names);

  id(consumer: GrantConfig[], key: GrantConfig[] | undefined, more: { consumer?: LimitsConfig; key?: LimitsConfig }) {
    for (const { model } of [...consumer, ...(key ?? [])]) {
      this.names.id(model);
    }
    const texts = policyTexts({
      timeZone: "Asia/Shanghai",
      grants: consumer,
      ...(more.consumer && { limits: more.consumer }),
    });
    return this.names.id(texts({ ...(key && { grants: key }), ...(more.key && { limits: more.key }) }));
  }
}

function policyOf(
  consumer: GrantConfig[],
  key?: GrantConfig[],
  more: { consumer?: LimitsConfig; key?: LimitsConfig } = {},
): Policy {
  const table = new Table();
  return table.policies.get(table.id(consumer, key, more));
}

test("names, prefixes and `*` grant models", () => {
  const policy = policyOf(grants("index", "openai/*"));
  assert.deepEqual(
    ["index", "index-2", "openai/gpt-4o", "openai", ""].map((model) => policy.allows(model)),
    [true, false, true, false, false],
  );
  assert.equal(policyOf(grants("*")).allows("anything"), true);
  assert.equal(policyOf([]).allows("index"), false);
});

test("a key narrows its consumer's grants and never widens them", () => {
  const narrower = policyOf(grants("index", "other"), grants("index"));
  assert.deepEqual([narrower.allows("index"), narrower.allows("other")], [true, false]);
  assert.equal(policyOf(grants("index"), grants("*")).allows("other"), false);
  assert.equal(policyOf(grants("*"), []).allows("index"), false);
});

test("the same content has one name, whatever its order, and any difference another", () => {
  const text = (consumer: GrantConfig[], timeZone = "UTC", own: Parameters<ReturnType<typeof policyTexts>>[0] = {}) =>
    policyTexts({ timeZone, grants: consumer })(own);
  assert.equal(text(grants("a", "b", "*")), text(grants("*", "b", "a")));
  const one: GrantConfig[] = [{ model: "a", limits: limits({ rpm: 1 }) }];
  const different = [
    text(grants("a")),
    text(grants("a"), "Asia/Tokyo"),
    text(grants("a"), "UTC", { grants: grants("a") }),
    text(grants("a"), "UTC", { grants: [] }),
    text(grants("a"), "UTC", { limits: limits({ rpm: 1 }) }),
    text(one),
    text(grants("a"), "UTC", { grants: one }),
    text([{ model: "a", limits: limits({ tpm: 1 }) }]),
    text([{ model: "a", limits: limits({ concurrency: 1 }) }]),
    text([{ model: "a", limits: limits({ monthlyTokens: 1 }) }]),
    text([{ model: "a", limits: limits({ monthlyNanoUsd: 1 }) }]),
    text([{ model: "a", limits: { ...limits({ rpm: 1 }), mode: "hard" } }]),
    text([{ model: "a", limits: { ...limits({ rpm: 1 }), burstMs: 1_000 } }]),
    policyTexts({ timeZone: "UTC", grants: grants("a"), limits: limits({ rpm: 1 }) })({}),
  ];
  assert.equal(new Set(different).size, different.length);
});

test("limits, time zone and grants come out of the table as they went in", () => {
  const all: LimitsConfig = {
    rpm: 0,
    tpm: 2,
    concurrency: 3,
    monthlyTokens: 4,
    monthlyNanoUsd: 9_000_000_000_000_000,
    burstMs: 1_500,
    mode: "hard",
  };
  const policy = policyOf(
    [{ model: "a", limits: limits({ tpm: 7 }) }, { model: '模"*' }],
    [{ model: "a", limits: all }],
    {
      consumer: limits({ rpm: 9 }),
      key: all,
    },
  );
  assert.equal(policy.timeZone, "Asia/Shanghai");
  assert.deepEqual(policy.consumerLimits, limits({ rpm: 9 }));
  assert.deepEqual(policy.keyLimits, all);
  assert.deepEqual(policy.grantsFor("a").consumer?.limits, limits({ tpm: 7 }));
  assert.deepEqual(policy.grantsFor("a").key?.limits, all);
  assert.equal(policy.grantsFor('模"x').consumer?.pattern, '模"*');
});

test("the most specific grant applies: the name, then the longest beginning, then `*`", () => {
  const policy = policyOf(grants("*", "a*", "a/b*", "a/b/c"), grants("*", "a/*"));
  const patterns = (asked: string, model?: string) => {
    const { consumer, key } = policy.grantsFor(asked, model);
    return [consumer?.pattern, key?.pattern];
  };
  assert.deepEqual(patterns("a/b/c"), ["a/b/c", "a/*"]);
  assert.deepEqual(patterns("a/b/d"), ["a/b*", "a/*"]);
  assert.deepEqual(patterns("a"), ["a*", "*"]);
  assert.deepEqual(patterns("x"), ["*", "*"]);
  assert.deepEqual(policyOf(grants("a")).grantsFor("b"), { consumer: undefined, key: undefined });
  assert.equal(policyOf(grants("a")).grantsFor("a").key, undefined);
});

test("an alias is no way around the limit of its model, but may have one of its own", () => {
  const limited: GrantConfig = { model: "index", limits: limits({ rpm: 1 }) };
  assert.equal(policyOf([limited, ...grants("*")]).grantsFor("index-latest", "index").consumer?.pattern, "index");
  assert.equal(
    policyOf([limited, ...grants("index-l*")]).grantsFor("index-latest", "index").consumer?.pattern,
    "index",
  );
  const own = policyOf([limited, ...grants("index-latest")]);
  assert.equal(own.grantsFor("index-latest", "index").consumer?.pattern, "index-latest");
  const prefix = policyOf([{ model: "vendor/*", limits: limits({ rpm: 1 }) }, ...grants("*")]);
  assert.equal(prefix.grantsFor("quick", "vendor/*").consumer?.pattern, "vendor/*");
});

test("a grant knows the id that it is counted by, also if nothing limits it yet", () => {
  const table = new Table();
  const id = table.id([...grants("*"), { model: "a*", limits: limits({ rpm: 1 }) }], undefined, {});
  const policy = table.policies.get(id);
  assert.equal(policy.grantsFor("a").consumer?.patternId, table.names.find("a*"));
  assert.notEqual(policy.grantsFor("a").consumer?.patternId, 0);
  assert.equal(policy.grantsFor("b").consumer?.patternId, table.names.find("*"));
});

test("whether anything is limited is known without looking for it", () => {
  const limited: GrantConfig[] = [{ model: "a", limits: limits({ rpm: 1 }) }];
  assert.equal(policyOf(grants("a"), grants("a")).isLimited, false);
  assert.equal(policyOf(limited).isLimited, true);
  assert.equal(policyOf(grants("a"), limited).isLimited, true);
  assert.equal(policyOf(grants("a"), undefined, { consumer: limits({ rpm: 1 }) }).isLimited, true);
  assert.equal(policyOf(grants("a"), undefined, { key: limits({ rpm: 1 }) }).isLimited, true);
});

test("one id is one object, up to the most that are kept; no id allows nothing", () => {
  const names = new NameTable();
  const ids = ["a", "b", "c"].map((model) => names.id(policyTexts({ timeZone: "UTC", grants: grants(model) })({})));
  const policies = new Policies(names, 2);
  const [a, b, c] = ids.map((id) => policies.get(id));
  assert.equal(policies.get(ids[1]!), b);
  assert.equal(policies.get(ids[2]!), c);
  const again = policies.get(ids[0]!);
  assert.notEqual(again, a, "the one that was made first gave way");
  assert.equal(again.allows("a"), true);
  assert.equal(policies.get(0).allows("a"), false);
  assert.equal(policies.get(12_345).allows("a"), false);
});
