/** `attempts: N` is N + 1 upstream hits in all, whatever fails and whatever layers are involved (20). */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import { cannedAnswer } from "./canned.ts";
import { read, type Reading } from "./client.ts";
import { Cleanups, startGateway, testKey, type RunningGateway } from "./harness.ts";
import {
  saysAndCloses,
  says,
  startRawUpstream,
  streamHead,
  wholeAnswer,
  type RawUpstream,
  type Script,
} from "./raw-upstream.ts";

const COUNTS = [0, 2, 5];
/** A connection that has been idle for so long may be closed by its peer in the moment in which it is used. */
const IDLE_MS = 400;
const { key, hash } = testKey("attempts");
let gateway: RunningGateway;
let nodes: readonly RawUpstream[];
const cleanups = new Cleanups();
before(async () => {
  nodes = await Promise.all([0, 1, 2].map(async () => startRawUpstream(cleanups)));
  const urls = nodes.map(({ url }) => `${url}/v1`);
  const timeouts = { connect: "1s", firstToken: "150ms", idle: "1s", total: "20s" };
  const credentials = ["one", "two", "three"].map((name) => ({ name, apiKey: `sk-${name}` }));
  const provider = (name: string, fields: JsonObject): JsonObject => ({ name, dialect: "openai", timeouts, ...fields });
  const to = (name: string, priority = 0): JsonObject => ({ provider: name, model: "m", priority });
  const layouts: Readonly<Record<string, JsonObject>> = {
    "one-endpoint": { targets: [to("first")] },
    "several-nodes": { targets: [to("cluster")] },
    "several-credentials": { targets: [to("keyed")] },
    "two-targets": { targets: [to("first"), to("second")] },
    priorities: { targets: [to("first"), to("second", 1), to("third", 2)] },
    fallbacks: { targets: [to("first")], fallbacks: ["other", "another"] },
    "all-of-it": { targets: [to("cluster"), to("keyed", 1)], fallbacks: ["other", "another"] },
  };
  gateway = await startGateway(cleanups, {
    config: {
      providers: [
        provider("first", { baseUrl: urls[0]! }),
        provider("second", { baseUrl: urls[1]! }),
        provider("third", { baseUrl: urls[2]! }),
        provider("cluster", { nodes: urls }),
        provider("keyed", { nodes: [urls[0]!, urls[1]!], credentials }),
      ],
      models: [
        ...Object.entries(layouts).flatMap(([name, layout]) =>
          COUNTS.map((attempts) => ({ name: `${name}-${attempts}`, ...layout, retry: { attempts } })),
        ),
        // the attempts of a fallback model are not its own
        { name: "other", targets: [to("second")], retry: { attempts: 9 } },
        { name: "another", targets: [to("third")], retry: { attempts: 9 } },
        { name: "never", targets: [to("first"), to("second")], retry: { attempts: 3, on: [] } },
        { name: "only-429", targets: [to("first"), to("second")], retry: { attempts: 3, on: ["429"] } },
      ],
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
});
after(async () => {
  await cleanups.run();
});

/** Asks with all nodes committing one failure; returns the answer and who was hit how often. */
async function ask(
  model: string,
  stream: boolean,
  script: Script,
): Promise<{ reading: Reading; hits: number[]; attempts: number }> {
  const requestId = randomUUID();
  for (const node of nodes) node.answerTo(requestId, script);
  const reading = await read({ url: gateway.url, key, dialect: "openai", model, content: "hi", stream, requestId });
  const entry = await gateway.entryOf(requestId);
  return { reading, hits: nodes.map((node) => node.hitsOf(requestId)), attempts: entry.attempts };
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
const LAYOUTS = [
  "one-endpoint",
  "several-nodes",
  "several-credentials",
  "two-targets",
  "priorities",
  "fallbacks",
  "all-of-it",
];
const FAILURES: Readonly<Record<string, Script>> = {
  "a close": saysAndCloses(),
  "a 500": says(wholeAnswer('{"error":{"message":"no"}}', { status: 500 })),
  "a 429 without delay": says(wholeAnswer('{"error":{"message":"no"}}', { status: 429, headers: ["retry-after: 0"] })),
  "a stream without tokens": says(streamHead(), "0\r\n\r\n"),
  "no token in time": says(),
};

test("other endpoints come before the same again (20)", async () => {
  const refused = FAILURES["a 500"]!;
  assert.deepEqual((await ask("priorities-2", false, refused)).hits, [1, 1, 1]);
  assert.deepEqual((await ask("fallbacks-2", false, refused)).hits, [1, 1, 1]);
  assert.deepEqual((await ask("several-nodes-2", false, refused)).hits, [1, 1, 1]);
  assert.deepEqual((await ask("priorities-5", false, refused)).hits, [4, 1, 1], "and then the first ones");
});

test("nor is a request more often sent that goes over connections which have long been idle (20)", async () => {
  const fine = says(wholeAnswer(cannedAnswer("openai", "fine")));
  for (const attempts of COUNTS) {
    await Promise.all(Array.from({ length: 8 }, async () => ask(`one-endpoint-${attempts}`, false, fine)));
    await sleep(IDLE_MS);
    const { reading, hits } = await ask(`one-endpoint-${attempts}`, false, FAILURES["a close"]!);
    assert.deepEqual([reading.status, sum(hits)], [502, attempts + 1]);
  }
});

describe("hits", { concurrency: 8 }, () => {
  for (const layout of LAYOUTS) {
    for (const attempts of COUNTS) {
      test(`${layout}, attempts: ${attempts} (20)`, async () => {
        const checks = Object.entries(FAILURES).map(async ([name, script]) => {
          const { reading, hits, attempts: recorded } = await ask(`${layout}-${attempts}`, true, script);
          const what = `${name}: ${hits.join(" + ")} hits, ${JSON.stringify(reading)}`;
          assert.ok(reading.status >= 429, what);
          assert.deepEqual([sum(hits), recorded], [attempts + 1, attempts + 1], what);
        });
        await Promise.all(checks);
      });
    }
  }

  test("only configured causes are retried (20)", async () => {
    const checks = Object.entries(FAILURES).map(async ([name, script]) => {
      assert.equal(sum((await ask("never", true, script)).hits), 1, name);
      assert.equal(sum((await ask("only-429", true, script)).hits), name.startsWith("a 429") ? 4 : 1, name);
    });
    await Promise.all(checks);
  });

  test("the caller's mistakes are never retried, nor tried elsewhere (20)", async () => {
    const checks = [400, 404, 405, 409, 413, 415, 422].map(async (status) => {
      const script = says(wholeAnswer('{"error":{"message":"your mistake"}}', { status }));
      for (const stream of [false, true]) {
        const { reading, hits } = await ask("all-of-it-5", stream, script);
        assert.deepEqual([reading.status, reading.error, sum(hits)], [status, "your mistake", 1]);
      }
    });
    await Promise.all(checks);
  });
});
