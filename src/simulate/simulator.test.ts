import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { SimulatorOptions } from "./options.ts";
import { startSimulator, type Simulator } from "./simulator.ts";

async function start(t: TestContext, options: SimulatorOptions): Promise<Simulator> {
  const simulator = await startSimulator(options);
  t.after(async () => simulator.close());
  return simulator;
}

async function chat(simulator: Simulator, body: object): Promise<Response> {
  return fetch(`${simulator.url}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify({ model: "m", ...body }),
  });
}

const HELLO = { messages: [{ role: "user", content: "hello" }] };

test("prefill and decode take their time", async (t) => {
  const simulator = await start(t, { prefillTokensPerSecond: 1000, decodeMs: 10, cacheBlocks: 0 });
  const body = { messages: [{ role: "user", content: "x".repeat(396) }], max_tokens: 10 };
  const before = performance.now();
  await (await chat(simulator, body)).text();
  const ms = performance.now() - before;
  assert.ok(ms >= 200 && ms < 900, `${ms} ms, 101 tokens of prompt and 10 of answer should take 201`);
});

test("a cached prefix needs no prefill", async (t) => {
  const simulator = await start(t, { prefillTokensPerSecond: 2000 });
  const body = { messages: [{ role: "user", content: "x".repeat(2600) }], max_tokens: 1 };
  const time = async (): Promise<number> => {
    const before = performance.now();
    await (await chat(simulator, body)).text();
    return performance.now() - before;
  };
  const first = await time();
  const second = await time();
  assert.ok(first >= 320 && second < first / 2, `first ${first} ms, second ${second} ms`);
});

test("requests beyond the concurrency wait, beyond the queue get 503", async (t) => {
  const simulator = await start(t, { concurrency: 1, queueLimit: 1, decodeMs: 40 });
  const first = chat(simulator, HELLO);
  const second = chat(simulator, { ...HELLO, stream: true });
  await simulator.waitFor((stats) => stats.running === 1 && stats.waiting === 1, 500);
  const metrics = await (await fetch(`${simulator.url}/metrics`)).text();
  assert.match(metrics, /vllm:num_requests_waiting\{engine="0",model_name="simulated"\} 1\n/);
  assert.equal((await chat(simulator, HELLO)).status, 503);
  assert.equal((await first).status, 200);
  assert.match(await (await second).text(), /\[DONE\]/);
  assert.equal(simulator.stats().mostLive, 3);
});

test("a client that leaves while it waits gives up its place in the queue", async (t) => {
  const simulator = await start(t, { concurrency: 1, decodeMs: 50 });
  const first = chat(simulator, HELLO);
  const abort = new AbortController();
  const second = fetch(`${simulator.url}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify({ model: "m", ...HELLO }),
    signal: abort.signal,
  });
  await simulator.waitFor((stats) => stats.waiting === 1, 500);
  abort.abort();
  await assert.rejects(second);
  const stats = await simulator.waitFor((seen) => seen.aborted === 1, 500);
  assert.deepEqual([stats.waiting, stats.aborts[0]?.phase], [0, "waiting"]);
  await (await first).text();
});

test("a conversation longer than the context is refused", async (t) => {
  const simulator = await start(t, { contextTokens: 50, errorShape: "vllm" });
  const response = await chat(simulator, { ...HELLO, max_tokens: 60 });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /context length is only 50 tokens/);
});

test("remembers requests as they arrived", async (t) => {
  const simulator = await start(t, { recordLimit: 2 });
  const body = '{ "model":"m", "messages":[{"role":"user","content":"é"}] }';
  for (const name of ["A", "B", "C"]) {
    await (
      await fetch(`${simulator.url}/v1/chat/completions?q=1`, { method: "POST", body, headers: { "X-Name": name } })
    ).text();
  }
  const requests = simulator.requests();
  assert.deepEqual(
    requests.map((request) => request.rawHeaders.find(([name]) => name.toLowerCase() === "x-name")?.[1]),
    ["B", "C"],
  );
  assert.equal(requests[0]?.body.toString(), body);
  assert.equal(requests[0]?.url, "/v1/chat/completions?q=1");
  const shown: unknown = await (await fetch(`${simulator.url}/simulate/requests`)).json();
  assert.match(JSON.stringify(shown), new RegExp(Buffer.from(body).toString("base64")));
  const stats: unknown = await (await fetch(`${simulator.url}/simulate/stats`)).json();
  assert.match(JSON.stringify(stats), /"hits":3/);
});

test("one dialect only", async (t) => {
  const simulator = await start(t, { dialect: "anthropic" });
  assert.equal((await chat(simulator, HELLO)).status, 404);
  const headers = { "anthropic-version": "2023-06-01" };
  const message = await fetch(`${simulator.url}/v1/messages`, {
    method: "POST",
    headers,
    body: JSON.stringify({ model: "m", max_tokens: 9, ...HELLO }),
  });
  assert.equal(message.status, 200);
});

test("fast answers have their size, streams their chunks and pace", async (t) => {
  const simulator = await start(t, { fast: { answerBytes: 1024, chunks: 20, chunkMs: 5 } });
  const whole = await (await chat(simulator, HELLO)).text();
  assert.equal(whole.length, 1024);
  assert.match(whole, /"total_tokens":700/);
  const before = performance.now();
  const streams = await Promise.all(
    Array.from({ length: 20 }, async () => (await chat(simulator, { ...HELLO, stream: true })).text()),
  );
  const ms = performance.now() - before;
  for (const stream of streams) {
    assert.equal(stream.split('"content":"xxxx"').length - 1, 20);
    assert.ok(stream.endsWith("data: [DONE]\n\n"));
  }
  assert.ok(ms >= 95 && ms < 1500, `${ms} ms for 20 chunks each 5 ms`);
});

test("fast streams without pace go as fast as they are read", async (t) => {
  const simulator = await start(t, { fast: { chunks: 20_000 } });
  const response = await chat(simulator, { ...HELLO, stream: true });
  await sleep(50);
  assert.equal((await response.text()).split('"content":"xxxx"').length - 1, 20_000);
});
