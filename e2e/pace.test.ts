/** The pace of streams: chunks arrive as they come, whatever filters and conversions are on; silence has heartbeats (22, 23). */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import type { DialectName } from "../src/dialects/form.ts";
import { cannedStream } from "./canned.ts";
import { Cleanups } from "./harness.ts";
import { checkErrorShape } from "./error-shape.ts";
import { nameOf, PAIRS, startRawWorld, type Pair, type RawWorld } from "./raw-world.ts";
import { chunk, LAST_CHUNK, streamHead, type Script } from "./raw-upstream.ts";

const HEARTBEAT_MS = 500;
/** Heartbeats are looked for once a second at least. */
const SILENCE_MS = 1_800;
let plain: RawWorld;
let filtered: RawWorld;
const cleanups = new Cleanups();
before(async () => {
  const timeouts = { firstToken: "5s", idle: "5s", total: "20s" };
  [plain, filtered] = await Promise.all([
    startRawWorld(cleanups, { timeouts, server: { heartbeat: `${HEARTBEAT_MS}ms` } }),
    startRawWorld(cleanups, { timeouts, target: { filters: [{ name: "think_tags" }] } }),
  ]);
});
after(async () => {
  await cleanups.run();
});

/** Sends the stream's pieces with these pauses before them; tells when. */
function paced(
  target: DialectName,
  pieces: readonly string[],
  pauseMs: (index: number) => number,
  sentAt: number[] = [],
): Script {
  const stream = cannedStream(target, pieces);
  return async ({ socket }) => {
    socket.write(streamHead());
    socket.write(chunk(stream.opening));
    for (const [index, piece] of stream.pieces.entries()) {
      await sleep(pauseMs(index));
      socket.write(chunk(piece));
      sentAt.push(performance.now());
    }
    socket.write(chunk(stream.ending) + LAST_CHUNK);
  };
}

/** When the events with content arrived at the client. */
async function arrivals(world: RawWorld, { client, target }: Pair, requestId: string): Promise<number[]> {
  const isOpenai = client === "openai";
  const response = await fetch(world.gateway.url + (isOpenai ? "/v1/chat/completions" : "/v1/messages"), {
    method: "POST",
    headers: { authorization: `Bearer ${world.key}`, "content-type": "application/json", "x-request-id": requestId },
    body: JSON.stringify({
      model: target,
      stream: true,
      max_tokens: 100,
      messages: [{ role: "user", content: "hi" }],
    }),
  });
  const times: number[] = [];
  for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
    if (/"(?:content|reasoning_content|text|thinking)":"[^"]/.test(Buffer.from(bytes).toString())) {
      times.push(performance.now());
    }
  }
  return times;
}

function gapsOf(times: readonly number[]): number[] {
  return times.slice(1).map((time, index) => Math.round(time - times[index]!));
}

describe("chunks", { concurrency: 8 }, () => {
  for (const [kind, worldOf, pieces] of [
    ["as they come", () => plain, ["one", " two", " three", " four", " five"]],
    ["with think_tags", () => filtered, ["<think>one", " two", " three</think>", "four", " five"]],
  ] as const) {
    for (const pair of PAIRS) {
      test(`every 250 ms arrive less than 300 ms apart, ${kind}, ${nameOf(pair, true)} (22)`, async () => {
        const seen: string[] = [];
        // a busy machine may need several tries, and sends late itself
        for (let attempt = 0; attempt < 5; attempt++) {
          const world = worldOf();
          const requestId = randomUUID();
          const sentAt: number[] = [];
          world.upstreams[pair.target].answerTo(
            requestId,
            paced(pair.target, pieces, () => 250, sentAt),
          );
          const times = await arrivals(world, pair, requestId);
          const gaps = gapsOf(times);
          assert.equal(times.length, pieces.length, `one arrival for each chunk, gaps ${gaps.join(" ")} ms`);
          const late = gapsOf(sentAt).map((gap) => Math.max(0, gap - 250));
          if (gaps.every((gap, index) => gap < 300 + late[index]!)) return;
          seen.push(gaps.join(" "));
        }
        assert.fail(`gaps: ${seen.join("; ")} ms`);
      });
    }
  }
});

const PIECES = ["eins ", "zwei ", "drei"];
const silent = (target: DialectName): Script => paced(target, PIECES, (index) => (index === 2 ? 0 : SILENCE_MS));

describe("silence", { concurrency: 12 }, () => {
  for (const pair of PAIRS) {
    test(`has heartbeats between events, before the first token and after it, ${nameOf(pair, true)} (23)`, async () => {
      const { reading } = await plain.call(pair, true, silent(pair.target));
      assert.deepEqual([reading.text, reading.complete, reading.error], [PIECES.join(""), true, ""]);
      const events = reading.body.split("\n\n").filter((event) => event !== "");
      const beats = events.map((event) => event.startsWith(":"));
      for (const [index, event] of events.entries()) {
        assert.match(event, beats[index] ? /^:[^\n]*$/ : /^(?:event: \w+\n)?data: [^\n]*$/, "a beat within an event");
      }
      const first = events.findIndex((event) => event.includes("eins"));
      const second = events.findIndex((event) => event.includes("zwei"));
      assert.ok(beats.slice(0, first).includes(true), "before the first token");
      assert.ok(beats.slice(first, second).includes(true), "after it");
      assert.ok(!beats.slice(second).includes(true), "none where there is no silence");
    });

    test(`a failure after heartbeats and before the first token is an event, ${nameOf(pair, true)} (23)`, async () => {
      const result = await plain.call(pair, true, async ({ socket }) => {
        await sleep(SILENCE_MS);
        socket.destroy();
      });
      const { reading } = result;
      assert.deepEqual([reading.status, reading.text, reading.complete, reading.cut], [200, "", false, true]);
      checkErrorShape(pair.client, reading.body.replaceAll(/^:.*\n\n/gm, ""), reading.body);
      const entry = await result.entry();
      assert.deepEqual([entry.status, entry.error], [200, "upstream_error"]);
    });
  }

  test("official SDKs live through it (23)", async () => {
    for (const target of ["openai", "anthropic"] as const) plain.upstreams[target].answer(silent(target));
    const openai = new OpenAI({ baseURL: `${plain.gateway.url}/v1`, apiKey: plain.key, maxRetries: 0 });
    const anthropic = new Anthropic({ baseURL: plain.gateway.url, apiKey: plain.key, maxRetries: 0 });
    const messages = [{ role: "user" as const, content: "hi" }];
    const readers = (["openai", "anthropic"] as const).flatMap((model) => [
      (async (): Promise<string> => {
        let text = "";
        const stream = await openai.chat.completions.create({ model, stream: true, messages });
        for await (const event of stream) text += event.choices[0]?.delta.content ?? "";
        return text;
      })(),
      (async (): Promise<string> => {
        const message = await anthropic.messages.stream({ model, max_tokens: 100, messages }).finalMessage();
        return message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
      })(),
    ]);
    assert.deepEqual(
      await Promise.all(readers),
      Array.from({ length: 4 }, () => PIECES.join("")),
    );
  });
});
