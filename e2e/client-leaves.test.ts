/** A client that leaves, at any moment and in either way: the upstream is closed within a second, and there is one entry (11). */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { UsageEntry } from "../src/ledger/entry.ts";
import { CANNED_USAGE, cannedAnswer, cannedStream } from "./canned.ts";
import { Cleanups } from "./harness.ts";
import { nameOf, PAIRS, startRawWorld, type Pair, type RawWorld } from "./raw-world.ts";
import { chunk, closed, says, streamHead, wholeAnswer, type RawRequest, type Script } from "./raw-upstream.ts";

let world: RawWorld;
const cleanups = new Cleanups();
before(async () => {
  const timeouts = { firstToken: "20s", idle: "20s", total: "30s" };
  world = await startRawWorld(cleanups, { timeouts, retry: { attempts: 5 } });
});
after(async () => {
  await cleanups.run();
});

const WAYS: Readonly<Record<string, (socket: Socket) => void>> = {
  FIN: (socket) => {
    socket.end();
  },
  RST: (socket) => {
    socket.resetAndDestroy();
  },
};
const PIECES = ["one ", "two ", "three "];

interface Moment {
  readonly name: string;
  readonly stream: boolean;
  /** Goes on once the client is to leave. */
  readonly script: (pair: Pair) => Script;
  /** What the client waits for in its answer before it leaves; without it, for its request to be upstream. */
  readonly seen?: string;
  readonly completionTokens: number;
}

const MOMENTS: readonly Moment[] = [
  { name: "before the head of a whole answer", stream: false, script: () => says(), completionTokens: 0 },
  {
    name: "within a whole answer",
    stream: false,
    script: ({ target }) => says(wholeAnswer(cannedAnswer(target, "x")).subarray(0, -20)),
    completionTokens: 0,
  },
  { name: "before the head of a stream", stream: true, script: () => says(), completionTokens: 0 },
  {
    name: "before the first token",
    stream: true,
    script: ({ target }) => says(streamHead(), chunk(cannedStream(target, []).opening)),
    completionTokens: 0,
  },
  {
    name: "in the midst of a stream",
    stream: true,
    script: ({ target }) => {
      const { opening, pieces } = cannedStream(target, PIECES);
      return says(streamHead(), chunk(opening + pieces.join("")));
    },
    seen: "three",
    completionTokens: 3,
  },
  {
    name: "while chunks come",
    stream: true,
    script:
      ({ target }) =>
      async ({ socket }) => {
        const { opening, pieces } = cannedStream(target, PIECES);
        socket.write(streamHead() + chunk(opening).toString());
        for (let index = 0; index < 500 && !socket.destroyed; index++) {
          socket.write(chunk(pieces[index % PIECES.length]!));
          await sleep(5);
        }
      },
    seen: "three",
    completionTokens: 3,
  },
];

function requestBytes({ client, target }: Pair, stream: boolean, requestId: string): string {
  const body = JSON.stringify({ model: target, stream, max_tokens: 9, messages: [{ role: "user", content: "hi" }] });
  const path = client === "openai" ? "/v1/chat/completions" : "/v1/messages";
  const head = [`POST ${path} HTTP/1.1`, "host: x", `authorization: Bearer ${world.key}`, `x-request-id: ${requestId}`];
  return `${head.join("\r\n")}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

async function opened(): Promise<Socket> {
  const socket = connect(world.gateway.port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Sends a request and waits for the moment to leave; then the upstream must be closed within a second. */
async function leave(pair: Pair, moment: Moment, how: (socket: Socket) => void): Promise<UsageEntry> {
  const requestId = randomUUID();
  const arrived = Promise.withResolvers<RawRequest>();
  const upstream = world.upstreams[pair.target];
  upstream.answerTo(requestId, async (request) => {
    arrived.resolve(request);
    await moment.script(pair)(request);
  });
  const client = await opened();
  let received = "";
  const seen = Promise.withResolvers<void>();
  client.on("data", (bytes: Buffer) => {
    received += bytes.toString();
    if (moment.seen !== undefined && received.includes(moment.seen)) seen.resolve();
  });
  client.write(requestBytes(pair, moment.stream, requestId));
  const { socket } = await arrived.promise;
  await (moment.seen === undefined ? sleep(30) : seen.promise);
  const leftAt = performance.now();
  how(client);
  await closed(socket);
  const ms = performance.now() - leftAt;
  assert.ok(ms < 1000, `the upstream was closed after ${ms} ms`);
  client.destroy();
  const entry = await world.gateway.entryOf(requestId);
  assert.equal(upstream.hitsOf(requestId), 1, "an abort is not retried");
  return entry;
}

describe("a client that leaves", { concurrency: 8 }, () => {
  for (const moment of MOMENTS) {
    for (const [way, how] of Object.entries(WAYS)) {
      test(`${moment.name}, ${way} (11)`, async () => {
        const checks = PAIRS.map(async (pair) => {
          const entry = await leave(pair, moment, how);
          const what = `${nameOf(pair, moment.stream)}: ${JSON.stringify(entry)}`;
          const status = moment.seen === undefined ? 499 : 200;
          assert.deepEqual(
            [entry.outcome, entry.status, entry.error, entry.attempts],
            ["aborted", status, "", 1],
            what,
          );
          assert.equal(entry.tokensEstimated, true, what);
          if (pair.target === "anthropic" && moment.name === "in the midst of a stream") {
            assert.equal(entry.promptTokens, CANNED_USAGE.prompt, "as message_start said");
          }
          assert.ok(entry.promptTokens > 0, what);
          const { completionTokens } = entry;
          // message_start has one already
          const least =
            moment.name === "before the first token" && pair.target === "anthropic" ? 1 : moment.completionTokens;
          assert.ok(moment.name === "while chunks come" ? completionTokens >= 3 : completionTokens === least, what);
        });
        await Promise.all(checks);
      });
    }
  }

  test("while its request is on the way: nothing reaches an upstream (11)", async () => {
    for (const how of Object.values(WAYS)) {
      const pair: Pair = { client: "openai", target: "openai" };
      const requestId = randomUUID();
      const client = await opened();
      client.write(requestBytes(pair, false, requestId).slice(0, -10));
      await sleep(50);
      how(client);
      const entry = await world.gateway.entryOf(requestId);
      assert.deepEqual([entry.outcome, entry.attempts, entry.promptTokens], ["aborted", 0, 0]);
      assert.equal(world.upstreams.openai.hitsOf(requestId), 0);
    }
  });

  test("between two attempts: there is no further one (11)", async () => {
    const pair: Pair = { client: "openai", target: "openai" };
    const requestId = randomUUID();
    const failing = says(wholeAnswer("{}", { status: 429, headers: ["retry-after-ms: 600"] }));
    world.upstreams.openai.answerTo(requestId, failing);
    const client = await opened();
    client.write(requestBytes(pair, false, requestId));
    await sleep(200);
    assert.equal(world.upstreams.openai.hitsOf(requestId), 1);
    client.destroy();
    const entry = await world.gateway.entryOf(requestId);
    assert.deepEqual([entry.outcome, entry.attempts], ["aborted", 1]);
    await sleep(700);
    assert.equal(world.upstreams.openai.hitsOf(requestId), 1);
  });
});
