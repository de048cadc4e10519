/** Many requests on one connection: each has its answer, in order, and exactly one entry, even when the client vanishes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import test, { after, before, beforeEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { UsageEntry } from "../src/ledger/entry.ts";
import { Cleanups } from "./harness.ts";
import { chatBody, exchange, get, parseAnswers, post } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups);
});
beforeEach(() => {
  world.simulators.openai.reset();
});
after(async () => {
  await cleanups.run();
});

const COUNT = 100;

function chat(requestId: string, content: string, more: object = {}): string {
  const headers = [`authorization: Bearer ${world.key}`, `x-request-id: ${requestId}`];
  return post("/v1/chat/completions", headers, chatBody(MODELS.openai, content, more));
}

/** The entries of requests whose id begins so, once there are as many and no further one comes. */
async function entriesOf(prefix: string, count: number): Promise<UsageEntry[]> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    const entries = (await world.gateway.entries()).filter((entry) => entry.requestId.startsWith(prefix));
    if (entries.length >= count || performance.now() > deadline) {
      await sleep(300);
      const all = (await world.gateway.entries()).filter((entry) => entry.requestId.startsWith(prefix));
      assert.equal(all.length, count, `entries of ${prefix}`);
      assert.equal(new Set(all.map(({ requestId }) => requestId)).size, count);
      return all;
    }
    await sleep(20);
  }
}

test(`${COUNT} requests in one write are answered in their order`, async () => {
  const requests = Array.from({ length: COUNT }, (_, index) => {
    // some answers are ready long before those in front of them
    if (index % 3 === 0) return chat(`all-${index}`, `/simulate text=answer-${index}&chunkMs=30\n`);
    if (index % 3 === 1) return chat(`all-${index}`, `/simulate text=answer-${index}&chunkMs=5\n`, { stream: true });
    return get("/v1/models", [`authorization: Bearer ${world.key}`, `x-request-id: all-${index}`]);
  });
  const last = get("/v1/models", ["connection: close", "x-request-id: all-last"]);
  const { answers, end } = await exchange(world.gateway, requests.join("") + last, 10_000);
  assert.equal(end, "end");
  assert.deepEqual(
    answers.map(({ headers }) => headers.get("x-request-id")),
    [...requests.map((_, index) => `all-${index}`), "all-last"],
  );
  for (const [index, { status, body }] of answers.slice(0, COUNT).entries()) {
    assert.equal(status, 200);
    if (index % 3 === 0) assert.match(body, new RegExp(`"answer-${index}"`));
    if (index % 3 === 1) assert.match(body, /data: \[DONE\]\n\n$/);
  }
  const entries = await entriesOf("all-", COUNT + 1);
  assert.equal(entries.filter(({ outcome }) => outcome === "ok").length, COUNT);
});

