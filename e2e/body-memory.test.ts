/** Bodies in memory: each has its limit, and so has their sum, whoever sends them. */
import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";
import { Cleanups, until } from "./harness.ts";
import { chatBody, errorCode } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

const MIB = 1024 * 1024;
/** Room for three of them. */
const BODY_BYTES = 15 * MIB;

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups, {
    simulator: { recordLimit: 1 },
    config: { server: { maxBufferedBytes: "50MiB" } },
  });
});
beforeEach(() => {
  world.simulators.openai.reset();
});
after(async () => {
  await cleanups.run();
});

function send(directives: string, kind: "whole" | "stream", signal?: AbortSignal): Promise<Response> {
  const body = (pad: string): string =>
    chatBody(MODELS.openai, `/simulate ${directives}\n`, { user: pad, stream: kind === "stream" });
  return fetch(`${world.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${world.key}` },
    body: body("x".repeat(BODY_BYTES - body("").length)),
    ...(signal && { signal }),
  });
}

async function statusOf(answer: Promise<Response>): Promise<number> {
  const { status, body } = await answer;
  await body?.cancel();
  return status;
}

test("more bodies than there is room for are refused, told when to come back, and served then", async () => {
  const held = Array.from({ length: 3 }, async () => statusOf(send("text=fine&firstTokenMs=2500", "whole")));
  await world.simulators.openai.waitFor((seen) => seen.hits === 3, 10_000);
  const refused = await send("text=fine", "whole");
  assert.equal(refused.status, 503);
  assert.equal(errorCode(await refused.text()), "overloaded");
  assert.deepEqual([refused.headers.get("retry-after"), refused.headers.get("retry-after-ms")], ["1", "1000"]);
  const small = await world.openai.chat.completions.create({
    model: MODELS.openai,
    messages: [{ role: "user", content: "small ones have room" }],
  });
  assert.equal(small.choices.length, 1);
  assert.deepEqual(await Promise.all(held), [200, 200, 200]);
  assert.equal(await statusOf(send("text=fine", "whole")), 200);
  assert.equal(world.simulators.openai.stats().hits, 5);
});

test("streams that have begun hold their bodies no longer, nor do clients that left", async () => {
  const leave = new AbortController();
  const streams = await Promise.all(
    Array.from({ length: 3 }, async () => send("reply=lorem&tokens=500&chunkMs=20", "stream", leave.signal)),
  );
  const readers = streams.map(({ body }) => body!.getReader());
  await Promise.all(readers.map(async (reader) => reader.read()));
  assert.equal(await statusOf(send("text=fine", "whole")), 200);
  leave.abort();
  await Promise.all(readers.map(async (reader) => reader.closed.catch(() => undefined)));

  const left = new AbortController();
  const abandoned = Array.from({ length: 3 }, async () => send("firstTokenMs=20000", "whole", left.signal));
  await world.simulators.openai.waitFor((seen) => seen.running === 3, 10_000);
  left.abort();
  await Promise.allSettled(abandoned);
  await until("room again", async () => ((await statusOf(send("text=fine", "whole"))) === 200 ? true : undefined));
});
