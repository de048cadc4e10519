/** What fails rests, for as long as it should, for all workers, and nothing else with it (20). */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import { cannedAnswer, cannedEvents, cannedStream } from "./canned.ts";
import { read, type Reading } from "./client.ts";
import { Cleanups, startGateway, testKey, type RunningGateway } from "./harness.ts";
import { startUnaccepting } from "./unaccepting.ts";
import {
  chunk,
  says,
  saysAndCloses,
  startRawUpstream,
  streamHead,
  wholeAnswer,
  wholeStream,
  type RawRequest,
  type RawUpstream,
  type Script,
} from "./raw-upstream.ts";

/** Providers by name: how many nodes they have, and which credentials. Each has a user model of its name. */
const PROVIDERS = {
  failing: { nodes: 2, credentials: [] },
  breaking: { nodes: 2, credentials: [] },
  left: { nodes: 2, credentials: [] },
  mistaken: { nodes: 2, credentials: [] },
  unauthorized: { nodes: 1, credentials: ["one", "two"] },
  forbidden: { nodes: 1, credentials: ["one", "two"] },
  keyless: { nodes: 1, credentials: [] },
  seconds: { nodes: 1, credentials: ["one", "two"] },
  milliseconds: { nodes: 1, credentials: ["one", "two"] },
  date: { nodes: 1, credentials: ["one", "two"] },
  lone: { nodes: 1, credentials: ["one"] },
  busy: { nodes: 2, credentials: ["one"] },
  split: { nodes: 2, credentials: [] },
  unreachable: { nodes: 1, credentials: [] },
} as const;
type ProviderName = keyof typeof PROVIDERS;
const NAMES = Object.keys(PROVIDERS) as ProviderName[];

const { key, hash } = testKey("resting");
let gateway: RunningGateway;
const nodesOf = {} as Record<ProviderName, readonly RawUpstream[]>;
const cleanups = new Cleanups();
const ok: Script = says(wholeAnswer(cannedAnswer("openai", "fine")));