test("a client that vanishes in the midst: what was begun with has one entry and the upstream is told at once", async () => {
  const requests = Array.from({ length: COUNT }, (_, index) =>
    index === 0
      ? chat(`vanish-${index}`, "hi")
      : chat(`vanish-${index}`, "/simulate reply=lorem&tokens=500&chunkMs=20\n", { stream: index % 2 === 0 }),
  );
  const socket = connect(world.gateway.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(requests.join(""));
  await once(socket, "data");
  await world.simulators.openai.waitFor((seen) => seen.hits === 2, 3_000);
  socket.resetAndDestroy();
  const stats = await world.simulators.openai.waitFor((seen) => seen.live === 0, 1_000);
  assert.equal(stats.aborted, 1);
  const entries = await entriesOf("vanish-", 2);
  assert.deepEqual(entries.map(({ outcome }) => outcome).toSorted(), ["aborted", "ok"]);
});

test("a client that vanishes within a header or a body leaves nothing open", async () => {
  const whole = chat("half", "hi");
  const bodyStart = whole.indexOf("\r\n\r\n") + 4;
  for (const cut of [20, bodyStart - 2, bodyStart, bodyStart + 5]) {
    const socket = connect(world.gateway.port, "127.0.0.1");
    socket.write(whole.slice(0, cut).replace("half", `half-${cut}`));
    await sleep(50);
    socket.destroy();
  }
  // of a request there is an entry once its header has arrived
  const entries = await entriesOf("half-", 2);
  assert.deepEqual(
    entries.map(({ outcome, status }) => [outcome, status]),
    [
      ["aborted", 499],
      ["aborted", 499],
    ],
  );
  assert.equal(world.simulators.openai.stats().hits, 0);
});

test("requests that come byte by byte, and several in odd pieces, are understood", async () => {
  const bytes = chat("bytes-0", "one") + chat("bytes-1", "two") + get("/v1/models", ["connection: close"]);
  const socket = connect(world.gateway.port, "127.0.0.1", () => socket.setNoDelay(true));
  let text = "";
  socket.setEncoding("latin1").on("data", (data: string) => (text += data));
  for (let at = 0; at < bytes.length; at += at < 400 ? 1 : 37) {
    socket.write(bytes.slice(at, at + (at < 400 ? 1 : 37)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await once(socket, "close");
  assert.deepEqual(
    parseAnswers(text).map(({ status }) => status),
    [200, 200, 401],
  );
  await entriesOf("bytes-", 2);
});

test("an answer that is given early waits for those before it, and what comes after it is not served", async () => {
  const slow = chat("early-0", "/simulate text=first&firstTokenMs=300\n");
  const refused = post("/v1/chat/completions", ["authorization: Bearer wrong", "x-request-id: early-1"], "{}");
  const { answers, end } = await exchange(world.gateway, slow + refused + chat("early-2", "not this"), 5_000);
  assert.deepEqual(
    answers.map(({ status, headers }) => [status, headers.get("x-request-id"), headers.get("connection")]),
    [
      [200, "early-0", "keep-alive"],
      [401, "early-1", "close"],
    ],
  );
  assert.match(answers[0]!.body, /"first"/);
  assert.equal(end, "end");
  assert.equal(world.simulators.openai.stats().hits, 1);
  await entriesOf("early-", 2);
});

test("after an early answer nothing more is taken from the connection", async () => {
  const refused = post("/v1/chat/completions", ["authorization: Bearer wrong", "x-request-id: after-0"], "{}");
  const { answers } = await exchange(world.gateway, refused + chat("after-1", "not this"), 5_000);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [401],
  );
  await entriesOf("after-", 1);
  assert.equal(world.simulators.openai.stats().hits, 0);
});

test("a stream that breaks behind another answer does not take that with it", async () => {
  const slow = chat("broken-0", "/simulate text=first&firstTokenMs=700\n");
  const breaking = chat("broken-1", "/simulate reply=lorem&tokens=9&fault=reset-body:3\n", { stream: true });
  const { answers, end } = await exchange(world.gateway, slow + breaking, 5_000);
  assert.equal(end, "end");
  assert.match(answers[0]?.body ?? "", /"first"/);
  assert.match(answers[1]?.body ?? "", /upstream_stream_broken/);
  assert.doesNotMatch(answers[1]?.body ?? "", /\[DONE\]/);
  const [first, second] = (await entriesOf("broken-", 2)).toSorted((a, b) => a.requestId.localeCompare(b.requestId));
  assert.deepEqual([first?.outcome, second?.outcome], ["ok", "broken"]);
});

test("requests of one connection are served one at a time", async () => {
  const requests = Array.from({ length: COUNT }, (_, index) =>
    chat(`turns-${index}`, "/simulate text=fine&chunkMs=1\n"),
  );
  const last = get("/v1/models", ["connection: close"]);
  const { answers } = await exchange(world.gateway, requests.join("") + last, 20_000);
  assert.equal(answers.filter(({ status }) => status === 200).length, COUNT);
  const { hits, mostLive } = world.simulators.openai.stats();
  assert.deepEqual([hits, mostLive], [COUNT, 1]);
});

test("of what is sent ahead 64 KiB wait; the rest is refused after all answers before it", async () => {
  const one = chat("most-0", "/simulate text=fine&firstTokenMs=400\n");
  const requests = [
    one,
    ...Array.from({ length: 400 }, (_, index) => chat(`most-${index + 1}`, "/simulate text=fine\n")),
  ];
  const { answers, end } = await exchange(world.gateway, requests.join(""), 10_000);
  assert.equal(end, "end");
  const served = answers.slice(0, -1);
  assert.deepEqual(
    served.map(({ status, headers }) => [status, headers.get("x-request-id")]),
    served.map((_, index) => [200, `most-${index}`]),
  );
  const most = 1 + 65_536 / one.length;
  assert.ok(served.length > most / 2 && served.length <= most * 1.1, `${served.length} of ${most} were served`);
  const { status, body, headers } = answers.at(-1)!;
  assert.deepEqual([status, headers.get("connection")], [400, "close"]);
  assert.match(body, /65536 bytes were sent/);
  await world.gateway.entryOf(`most-${served.length - 1}`);
  const entries = (await world.gateway.entries()).filter(({ requestId }) => requestId.startsWith("most-"));
  // the one that was cut off may have an entry, too
  assert.equal(entries.filter(({ outcome }) => outcome === "ok").length, served.length);
  assert.equal(world.simulators.openai.stats().hits, served.length);
});

test("of a client that sends without end and leaves, the upstream is told at once", async () => {
  const socket = connect(world.gateway.port, "127.0.0.1");
  socket.on("error", () => {});
  for (let sent = 0; sent < 5_000; sent++) {
    socket.write(chat(`flood-${sent}`, "/simulate firstTokenMs=20000\n"));
  }
  await world.simulators.openai.waitFor((seen) => seen.live === 1, 2_000);
  await sleep(200);
  socket.resetAndDestroy();
  await world.simulators.openai.waitFor((seen) => seen.live === 0, 1_000);
  await entriesOf("flood-", 1);
});
