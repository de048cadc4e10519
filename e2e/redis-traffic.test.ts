// Whatever happens on four machines: a hard limit is never passed, and in the end everything is accounted for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { requirePart } from "./parts.ts";
import { until } from "./harness.ts";
import { startRedis } from "./redis/redis-server.ts";
import { startSeveral, storedBucket, type Several } from "./redis/several.ts";

const TPM = 180_000;
const CONCURRENCY = 6;
const TRAFFIC_MS = 8_000;

/** A generator of numbers from 0 to 1, the same for the same seed. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** One caller: streams and whole answers, some left early, some that fail. */
async function caller(several: Several, machine: number, random: () => number, endsAt: number): Promise<void> {
  while (performance.now() < endsAt) {
    const tokens = 20 + Math.floor(random() * 200);
    const chunkMs = Math.floor(random() * 4);
    const fault = random() < 0.1 ? "&fault=status:500" : random() < 0.1 ? "&fault=reset-body:5" : "";
    const content = `/simulate reply=lorem&tokens=${tokens}&chunkMs=${chunkMs}${fault}`;
    const leaves = random() < 0.25 ? AbortSignal.timeout(1 + Math.floor(random() * 150)) : undefined;
    const more = { max_tokens: tokens, stream: random() < 0.6, stream_options: { include_usage: true } };
    if (!more.stream) delete (more as { stream_options?: unknown }).stream_options;
    await several.ask(machine, content, more, leaves).catch(() => undefined);
    await sleep(5 + random() * 30);
  }
}

test("random traffic on four machines, one of which restarts: no hard limit is passed, and the month is exact", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const several = await startSeveral(t, {
    redis,
    machines: 4,
    grant: { tpm: TPM, concurrency: CONCURRENCY, monthly: { tokens: 50_000_000 } },
    more: { quotas: { mode: "hard", burst: "1s" } },
  });
  const month = new Date().toISOString().slice(0, 7);
  const monthly = `monthlyTokens:grant:search/index:${month}`;
  const seed = Date.now() % 1e6;
  t.diagnostic(`seed ${seed}`);
  let mostRunning = 0;
  const watch = setInterval(() => {
    mostRunning = Math.max(mostRunning, several.engine.stats().running);
  }, 5);
  t.after(() => {
    clearInterval(watch);
  });
  const startedAt = performance.now();
  const endsAt = startedAt + TRAFFIC_MS;
  const callers = [0, 1, 2, 3].flatMap((machine) =>
    [0, 1, 2].map((index) => caller(several, machine, numbers(seed + machine * 10 + index), endsAt)),
  );
  await sleep(TRAFFIC_MS / 2);
  const earlier = several.gateways[3]!;
  await earlier.stop();
  await several.start(3);
  await Promise.all(callers);
  const tookMs = performance.now() - startedAt;
  clearInterval(watch);
  await until("all is quiet", () => (several.engine.stats().running === 0 ? true : undefined), 5_000);
  await sleep(500);
  const entries = (await Promise.all([...several.gateways, earlier].map((gateway) => gateway.entries()))).flat();
  const tokens = entries.reduce((sum, entry) => sum + entry.promptTokens + entry.completionTokens, 0);
  t.diagnostic(
    `${entries.length} requests, ${entries.filter(({ status }) => status === 200).length} served, ${tokens} tokens, ${mostRunning} at once`,
  );
  assert.ok(tokens > 1_000, `${tokens} tokens`);
  assert.ok(mostRunning <= CONCURRENCY, `${mostRunning} ran at once`);
  // one second's worth at once, and what decays meanwhile
  assert.ok(tokens <= (TPM / 60) * (1 + tookMs / 1_000) + 1, `${tokens} tokens in ${tookMs} ms`);
  for (const name of ["tokens:grant:search/index", "concurrency:grant:search/index", monthly]) {
    await until(
      `nothing of ${name} is leased`,
      async () => ((await storedBucket(redis, name)).leased === 0 ? true : undefined),
      6_000,
    );
  }
  assert.equal((await storedBucket(redis, monthly)).counted, tokens);
});
