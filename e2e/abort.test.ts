/** A client that leaves: the upstream is told within a second, and there is one entry, marked as aborted (11). */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { after, before, beforeEach } from "node:test";
import type { UsageEntry } from "../src/ledger/entry.ts";
import { Cleanups } from "./harness.ts";
import { MODELS, startWorld, TARGETS, type World } from "./world.ts";

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups);
});
beforeEach(() => {
  world.simulators.openai.reset();
  world.simulators.anthropic.reset();
});
after(async () => {
  await cleanups.run();
});

const SLOW = "/simulate reply=lorem&tokens=2000&chunkMs=20\n";
const NEVER = "/simulate fault=hang-token\nx";

interface Abort {
  readonly options: { readonly signal: AbortSignal; readonly headers: Readonly<Record<string, string>> };
  readonly leave: () => void;
}

/** Runs a call that leaves at some moment and checks what the upstream and the access log have of it. */
async function checkAbort(
  target: "openai" | "anthropic",
  call: (abort: Abort) => Promise<unknown>,
): Promise<UsageEntry> {
  const vendor = world.simulators[target];
  const requestId = randomUUID();
  const controller = new AbortController();
  let leftAt = 0;
  const leave = (): void => {
    leftAt = Date.now();
    controller.abort();
  };
  await call({ options: { signal: controller.signal, headers: { "x-request-id": requestId } }, leave }).catch(() => {});
  const stats = await vendor.waitFor((seen) => seen.aborted === 1, 1500);
  const late = (stats.aborts[0]?.abortedAt ?? 0) - leftAt;
  assert.ok(late < 1000, `the upstream was told after ${late} ms`);
  assert.deepEqual([stats.hits, stats.live, stats.running], [1, 0, 0]);
  const entry = await world.gateway.entryOf(requestId);
  assert.deepEqual([entry.outcome, entry.attempts], ["aborted", 1]);
  return entry;
}

for (const target of TARGETS) {
  const model = MODELS[target];
  test(`openai client, mid-stream → ${target}`, async () => {
    const entry = await checkAbort(target, async ({ options, leave }) => {
      const stream = await world.openai.chat.completions.create(
        { model, stream: true, messages: [{ role: "user", content: SLOW }] },
        options,
      );
      let chunks = 0;
      for await (const _chunk of stream) if (++chunks === 5) leave();
    });
    assert.ok(entry.completionTokens >= 3, `tokens seen so far: ${entry.completionTokens}`);
    assert.equal(entry.tokensEstimated, true);
  });

  test(`anthropic client, mid-stream → ${target}`, async () => {
    await checkAbort(target, async ({ options, leave }) => {
      const stream = world.anthropic.messages.stream(
        { model, max_tokens: 4000, messages: [{ role: "user", content: SLOW }] },
        options,
      );
      let chunks = 0;
      stream.on("text", () => {
        if (++chunks === 5) leave();
      });
      await stream.finalMessage();
    });
  });

  test(`before the first token → ${target}`, async () => {
    await checkAbort(target, async ({ options, leave }) => {
      void world.simulators[target].waitFor((seen) => seen.live === 1, 2000).then(leave);
      await world.openai.chat.completions.create(
        { model, stream: true, messages: [{ role: "user", content: NEVER }] },
        options,
      );
    });
  });

  test(`while waiting for a whole answer → ${target}`, async () => {
    await checkAbort(target, async ({ options, leave }) => {
      void world.simulators[target].waitFor((seen) => seen.live === 1, 2000).then(leave);
      await world.anthropic.messages.create(
        { model, max_tokens: 4000, messages: [{ role: "user", content: SLOW }] },
        options,
      );
    });
  });
}
