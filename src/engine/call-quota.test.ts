import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketKey, KIND } from "../quotas/bucket.ts";
import type { PlannedBucket, Refusal } from "../quotas/admission.ts";
import { readBody } from "../lib/json-body.ts";
import { NO_PROMPT } from "../lib/token-estimate.ts";
import { CallQuota } from "./call-quota.ts";
import { Demand, OUTPUT_MEMBERS } from "./demand.ts";
import type { CompiledModel } from "./engine.ts";
import type { Exchange } from "./exchange.ts";

const subject = { type: "consumer", first: 1, second: 0, third: 0, month: 0 } as const;
const bucket: PlannedBucket = {
  ...bucketKey(subject, KIND.requests, 0),
  kind: KIND.requests,
  limit: 1,
  capacity: 1,
  ratePerMs: 0,
  slot: 0,
};
const FULL: Refusal = { bucket, reason: "full", waitMs: 1_000, amount: 1, remaining: 0 };

/** A call of a model whose admissions are answered in turn, and how many there were. */
function start(
  model: ReturnType<typeof serving>,
  answers: (Refusal | undefined)[],
): { quota: CallQuota; asked: () => number } {
  let asked = 0;
  const admission = {
    admit: () => answers[asked++],
    settle: () => undefined,
  };
  const exchange = {
    entry: { slot: 0, startedAt: 0, usage: { promptTokens: 0, completionTokens: 0 }, nanoUsd: undefined },
    services: {
      quotas: { admission, plans: { find: () => undefined, mayLimitEndpointsOf: () => true } },
      name: () => "x",
    },
  } as unknown as Exchange;
  const demand = new Demand("chat", readBody(Buffer.from("{}"), OUTPUT_MEMBERS), NO_PROMPT);
  return { quota: new CallQuota(exchange, demand, model), asked: () => asked };
}

function serving(name: string): { model: CompiledModel; name: string } {
  return { model: { name, priorities: [] } as unknown as CompiledModel, name };
}

test("where a fallback was refused its next endpoint is not let in without being admitted, nor is the first model's", () => {
  const first = serving("first");
  const { quota, asked } = start(first, [FULL, FULL, undefined]);
  const fallback = serving("fallback");
  assert.equal(quota.serveBy(fallback)?.code, "rate_limit_exceeded");
  assert.equal(quota.serveBy(fallback)?.code, "rate_limit_exceeded");
  assert.equal(quota.serveBy(first), undefined);
  assert.equal(asked(), 3);
});
