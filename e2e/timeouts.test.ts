/** connect, firstToken, idle and total are clocks of their own: each fires at its time, and none for another's reason (21). */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ErrorCode } from "../src/lib/errors.ts";
import type { JsonObject } from "../src/lib/json.ts";
import { cannedAnswer, cannedStream } from "./canned.ts";
import { read, type Call } from "./client.ts";
import { checkErrorShape, checkNothingInternal } from "./error-shape.ts";
import { Cleanups, startGateway, testKey, type RunningGateway } from "./harness.ts";
import {
  chunk,
  LAST_CHUNK,
  says,
  startRawUpstream,
  streamHead,
  type RawUpstream,
  type Script,
} from "./raw-upstream.ts";
import { startUnaccepting } from "./unaccepting.ts";

/** In each provider one clock is to fire; those that must not are shorter where they can be. */
const CLOCKS = {
  connect: { connect: "600ms", firstToken: "200ms", idle: "200ms", total: "10s" },
  firstToken: { connect: "200ms", firstToken: "600ms", idle: "200ms", total: "10s" },
  idle: { connect: "200ms", firstToken: "300ms", idle: "600ms", total: "10s" },
  total: { connect: "5s", firstToken: "5s", idle: "5s", total: "900ms" },
} as const;
type ClockName = keyof typeof CLOCKS;

let gateway: RunningGateway;
let upstream: RawUpstream;
const { key, hash } = testKey("timeouts");
const cleanups = new Cleanups();
before(async () => {
  upstream = await startRawUpstream(cleanups);
  const stuck = await startUnaccepting(cleanups);
  const provider = (name: ClockName, port: number): JsonObject => ({
    name,
    dialect: "openai",
    baseUrl: `http://127.0.0.1:${port}/v1`,
    timeouts: CLOCKS[name],
  });
  const model = (name: string, attempts: number): JsonObject => ({
    name: attempts === 0 ? name : `${name}-again`,
    targets: [{ provider: name, model: "m" }],
    retry: { attempts },
  });
  gateway = await startGateway(cleanups, {
    config: {
      providers: [
        provider("connect", stuck),
        ...(["firstToken", "idle", "total"] as const).map((name) => provider(name, upstream.port)),
      ],
      models: [...Object.keys(CLOCKS).map((name) => model(name, 0)), model("connect", 1), model("total", 9)],
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
      domains: [
        {
          host: "*",
          routes: [
            { path: "/v1/*", api: "openai" },
            { path: "/quick/*", api: "openai", timeout: "400ms" },
            { path: "/patient/*", api: "openai", timeout: "1400ms" },
          ],
        },
      ],
    },
  });
});
after(async () => {
  await cleanups.run();
});

const { opening, pieces, ending } = cannedStream("openai", ["one ", "two ", "three"]);

function callOf(model: string, stream: boolean, requestId: string): Call {
  return { url: gateway.url, key, dialect: "openai", model, content: "hi", stream, requestId };
}

/** Never early; and at most a tenth or 50 ms late, which a busy machine may need several tries for. */
async function takes(wantedMs: number, run: () => Promise<number>): Promise<void> {
  const seen: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    const ms = await run();
    seen.push(Math.round(ms));
    assert.ok(ms >= wantedMs - 2, `${ms} ms: earlier than ${wantedMs} ms`);
    if (ms <= Math.max(wantedMs * 1.1, wantedMs + 50)) return;
  }
  assert.fail(`${seen.join(", ")} ms instead of ${wantedMs} ms`);
}

/** Makes a call that must end by this clock; returns when it did, from the call's start. */
async function endsBy(code: ErrorCode, model: string, stream: boolean, script: Script, text = ""): Promise<number> {
  const requestId = randomUUID();
  upstream.answerTo(requestId, script);
  const reading = await read(callOf(model, stream, requestId));
  const what = JSON.stringify(reading);
  assert.deepEqual([reading.code, reading.text, reading.status], [code, text, text === "" ? 504 : 200], what);
  checkErrorShape("openai", reading.body, what);
  checkNothingInternal(reading.body, what);
  const entry = await gateway.entryOf(requestId);
  assert.deepEqual([entry.outcome, entry.error, entry.status], ["timeout", code, reading.status], what);
  // the last event of a stream has a quarter of a second to be read before the connection ends
  return text === "" ? reading.ms : reading.ms - 250;
}

