/** Whole answers in memory: each has its limit, and so has their sum; streams are not collected. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import test, { after, before } from "node:test";
import { cannedAnswer } from "./canned.ts";
import { Cleanups, until } from "./harness.ts";
import { errorCode } from "./raw-http.ts";
import { startRawWorld, type RawWorld } from "./raw-world.ts";
import { closed, says, wholeAnswer } from "./raw-upstream.ts";

const MIB = 1024 * 1024;
const PAIR = { client: "openai", target: "openai" } as const;
/** Two of them have room in 20 MiB, three have not. */
const LARGE = wholeAnswer(cannedAnswer("openai", "x".repeat(8 * MIB)));

let world: RawWorld;
const cleanups = new Cleanups();
before(async () => {
  world = await startRawWorld(cleanups, { server: { maxBufferedBytes: "20MiB" }, retry: { attempts: 3 } });
});
after(async () => {
  await cleanups.run();
});

/** Begins a call whose answer has come but for its last bytes. */
async function hold(signal?: AbortSignal): Promise<{ status: Promise<number>; upstream: Socket }> {
  const requestId = randomUUID();
  const arrived = Promise.withResolvers<Socket>();
  world.upstreams.openai.answerTo(requestId, ({ socket }) => {
    socket.write(LARGE.subarray(0, -100), () => arrived.resolve(socket));
  });
  const status = fetch(`${world.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${world.key}`, "x-request-id": requestId },
    body: JSON.stringify({ model: "openai", messages: [{ role: "user", content: "hi" }] }),
    ...(signal && { signal }),
  }).then(async (answer) => {
    await answer.arrayBuffer();
    return answer.status;
  });
  return { status, upstream: await arrived.promise };
}

const large = () => world.call(PAIR, false, says(LARGE));
const small = () => world.call(PAIR, false, says(wholeAnswer(cannedAnswer("openai", "small ones have room"))));

test("more whole answers than there is room for are refused, once, and served when there is room again", async () => {
  const held = [await hold(), await hold()];
  const refused = await large();
  const { reading, hits } = refused;
  assert.deepEqual([reading.status, errorCode(reading.body), hits], [503, "overloaded", 1]);
  assert.deepEqual([reading.headers.get("retry-after"), reading.headers.get("retry-after-ms")], ["1", "1000"]);
  const { outcome, error, tokensEstimated, promptTokens } = await refused.entry();
  assert.deepEqual([outcome, error, tokensEstimated], ["gateway_error", "overloaded", true]);
  assert.ok(promptTokens > 0);
  assert.equal((await small()).reading.status, 200);
  for (const { upstream } of held) upstream.write(LARGE.subarray(-100));
  assert.deepEqual(await Promise.all(held.map(({ status }) => status)), [200, 200]);
  for (let round = 0; round < 8; round++) assert.equal((await large()).reading.status, 200, "the node is not to blame");
});

test("an answer that is alone has room, however large", async () => {
  const { reading } = await world.call(PAIR, false, says(wholeAnswer(cannedAnswer("openai", "x".repeat(30 * MIB)))));
  assert.equal(reading.status, 200);
});

test("clients that leave, and attempts that fail, give back what their answers held", async () => {
  const leave = new AbortController();
  const held = [await hold(leave.signal), await hold(leave.signal)];
  leave.abort();
  await Promise.allSettled(held.map(({ status }) => status));
  await Promise.all(held.map(({ upstream }) => closed(upstream)));
  await until("room again", async () => ((await large()).reading.status === 200 ? true : undefined));

  const other = await hold();
  // with two attempts of it there would be no room
  const failed = await world.call(PAIR, false, ({ socket }) => {
    socket.write(LARGE.subarray(0, -100), () => setTimeout(() => socket.resetAndDestroy(), 100));
  });
  assert.deepEqual([failed.reading.status, failed.hits], [502, 4]);
  other.upstream.write(LARGE.subarray(-100));
  assert.equal(await other.status, 200);
});
