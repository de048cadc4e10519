/** Which failures another attempt hides from the client, and which it must not (1, 20). */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { type TestContext } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { read, type Reading } from "./client.ts";
import { startGateway, testKey, type RunningGateway } from "./harness.ts";

interface Setup {
  readonly gateway: RunningGateway;
  readonly first: Simulator;
  readonly second: Simulator;
  /** Calls the user model `model`. */
  readonly ask: (model: string, stream: boolean, requestId?: string) => Promise<Reading>;
}

const TEXT = "one two three four five";

/** `first` serves OpenAI's dialect at priority 0, `second` Anthropic's: as the next priority, or as a fallback. */
async function setUp(t: TestContext, retry: JsonObject = {}): Promise<Setup> {
  const first = await startSimulator({ dialect: "openai" });
  const second = await startSimulator({ dialect: "anthropic" });
  t.after(async () => {
    await Promise.all([first.close(), second.close()]);
  });
  const { key, hash } = testKey("retries");
  const timeouts = { connect: "1s", firstToken: "300ms", idle: "300ms", total: "5s" };
  const toFirst = { provider: "first", model: "a" };
  const toSecond = { provider: "second", model: "b" };
  const gateway = await startGateway(t, {
    config: {
      providers: [
        { name: "first", dialect: "openai", baseUrl: `${first.url}/v1`, timeouts },
        { name: "second", dialect: "anthropic", baseUrl: second.url, timeouts },
      ],
      models: [
        { name: "alone", targets: [toFirst], retry },
        { name: "priorities", targets: [toFirst, { ...toSecond, priority: 1 }], retry },
        { name: "fallback", targets: [toFirst], fallbacks: ["other"], retry },
        { name: "other", targets: [toSecond], retry },
      ],
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
  const ask = async (model: string, stream: boolean, requestId: string = randomUUID()): Promise<Reading> =>
    read({ url: gateway.url, key, dialect: "openai", model, content: TEXT, stream, requestId });
  return { gateway, first, second, ask };
}

// 429 last: the node rests after it.
const HIDDEN = [
  "status:500",
  "close",
  "reset",
  "reset-head",
  "garbage",
  "reset-token",
  "html",
  "error-200",
  "status:429",
];
const HIDDEN_IN_STREAMS = ["hang-head", "hang-token", "error-event:0", "no-finish:0", "truncated-event:0"];

for (const model of ["priorities", "fallback"]) {
  for (const stream of [true, false]) {
    test(`a failure before the first token is hidden: ${model}, ${stream ? "stream" : "whole"} (1)`, async (t) => {
      const { first, second, ask, gateway } = await setUp(t);
      const faults = stream ? [...HIDDEN_IN_STREAMS, ...HIDDEN] : HIDDEN;
      const attempts = new Map<string, number>();
      for (const fault of faults) {
        first.reset();
        second.reset();
        first.setFault(fault);
        const requestId = randomUUID();
        const reading = await ask(model, stream, requestId);
        const what = `${fault}: ${JSON.stringify({ ...reading, body: "" })}`;
        assert.deepEqual([reading.status, reading.text, reading.complete, reading.error], [200, TEXT, true, ""], what);
        assert.ok(first.stats().hits >= 1, what);
        assert.equal(second.stats().hits, 1, what);
        attempts.set(requestId, first.stats().hits + 1);
      }
      const entries = await gateway.waitForEntries(faults.length);
      assert.equal(entries.length, faults.length);
      for (const entry of entries) {
        assert.deepEqual([entry.outcome, entry.provider, entry.model], ["ok", "second", model]);
        assert.equal(entry.attempts, attempts.get(entry.requestId));
        assert.equal(entry.servedModel, model === "fallback" ? "other" : model);
      }
    });
  }
}

test("a failure after the first token is an error, and nothing is tried again (1)", async (t) => {
  const { first, second, ask } = await setUp(t);
  for (const fault of [
    "reset-body:2",
    "close-body:2",
    "hang-body:2",
    "error-event:2",
    "no-finish:2",
    "truncated-event:2",
  ]) {
    first.reset();
    second.reset();
    first.setFault(fault);
    const reading = await ask("priorities", true);
    assert.equal(reading.text, "one two ", fault);
    assert.notEqual(reading.error, "", fault);
    assert.equal(reading.finished, false, fault);
    assert.deepEqual([first.stats().hits, second.stats().hits], [1, 0], fault);
  }
});

for (const attempts of [0, 1, 3]) {
  test(`attempts: ${attempts} is ${attempts + 1} hits in all (20)`, async (t) => {
    const { first, ask, gateway } = await setUp(t, { attempts });
    first.setFault("reset-token");
    const requestId = randomUUID();
    const reading = await ask("alone", true, requestId);
    assert.ok(reading.status >= 500, JSON.stringify(reading));
    assert.equal(first.stats().hits, attempts + 1);
    assert.equal((await gateway.entryOf(requestId)).attempts, attempts + 1);
  });
}

test("the caller's mistakes are told at once, and no node rests for them (20)", async (t) => {
  const { first, second, ask } = await setUp(t);
  for (const status of [400, 404, 413, 422]) {
    first.reset();
    first.setFault(`status:${status}`);
    for (let call = 0; call < 8; call++) {
      const reading = await ask("priorities", false);
      assert.equal(reading.status, status);
    }
    assert.deepEqual([first.stats().hits, second.stats().hits], [8, 0], String(status));
  }
  first.setFault();
  assert.equal((await ask("alone", false)).text, TEXT);
});

test("retry-after is honoured: the credential rests, another one serves", async (t) => {
  const vendor = await startSimulator({ dialect: "openai", apiKeys: ["sk-one", "sk-two"] });
  t.after(async () => vendor.close());
  const { key, hash } = testKey("credentials");
  const gateway = await startGateway(t, {
    config: {
      providers: [
        {
          name: "vendor",
          dialect: "openai",
          baseUrl: `${vendor.url}/v1`,
          credentials: [
            { name: "one", apiKey: "sk-one" },
            { name: "two", apiKey: "sk-two" },
          ],
        },
      ],
      models: [{ name: "m", targets: [{ provider: "vendor", model: "x" }] }],
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
  vendor.setFault("status:429,retry-after=30,key=sk-one");
  for (let call = 0; call < 10; call++) {
    const reading = await read({ url: gateway.url, key, dialect: "openai", model: "m", content: TEXT, stream: false });
    assert.equal(reading.text, TEXT, JSON.stringify(reading));
  }
  assert.equal(vendor.stats().hitsByKey["sk-one"], 1, "it was told once to come back in 30 s");
  assert.equal(vendor.stats().hitsByKey["sk-two"], 10);
});
