/** The clocks: the four timeouts, the pace of chunks, heartbeats (21, 22, 23). */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import type { JsonObject } from "../src/lib/json.ts";
import { read, type Call } from "./client.ts";
import { startGateway, testKey, type RunningGateway } from "./harness.ts";

interface Setup {
  readonly gateway: RunningGateway;
  readonly vendor: Simulator;
  readonly call: Omit<Call, "content" | "stream">;
}

async function setUp(t: TestContext, timeouts: JsonObject, server: JsonObject = {}): Promise<Setup> {
  const vendor = await startSimulator();
  t.after(async () => vendor.close());
  const { key, hash } = testKey("timing");
  const gateway = await startGateway(t, {
    config: {
      server,
      providers: [{ name: "vendor", dialect: "openai", baseUrl: `${vendor.url}/v1`, timeouts }],
      models: [{ name: "m", targets: [{ provider: "vendor", model: "x" }], retry: { attempts: 0 } }],
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
  return { gateway, vendor, call: { url: gateway.url, key, dialect: "openai", model: "m" } };
}

/** Each clock fires by itself, after its own time: never early, and late by a tenth and what the machine is slow. */
const CLOCKS = [
  { clock: "firstToken", fault: "hang-head", stream: true, ms: 500, code: "first_token_timeout" },
  { clock: "firstToken", fault: "hang-token", stream: true, ms: 500, code: "first_token_timeout" },
  { clock: "idle", fault: "hang-body:2", stream: true, ms: 700, code: "idle_timeout" },
  { clock: "total", fault: "hang-head", stream: false, ms: 1000, code: "total_timeout" },
  { clock: "total", fault: "pace:100", stream: true, ms: 1000, code: "total_timeout" },
] as const;

test("firstToken, idle and total are separate clocks with codes of their own (21)", async (t) => {
  const { call, gateway } = await setUp(t, { connect: "5s", firstToken: "500ms", idle: "700ms", total: "1s" });
  for (const { clock, fault, stream, ms, code } of CLOCKS) {
    const requestId = `${clock}-${fault.replace(":", "-")}-${stream ? "stream" : "whole"}`;
    const content = `/simulate fault=${fault}&reply=lorem&tokens=100\nx`;
    const reading = await read({ ...call, content, stream, requestId });
    const entry = await gateway.entryOf(requestId);
    const seen = JSON.stringify({ ...reading, body: "", entry });
    assert.equal(reading.code, code, seen);
    assert.deepEqual([entry.outcome, entry.error], ["timeout", code], seen);
    assert.ok(entry.totalMs >= ms * 0.98 && entry.totalMs <= ms * 1.1 + 500, `${requestId}: ${seen}`);
    if (reading.text === "") assert.equal(reading.status, 504, seen);
  }
});

test("chunks arrive as they are sent, one by one (22)", async (t) => {
  const { call } = await setUp(t, {});
  const response = await fetch(`${call.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${call.key}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: "m",
      stream: true,
      messages: [{ role: "user", content: "/simulate fault=pace:250\none two three four five six" }],
    }),
  });
  const arrivals: number[] = [];
  const reader = response.body?.getReader();
  while ((await reader?.read())?.done === false) arrivals.push(performance.now());
  const gaps = arrivals.slice(1).map((at, index) => at - (arrivals[index] ?? 0));
  assert.ok(arrivals.length >= 7, `${arrivals.length} arrivals`);
  for (const gap of gaps) assert.ok(gap < 300, `gaps ${gaps.map(Math.round).join(" ")} ms`);
});

test("a silent stream has heartbeats between events, before the first token too (23)", async (t) => {
  const { call } = await setUp(t, { firstToken: "5s", idle: "5s" }, { heartbeat: "1s" });
  const content = "/simulate fault=slow-token:3500\none two";
  const reading = await read({ ...call, content, stream: true });
  assert.deepEqual([reading.text, reading.complete, reading.error], ["one two", true, ""], JSON.stringify(reading));
  const beats = reading.body.split("\n\n").filter((event) => event.startsWith(":"));
  assert.ok(beats.length >= 1 && beats.length <= 3, `${beats.length} heartbeats in 3.5 s`);
  assert.ok(reading.body.startsWith(":"), "the first one comes before the first token");
});