describe("clocks", { concurrency: 4 }, () => {
  test("connect: nobody accepts (21)", async () => {
    for (const stream of [false, true]) {
      await takes(600, async () => endsBy("connect_timeout", "connect", stream, says()));
    }
  });

  test("connect: each attempt has its own time (21)", async () => {
    const requestId = randomUUID();
    const reading = await read(callOf("connect-again", true, requestId));
    assert.equal(reading.code, "connect_timeout");
    assert.ok(reading.ms >= 1200 && reading.ms < 1600, `${reading.ms} ms`);
    assert.equal((await gateway.entryOf(requestId)).attempts, 2);
  });

  test("connect: the time of one who left is not another's (21)", async () => {
    const controller = new AbortController();
    const first = fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "connect", messages: [] }),
      signal: controller.signal,
    }).catch(() => {});
    await sleep(100);
    controller.abort();
    await first;
    await sleep(250);
    await takes(600, async () => endsBy("connect_timeout", "connect", false, says()));
  });

  test("firstToken: neither a head nor comments nor an empty beginning are a token (21)", async () => {
    const comments: Script = async ({ socket }) => {
      socket.write(streamHead());
      for (let beat = 0; beat < 20 && !socket.destroyed; beat++) {
        socket.write(chunk(beat === 0 ? opening : ": still here\n\n"));
        await sleep(50);
      }
    };
    for (const script of [says(), says(streamHead()), comments]) {
      await takes(600, async () => endsBy("first_token_timeout", "firstToken", true, script));
    }
  });

  test("firstToken is no clock of whole answers (21)", async () => {
    const requestId = randomUUID();
    upstream.answerTo(requestId, async ({ socket }) => {
      await sleep(900);
      const body = cannedAnswer("openai", "late");
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
    assert.equal((await read(callOf("firstToken", false, requestId))).text, "late");
  });

  test("idle: silence after a token, counted from the last byte (21)", async () => {
    let lastAt = 0;
    const script: Script = async ({ socket }) => {
      socket.write(streamHead());
      for (const event of [opening + pieces[0]!, pieces[1]!]) {
        socket.write(chunk(event));
        lastAt = performance.now();
        await sleep(400);
      }
    };
    await takes(600, async () => {
      const start = performance.now();
      const ms = await endsBy("idle_timeout", "idle", true, script, "one two ");
      return ms - (lastAt - start);
    });
  });

  test("idle: chunks and comments keep a stream alive for longer than any clock but total (21)", async () => {
    const requestId = randomUUID();
    upstream.answerTo(requestId, async ({ socket }) => {
      socket.write(streamHead() + chunk(opening).toString());
      for (const event of [pieces[0]!, ": wait\n\n", ": wait\n\n", pieces[1]!, pieces[2]!, ending]) {
        socket.write(chunk(event));
        await sleep(350);
      }
      socket.write(LAST_CHUNK);
    });
    const reading = await read(callOf("idle", true, requestId));
    assert.deepEqual([reading.text, reading.error], ["one two three", ""]);
    assert.ok(reading.ms > 1700);
  });

  test("idle: a whole answer that stops in its midst (21)", async () => {
    const script = says('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"id": "x",');
    await takes(600, async () => endsBy("idle_timeout", "idle", false, script));
  });

  test("idle: white space before a whole answer keeps it alive (21)", async () => {
    const requestId = randomUUID();
    upstream.answerTo(requestId, async ({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
      socket.write(chunk("\n"));
      await sleep(1000);
      socket.write(chunk(cannedAnswer("openai", "late")) + LAST_CHUNK);
    });
    assert.equal((await read(callOf("idle", false, requestId))).text, "late");
  });

  test("total: whatever is going on (21)", async () => {
    const tokens: Script = async ({ socket }) => {
      socket.write(streamHead() + chunk(opening).toString());
      for (let index = 0; index < 40 && !socket.destroyed; index++) {
        socket.write(chunk(pieces[0]!));
        await sleep(50);
      }
    };
    await takes(900, async () => endsBy("total_timeout", "total", false, says()));
    await takes(900, async () => endsBy("total_timeout", "total", true, says()));
    const requestId = randomUUID();
    upstream.answerTo(requestId, tokens);
    const reading = await read(callOf("total", true, requestId));
    assert.deepEqual([reading.code, reading.complete, reading.cut], ["total_timeout", false, true]);
    assert.ok(reading.text.startsWith("one one one "));
  });

  test("total: a route's own takes the place of the provider's, be it shorter or longer (21)", async () => {
    for (const [route, wantedMs] of [
      ["quick", 400],
      ["patient", 1_400],
    ] as const) {
      await takes(wantedMs, async () => {
        const requestId = randomUUID();
        upstream.answerTo(requestId, says());
        const reading = await read({ ...callOf("total", true, requestId), url: `${gateway.url}/${route}` });
        assert.deepEqual([reading.status, reading.code], [504, "total_timeout"]);
        return reading.ms;
      });
    }
  });

  test("total: it bounds all attempts together (21)", async () => {
    const script: Script = async ({ socket }) => {
      await sleep(150);
      socket.destroy();
    };
    await takes(900, async () => endsBy("total_timeout", "total-again", true, script));
  });

  test("a client's abort is no timeout (21)", async () => {
    for (const stream of [false, true]) {
      const requestId = randomUUID();
      upstream.answerTo(requestId, says());
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 300);
      await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "x-request-id": requestId },
        body: JSON.stringify({ model: stream ? "firstToken" : "total", stream, messages: [] }),
        signal: controller.signal,
      }).catch(() => {});
      const entry = await gateway.entryOf(requestId);
      assert.deepEqual([entry.outcome, entry.error, entry.status], ["aborted", "", 499]);
      assert.ok(entry.promptTokens > 0 && entry.tokensEstimated, "the upstream has read the prompt");
    }
  });
});