before(async () => {
  for (const name of NAMES) {
    const count = Array.from({ length: PROVIDERS[name].nodes });
    nodesOf[name] = await Promise.all(count.map(async () => startRawUpstream(cleanups, ok)));
  }
  const provider = (name: string, nodes: readonly RawUpstream[], credentials: readonly string[]): JsonObject => ({
    name,
    dialect: "openai",
    nodes: nodes.map(({ url }) => `${url}/v1`),
    credentials: credentials.map((credential) => ({ name: credential, apiKey: `sk-${credential}` })),
  });
  const model = (name: string): JsonObject => ({ name, targets: [{ provider: name, model: `${name}-upstream` }] });
  const stuck = await startUnaccepting(cleanups);
  gateway = await startGateway(cleanups, {
    workers: 2,
    config: {
      providers: [
        {
          ...provider("half-stuck", nodesOf.unreachable, []),
          nodes: [`http://127.0.0.1:${stuck}/v1`, `${nodesOf.unreachable[0]!.url}/v1`],
          timeouts: { connect: "300ms" },
        },
        ...NAMES.map((name) => provider(name, nodesOf[name], PROVIDERS[name].credentials)),
        provider("keyed", nodesOf.keyless, ["one"]),
        provider("split-alone", nodesOf.split.slice(0, 1), []),
      ],
      models: [...NAMES, "keyed", "split-alone", "half-stuck"].map(model),
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
});
after(async () => {
  await cleanups.run();
});

function failure(status: number, ...headers: readonly string[]): Script {
  return says(wholeAnswer('{"error":{"message":"no"}}', { status, headers }));
}

/** On a connection of its own, which the system gives to either worker. */
async function ask(model: string, kind: "whole" | "stream" = "whole"): Promise<Reading> {
  const call = { url: gateway.url, key, dialect: "openai", model, content: "hi", stream: kind === "stream" } as const;
  return read({ ...call, requestId: randomUUID(), headers: { connection: "close" } });
}

async function askOften(model: string, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 10) {
    const readings = await Promise.all(Array.from({ length: Math.min(10, left) }, async () => ask(model)));
    for (const reading of readings) assert.equal(reading.text, "fine", JSON.stringify(reading));
  }
}

/** Requests with this credential. */
function hitsWith(name: ProviderName, credential: string): number {
  return nodesOf[name].flatMap(({ requests }) => requests).filter((request) => carries(request, credential)).length;
}

function carries({ headers }: RawRequest, credential: string): boolean {
  return headers.get("authorization") === `Bearer sk-${credential}`;
}

/** From now on the provider's nodes refuse one of its credentials. */
function refuse(name: ProviderName, credential: string, script: Script): void {
  for (const node of nodesOf[name]) {
    node.answer(async (request) => (carries(request, credential) ? script(request) : ok(request)));
  }
}

describe("what rests", { concurrency: 12 }, () => {
  test("a node that fails five times in a row stays idle for all workers (20)", async () => {
    const [failing] = nodesOf.failing as [RawUpstream];
    failing.answer(failure(500));
    for (let call = 0; call < 12; call++) await askOften("failing", 1);
    assert.equal(failing.requests.length, 5);
    failing.answer(ok);
    const end = performance.now() + 3000;
    while (performance.now() < end) await askOften("failing", 10);
    assert.equal(failing.requests.length, 5, "it is idle for its whole window, whatever it would say now");
  });

  test("a node whose streams always break after their first content stays idle after five of them (20)", async () => {
    const [breaking, whole] = nodesOf.breaking as [RawUpstream, RawUpstream];
    const stream = cannedStream("openai", ["Hel", "lo"]);
    breaking.answer(saysAndCloses(streamHead(), chunk(stream.opening + stream.pieces[0])));
    whole.answer(says(wholeStream(cannedEvents("openai", ["Hel", "lo"]))));
    const readings: Reading[] = [];
    for (let call = 0; call < 24; call++) readings.push(await ask("breaking", "stream"));
    assert.equal(breaking.requests.length, 5);
    assert.deepEqual(
      readings.filter(({ text }) => text !== "Hello").map(({ text, cut }) => [text, cut]),
      [...Array.from({ length: 5 }, () => ["Hel", true])],
    );
  });

  test("clients that leave in the midst of streams send no node to rest (20)", async () => {
    const stream = cannedStream("openai", ["Hel", "lo"]);
    for (const node of nodesOf.left) node.answer(says(streamHead(), chunk(stream.opening + stream.pieces[0])));
    for (let call = 0; call < 16; call++) {
      const body = JSON.stringify({ model: "left", stream: true, messages: [{ role: "user", content: "hi" }] });
      const leave = new AbortController();
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json", connection: "close" };
      const request = { method: "POST", headers, body, signal: leave.signal };
      const answer = await fetch(`${gateway.url}/v1/chat/completions`, request);
      await answer.body!.getReader().read();
      leave.abort();
    }
    for (const { requests } of nodesOf.left) {
      assert.ok(requests.length >= 6 && requests.length <= 10, `${requests.length} of 16 hits`);
    }
  });

  test("a node that takes no connections stays idle after five tries (20)", async () => {
    const times: number[] = [];
    for (let call = 0; call < 20; call++) {
      const { text, ms } = await ask("half-stuck");
      assert.equal(text, "fine");
      times.push(ms);
    }
    const waited = times.filter((ms) => ms >= 290).length;
    assert.equal(waited, 5, times.map(Math.round).join(" "));
    assert.ok(times.slice(-8).every((ms) => ms < 290));
  });

  test("the caller's mistakes send nobody to rest (20)", async () => {
    for (const node of nodesOf.mistaken) node.answer(failure(400));
    for (let call = 0; call < 24; call++) assert.equal((await ask("mistaken")).status, 400);
    for (const { requests } of nodesOf.mistaken) {
      assert.ok(requests.length >= 10 && requests.length <= 14, `${requests.length} of 24 hits`);
    }
  });

  test("401 sends the credential to rest, not the node (20)", async () => {
    refuse("unauthorized", "one", failure(401));
    for (let call = 0; call < 20; call++) await askOften("unauthorized", 1);
    assert.deepEqual([hitsWith("unauthorized", "one"), hitsWith("unauthorized", "two")], [1, 20]);
  });

  test("403 may be about one model: another credential serves, and nothing rests", async () => {
    refuse("forbidden", "one", failure(403));
    for (let call = 0; call < 20; call++) await askOften("forbidden", 1);
    assert.ok(hitsWith("forbidden", "one") >= 8, `${hitsWith("forbidden", "one")} hits`);
    assert.equal(hitsWith("forbidden", "two"), 20);
  });

  test("a 401 where there is no credential sends nothing to rest (20)", async () => {
    const [shared] = nodesOf.keyless as [RawUpstream];
    shared.answer(async (request) => (carries(request, "one") ? ok(request) : failure(401)(request)));
    const reading = await ask("keyless");
    assert.deepEqual([reading.status, reading.code], [502, "server_error"]);
    assert.equal(shared.requests.length, 1, "the same endpoint is not asked again");
    await askOften("keyed", 5);
  });

  const WAYS = {
    seconds: { headers: () => ["retry-after: 2"], leastMs: 1990, mostMs: 2600 },
    milliseconds: { headers: () => ["retry-after-ms: 1400", "retry-after: 9"], leastMs: 1390, mostMs: 2000 },
    // dates have whole seconds
    date: { headers: () => [`retry-after: ${new Date(Date.now() + 3000).toUTCString()}`], leastMs: 1990, mostMs: 3600 },
  } as const;
  for (const name of ["seconds", "milliseconds", "date"] as const) {
    test(`429 with Retry-After in ${name}: the credential rests so long, for all workers (20)`, async () => {
      const { headers, leastMs, mostMs } = WAYS[name];
      const start = performance.now();
      refuse(name, "one", failure(429, ...headers()));
      for (let call = 0; call < 4; call++) await askOften(name, 1);
      assert.equal(hitsWith(name, "one"), 1);
      refuse(name, "none", ok);
      while (hitsWith(name, "one") === 1) {
        await askOften(name, 4);
        assert.ok(performance.now() - start < mostMs, "it may serve again");
      }
      assert.ok(performance.now() - start > leastMs, `it served again after ${performance.now() - start} ms`);
    });
  }

  test("429 where nothing else can serve: the request waits if that is short, else the client is told (20)", async () => {
    refuse("lone", "one", failure(429, "retry-after-ms: 900"));
    const refused = ask("lone");
    await sleep(200);
    refuse("lone", "one", ok);
    const reading = await refused;
    assert.equal(reading.text, "fine");
    assert.ok(reading.ms >= 895 && reading.ms < 1500, `${reading.ms} ms`);
    refuse("lone", "one", failure(429, "retry-after: 30"));
    const hits = hitsWith("lone", "one");
    const told = await ask("lone");
    assert.deepEqual([told.status, told.headers.get("retry-after"), told.error], [429, "30", "no"]);
    const toldAgain = await ask("lone");
    assert.deepEqual([toldAgain.status, toldAgain.code], [503, "no_target_available"]);
    const afterMs = Number(toldAgain.headers.get("retry-after-ms"));
    assert.ok(afterMs > 28_000 && afterMs <= 30_000, `${afterMs} ms`);
    assert.equal(hitsWith("lone", "one"), hits + 1, "and the second one never left");
  });

  test("503 with Retry-After sends the node to rest, not the credential that all nodes share (20)", async () => {
    const [busy, idle] = nodesOf.busy as [RawUpstream, RawUpstream];
    busy.answer(failure(503, "retry-after: 30"));
    for (let call = 0; call < 10; call++) await askOften("busy", 1);
    assert.deepEqual([busy.requests.length, idle.requests.length], [1, 10]);
  });

  test("a node that rests for one model's failures serves those that have nothing else (20)", async () => {
    const [shared, other] = nodesOf.split as [RawUpstream, RawUpstream];
    shared.answer(async (request) => (request.body.includes("split-upstream") ? failure(500)(request) : ok(request)));
    for (let call = 0; call < 12; call++) await askOften("split", 1);
    assert.deepEqual([shared.requests.length, other.requests.length], [5, 12]);
    await askOften("split-alone", 10);
    await askOften("split", 5);
    assert.deepEqual([shared.requests.length, other.requests.length], [15, 17]);
  });
});
