/** What is still under way when a shutdown's time is up, or when a second signal asks for the end at once. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cannedStream } from "./canned.ts";
import { eventData } from "./client.ts";
import { nameOf, PAIRS, startRawWorld } from "./raw-world.ts";
import { chunk, streamHead, type Script } from "./raw-upstream.ts";

const CHUNK_EVERY_MS = 10;

/** Never ends, and says something all the time. */
function talksForEver(dialect: "openai" | "anthropic"): Script {
  const { opening, pieces } = cannedStream(dialect, ["word "]);
  return async ({ socket }) => {
    socket.write(streamHead() + chunk(opening).toString());
    while (socket.writable) {
      socket.write(chunk(pieces[0]!));
      await sleep(CHUNK_EVERY_MS);
    }
  };
}

for (const pair of PAIRS) {
  test(`the error of a shutdown is the last that a stream says: ${nameOf(pair, true)}`, async (t) => {
    const world = await startRawWorld(t, { server: { drainTimeout: "200ms" }, timeouts: { idle: "5s", total: "20s" } });
    const exited = once(world.gateway.process, "exit");
    const answer = world.call(pair, true, talksForEver(pair.target));
    await sleep(300);
    world.gateway.process.kill("SIGTERM");
    const result = await answer;
    const { reading } = result;
    assert.match(eventData(reading.body).at(-1) ?? "", /shutting down/);
    assert.ok(reading.cut && reading.text.startsWith("word word "));
    assert.deepEqual(await exited, [0, null]);
    const { outcome, error, status } = await result.entry();
    assert.deepEqual({ outcome, error, status }, { outcome: "broken", error: "shutting_down", status: 200 });
  });
}

for (const [signal, code] of [
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const) {
  test(`a second signal ends at once what a first one let go on: ${signal}`, async (t) => {
    const world = await startRawWorld(t, { timeouts: { total: "60s" } });
    const exited = once(world.gateway.process, "exit");
    const answer = world.call({ client: "openai", target: "openai" }, false, () => {});
    await sleep(200);
    world.gateway.process.kill("SIGTERM");
    // sooner it would be taken for the same one, passed on
    await sleep(400);
    assert.equal(world.gateway.process.exitCode, null);
    world.gateway.process.kill(signal);
    const result = await answer;
    assert.deepEqual([result.reading.status, result.reading.code], [503, "shutting_down"]);
    assert.deepEqual(await exited, [code, null]);
    assert.equal((await result.entry()).error, "shutting_down");
  });
}
