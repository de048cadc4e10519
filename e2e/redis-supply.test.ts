// What vendors allow, shared by several machines: each target and credential is used to its limit, none beyond it, and
// nobody is refused while another has room.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startSimulator } from "../src/simulate/simulator.ts";
import { requirePart } from "./parts.ts";
import { startRedis } from "./redis/redis-server.ts";
import { startSeveral, type Answer, type Several } from "./redis/several.ts";

/** Long enough that a busy test machine is not taken for a Redis that is lost. */
const state = { timeout: "1s" };

const served = (answers: readonly (readonly Answer[])[]): number =>
  answers.flat().filter(({ status }) => status === 200).length;

/** How many fit into a limit of so many requests a minute by now. */
function fits(rpm: number, startedAt: number): number {
  return Math.floor(rpm * (1 + (performance.now() - startedAt) / 60_000) + 1e-6);
}

test("a target's requests a minute on three machines: the next target serves what it cannot, and each vendor sees its limit", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const second = await startSimulator({});
  t.after(() => second.close());
  const targets = [
    { provider: "engine", model: "m", limits: { rpm: 10 } },
    { provider: "second", model: "m", limits: { rpm: 20 }, priority: 1 },
  ];
  const several = await startSeveral(t, {
    redis,
    machines: 3,
    grant: {},
    state,
    moreProviders: [{ name: "second", dialect: "openai", nodes: [`${second.url}/v1`] }],
    more: { models: [{ name: "index", targets, retry: { attempts: 0 } }] },
  });
  const startedAt = performance.now();
  const answers = await several.askAll(15);
  const [first, other] = [several.engine.stats().hits, second.stats().hits];
  t.diagnostic(`${first} and ${other} of 10 and 20`);
  assert.ok(first >= 10 && first <= fits(10, startedAt), `${first}`);
  assert.ok(other >= 20 && other <= fits(20, startedAt), `${other}`);
  assert.equal(served(answers), first + other);
  const refused = answers.flat().find(({ status }) => status === 429)!;
  assert.match(refused.text, /providers are at their limits.*Try again in/);
});

test("credentials on three machines, one call after the other: all that they allow together is used, none beyond", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const credentials = [
    { name: "small", apiKey: "sk-small-key", limits: { rpm: 6, tpm: 100_000 } },
    { name: "large", apiKey: "sk-large-key", limits: { rpm: 12, concurrency: 5 } },
  ];
  const several = await startSeveral(t, { redis, machines: 3, grant: {}, state, provider: { credentials } });
  const startedAt = performance.now();
  const statuses: number[] = [];
  for (let call = 0; call < 24; call++) statuses.push((await several.ask(call % 3)).status);
  const { hitsByKey } = several.engine.stats();
  t.diagnostic(JSON.stringify(hitsByKey));
  const [small, large] = [hitsByKey["sk-small-key"]!, hitsByKey["sk-large-key"]!];
  assert.ok(small >= 6 && small <= fits(6, startedAt), `${small}`);
  assert.ok(large >= 12 && large <= fits(12, startedAt), `${large}`);
  const first = statuses.indexOf(429);
  assert.ok(first >= 18, `refused after ${first}: ${statuses.join(" ")}`);
});

test("a vendor's tokens a minute in hard mode on three machines: under traffic it never sees more than its limit", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const tpm = 60_000;
  const limits: JsonObject = { tpm, burst: "2s", mode: "hard" };
  const credentials = [{ name: "main", apiKey: "sk-engine-key", limits }];
  const several = await startSeveral(t, { redis, machines: 3, grant: {}, state, provider: { credentials } });
  const startedAt = performance.now();
  const endsAt = startedAt + 5_000;
  const caller = async (machine: number): Promise<void> => {
    while (performance.now() < endsAt) await tokens(several, machine, 20 + Math.floor(Math.random() * 100));
  };
  await Promise.all([0, 1, 2].flatMap((machine) => [caller(machine), caller(machine)]));
  const most = (tpm / 60) * (2 + (performance.now() - startedAt) / 1_000);
  const { promptTokens, completionTokens } = several.engine.stats();
  t.diagnostic(`${promptTokens + completionTokens} tokens of ${Math.floor(most)}`);
  assert.ok(promptTokens + completionTokens <= most, `${promptTokens + completionTokens} of ${most}`);
  assert.ok(promptTokens + completionTokens >= most / 2, `${promptTokens + completionTokens} of ${most}`);
});

async function tokens(several: Several, machine: number, count: number): Promise<void> {
  await several.ask(machine, `/simulate reply=lorem&tokens=${count}`, { max_tokens: count });
}
