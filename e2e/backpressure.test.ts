/** A client that reads slowly makes the upstream wait: memory stays bounded, and slowness is nobody's silence. */
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { cannedStream } from "./canned.ts";
import { Cleanups } from "./harness.ts";
import { startRawWorld, type Pair, type RawWorld } from "./raw-world.ts";
import { chunk, closed, LAST_CHUNK, streamHead } from "./raw-upstream.ts";

const MIB = 1024 * 1024;
const PIECE = "x".repeat(64 * 1024);
/** Longer than the idle clock of the provider. */
const STALL_MS = 1_200;
/** What the system's buffers of two connections hold, with room. */
const MOST_UNDER_WAY = 40 * MIB;
/** What the process may grow by; streams are several times that. */
const MOST_GROWTH = 96 * MIB;

let world: RawWorld;
const cleanups = new Cleanups();
before(async () => {
  world = await startRawWorld(cleanups, { timeouts: { firstToken: "5s", idle: "500ms", total: "60s" } });
});
after(async () => {
  await cleanups.run();
});

/** 0 where the system does not say it so. */
function residentBytes(): number {
  if (process.platform !== "linux") return 0;
  const status = readFileSync(`/proc/${world.gateway.process.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.once("drain", () => {
      resolve();
    });
  });
}

/** Writes parts as fast as the gateway takes them, and counts what it took. */
async function pour(socket: Socket, parts: Iterable<string | Buffer>, took: (bytes: number) => void): Promise<void> {
  for (const part of parts) {
    if (socket.destroyed) return;
    took(part.length);
    if (!socket.write(part)) await Promise.race([drained(socket), closed(socket)]);
  }
}

function* streamParts(target: Pair["target"], pieces: number): Generator<string | Buffer> {
  const {
    opening,
    pieces: [piece = ""],
    ending,
  } = cannedStream(target, [PIECE]);
  const event = chunk(piece);
  yield streamHead() + chunk(opening).toString();
  for (let count = 0; count < pieces; count++) yield event;
  yield chunk(ending).toString() + LAST_CHUNK;
}

/** The same in gzip, whose members may follow each other. The text is of little redundancy, so that it is no bomb. */
function* zippedParts(target: Pair["target"], pieces: number): Generator<string | Buffer> {
  const text = randomBytes(PIECE.length / 2).toString("hex");
  const {
    opening,
    pieces: [piece = ""],
    ending,
  } = cannedStream(target, [text]);
  const event = chunk(gzipSync(piece));
  yield streamHead(["content-encoding: gzip"]);
  yield chunk(gzipSync(opening));
  for (let count = 0; count < pieces; count++) yield event;
  yield chunk(gzipSync(ending));
  yield LAST_CHUNK;
}

interface Case {
  readonly name: string;
  readonly pair: Pair;
  readonly pieces: number;
  readonly parts: (target: Pair["target"], pieces: number) => Iterable<string | Buffer>;
}

const CASES: readonly Case[] = [
  { name: "200 MiB that pass through", pair: { client: "openai", target: "openai" }, pieces: 3200, parts: streamParts },
  {
    name: "64 MiB that are converted",
    pair: { client: "openai", target: "anthropic" },
    pieces: 1024,
    parts: streamParts,
  },
  { name: "128 MiB in gzip", pair: { client: "anthropic", target: "anthropic" }, pieces: 2048, parts: zippedParts },
];

for (const { name, pair, pieces, parts } of CASES) {
  test(`${name}: the upstream waits for a client that does not read`, async (t) => {
    const requestId = randomUUID();
    let taken = 0;
    world.upstreams[pair.target].answerTo(requestId, async ({ socket }) =>
      pour(socket, parts(pair.target, pieces), (bytes) => {
        taken += bytes;
      }),
    );
    const body = JSON.stringify({
      model: pair.target,
      stream: true,
      max_tokens: 9,
      messages: [{ role: "user", content: "hi" }],
    });
    const path = pair.client === "openai" ? "/v1/chat/completions" : "/v1/messages";
    const before = residentBytes();
    let most = before;
    const sampler = setInterval(() => {
      most = Math.max(most, residentBytes());
    }, 20);
    const client = connect(world.gateway.port, "127.0.0.1");
    t.after(() => {
      clearInterval(sampler);
      client.destroy();
    });
    client.write(
      `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${world.key}\r\nx-request-id: ${requestId}\r\n` +
        `content-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await sleep(STALL_MS);
    const takenInStall = taken;
    assert.ok(takenInStall > MIB && takenInStall < MOST_UNDER_WAY, `${takenInStall / MIB} MiB were taken in the stall`);
    let received = 0;
    let tail = "";
    client.on("data", (bytes: Buffer) => {
      received += bytes.length;
      tail = (tail + bytes.toString("latin1")).slice(-400);
    });
    await closed(client);
    assert.ok(received > pieces * PIECE.length, `${received} bytes came`);
    assert.match(tail, pair.client === "openai" ? /\[DONE\]\n\n\r\n0\r\n\r\n$/ : /message_stop"\}\n\n\r\n0\r\n\r\n$/);
    assert.ok(most - before < MOST_GROWTH, `the process grew by ${(most - before) / MIB} MiB`);
    const entry = await world.gateway.entryOf(requestId);
    assert.deepEqual([entry.outcome, entry.error], ["ok", ""]);
  });
}
