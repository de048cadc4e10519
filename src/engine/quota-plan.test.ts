import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConsumerConfig, LimitsConfig, Snapshot } from "../config/snapshot.ts";
import { zeroConfig } from "../config/zero-config.ts";
import { NameTable } from "../lib/name-table.ts";
import { BUCKET_KINDS, subjectText, SUBJECT_TYPES, type Subject, type SubjectType } from "../quotas/bucket.ts";
import type { PlannedBucket } from "../quotas/admission.ts";
import { LimitOverrides } from "../quotas/overrides/limit-overrides.ts";
import { compileEngine } from "./compile.ts";
import type { CompiledModel } from "./engine.ts";
import { namesOf } from "./names.ts";
import { decodePolicy, policyTexts } from "./policy-text.ts";
import { Policy } from "./policy.ts";
import { QuotaPlans } from "./quota-plan.ts";

const { snapshot: PLAIN } = zeroConfig({ keyHash: "0".repeat(64), environment: {} });
const NOW = Date.UTC(2026, 10, 15);
const limits = (more: Partial<LimitsConfig>): LimitsConfig => ({ burstMs: 60_000, mode: "soft", ...more });

/** A gateway with one consumer, one key and one model, and the plans of one worker. */
function world(consumer: Partial<ConsumerConfig> = {}) {
  const key = { name: "prod", hash: "0".repeat(64), grants: [{ model: "ec*" }] };
  const search: ConsumerConfig = {
    name: "search",
    timeZone: "UTC",
    grants: [{ model: "echo" }],
    keys: [key],
    ...consumer,
  };
  const snapshot: Snapshot = {
    ...PLAIN,
    providers: PLAIN.providers.map((provider) => ({
      ...provider,
      credentials: [{ name: "main", apiKey: "x", weight: 1 }],
    })),
    consumers: [search],
  };
  const names = new NameTable();
  for (const name of namesOf(snapshot)) names.id(name);
  const unused = { send: () => ({ abort() {}, pause() {}, resume() {} }), close: () => Promise.resolve() };
  const origins = { take: () => unused, release() {} };
  const steps = compileEngine(snapshot, { nameId: (name) => names.find(name), origins });
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  const model = step.value.models.find("echo")!;
  const policy = new Policy(decodePolicy(policyTexts(search)(search.keys[0]!)), (pattern) => names.find(pattern));
  const caller = { consumerId: names.find("search"), keyId: names.find("prod"), policy };
  const overrides = new LimitOverrides();
  const plans = new QuotaPlans(overrides);
  const subject = (type: SubjectType, ...parts: string[]): Subject => {
    const [first = 0, second = 0, third = 0] = parts.map((part) => names.id(part));
    return { type, first, second, third };
  };
  const describe = (buckets: readonly PlannedBucket[]): string[] =>
    buckets.map(({ identity, first, second, third, kind, limit }) => {
      const type = SUBJECT_TYPES[(identity - 1) >> 3]!;
      const text = subjectText({ type, first, second, third }, (id) => names.name(id));
      return `${text} ${BUCKET_KINDS[kind]} ${limit}`;
    });
  const find = () => plans.find(caller, model, "echo", NOW);
  return { model, overrides, plans, subject, describe, find };
}

const endpointOf = (model: CompiledModel) => model.priorities[0]!.endpoints[0]!;

test("what nothing limits in the file is limited by what is set at run time, each kind of subject by its own", () => {
  const { model, overrides, plans, subject, describe, find } = world();
  assert.equal(find(), undefined);
  assert.deepEqual(plans.ofEndpoint(endpointOf(model), NOW).buckets, []);
  assert.equal(plans.mayLimitEndpointsOf(model), false);
  overrides.take([
    { subject: subject("consumer", "search"), holds: limits({ rpm: 1 }) },
    { subject: subject("key", "search", "prod"), holds: limits({ rpm: 2 }) },
    { subject: subject("grant", "search", "echo"), holds: limits({ rpm: 3 }) },
    { subject: subject("keyGrant", "search", "prod", "ec*"), holds: limits({ rpm: 4 }) },
    { subject: subject("model", "echo"), holds: limits({ monthlyNanoUsd: 5 }) },
    { subject: subject("target", "echo", "offline", "echo"), holds: limits({ tpm: 6 }) },
    { subject: subject("credential", "offline/main"), holds: limits({ concurrency: 7, mode: "hard" }) },
    { subject: subject("consumer", "other"), holds: limits({ rpm: 8 }) },
  ]);
  assert.deepEqual(describe(find()!.buckets), [
    "consumer:search requests 1",
    "key:search/prod requests 2",
    "grant:search/echo requests 3",
    "keyGrant:search/prod/ec* requests 4",
    "model:echo monthlyUsd 5",
  ]);
  assert.equal(find()!.countsMoney, true);
  const endpoint = plans.ofEndpoint(endpointOf(model), NOW);
  assert.deepEqual(describe(endpoint.buckets), [
    "target:echo/offline/echo tokens 6",
    "credential:offline%2Fmain concurrency 7",
  ]);
  assert.deepEqual([endpoint.mode, endpoint.countsMoney, plans.mayLimitEndpointsOf(model)], ["hard", false, true]);
});

test("what is set takes the place of all that the file says, until the file holds again", () => {
  const { overrides, subject, describe, find } = world({ limits: limits({ rpm: 10, tpm: 1_000, mode: "hard" }) });
  const first = find()!;
  assert.equal(first.mode, "hard");
  assert.equal(find(), first, "a plan is kept");
  first.output.learn(100);
  overrides.take([{ subject: subject("consumer", "search"), holds: limits({ rpm: 99 }) }]);
  const second = find()!;
  assert.deepEqual([describe(second.buckets), second.mode], [["consumer:search requests 99"], "soft"]);
  assert.equal(second.output, first.output, "what is known of answers stays known");
  overrides.take([{ subject: subject("consumer", "search"), holds: "nothing" }]);
  assert.deepEqual(find()?.buckets ?? [], []);
  overrides.take([{ subject: subject("consumer", "search"), holds: "file" }]);
  assert.deepEqual(describe(find()!.buckets), ["consumer:search requests 10", "consumer:search tokens 1000"]);
  assert.equal(overrides.isEmpty, true);
});
