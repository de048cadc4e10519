/** Floods of HTTP/2 frames that cost a client nothing: the session is ended before they cost the gateway anything. */
import assert from "node:assert/strict";
import { once } from "node:events";
import test, { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { createAuthority, type Authority } from "./certificates.ts";
import { Cleanups, until } from "./harness.ts";
import { chatStream, openSession, readStream } from "./http2-client.ts";
import { chatBody } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

const DATA = 0;
const HEADERS = 1;
const PRIORITY = 2;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;
const UNKNOWN = 0x42;
const END_STREAM = 1;
const END_HEADERS = 4;
const CANCEL = Buffer.from([0, 0, 0, 8]);
const BODY = chatBody(MODELS.openai, "/simulate firstTokenMs=5000\n");

let authority: Authority;
let world: World;
const cleanups = new Cleanups();
before(async () => {
  authority = createAuthority(cleanups);
  world = await startWorld(cleanups, { config: { server: { tls: { ...authority.issue("floods") } } } });
});
after(async () => {
  await cleanups.run();
});

/** RFC 9113 section 4.1. */
function frame(type: number, flags: number, stream: number, payload: string | Buffer = ""): Buffer {
  const bytes = Buffer.from(payload as string);
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

/** A header, neither indexed nor compressed (RFC 7541 section 6.2.2); up to 126 characters each. */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);
}

function chatHead(): Buffer {
  const headers = {
    ":method": "POST",
    ":scheme": "https",
    ":path": "/v1/chat/completions",
    ":authority": "localhost",
    "content-type": "application/json",
    authorization: `Bearer ${world.key}`,
  };
  return Buffer.concat(Object.entries(headers).map(([name, value]) => literal(name, value)));
}

/** What is sent over and over; the number of the round makes stream numbers. */
type Flood = (round: number) => readonly Buffer[];

const ofStream = (round: number): number => 2 * round + 1;
const FLOODS: Readonly<Record<string, Flood>> = {
  "headers without end": (round) => [
    round === 0 ? frame(HEADERS, 0, 1, chatHead()) : frame(CONTINUATION, 0, 1, literal("x", "y".repeat(100))),
  ],
  "empty headers without end": (round) => [round === 0 ? frame(HEADERS, 0, 1, chatHead()) : frame(CONTINUATION, 0, 1)],
  "streams that are reset at once": (round) => [
    frame(HEADERS, END_HEADERS, ofStream(round), chatHead()),
    frame(RST_STREAM, 0, ofStream(round), CANCEL),
  ],
  "requests that are reset at once": (round) => [
    frame(HEADERS, END_HEADERS, ofStream(round), chatHead()),
    frame(DATA, END_STREAM, ofStream(round), BODY),
    frame(RST_STREAM, 0, ofStream(round), CANCEL),
  ],
  "requests that make the gateway reset them": (round) => [
    frame(HEADERS, END_HEADERS, ofStream(round), chatHead()),
    frame(DATA, END_STREAM, ofStream(round), BODY),
    frame(WINDOW_UPDATE, 0, ofStream(round), Buffer.alloc(4)),
  ],
  "empty bodies without end": (round) => [round === 0 ? frame(HEADERS, END_HEADERS, 1, chatHead()) : frame(DATA, 0, 1)],
  // what is acknowledged comes faster than that
  pings: () => Array.from({ length: 20 }, () => frame(PING, 0, 0, Buffer.alloc(8))),
  settings: () => Array.from({ length: 20 }, () => frame(SETTINGS, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]))),
  priorities: (round) => [frame(PRIORITY, 0, ofStream(round), Buffer.from([0, 0, 0, 0, 1]))],
  "frames that nobody knows": () => [frame(UNKNOWN, 0, 0, "x".repeat(100))],
};

const ROUNDS = 200_000;
const ROUNDS_A_WRITE = 200;

/** Sends as much as the gateway takes; returns how many rounds until it ended the connection. */
async function flood(make: Flood): Promise<number> {
  const port = { port: world.gateway.port, host: "127.0.0.1" };
  const socket: TLSSocket = connect({ ...port, servername: "localhost", ca: authority.cert, ALPNProtocols: ["h2"] });
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "secureConnect");
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(frame(SETTINGS, 0, 0));
  let round = 0;
  while (!socket.destroyed && round < ROUNDS) {
    const last = round + ROUNDS_A_WRITE;
    const frames: Buffer[] = [];
    for (; round < last; round++) frames.push(...make(round));
    socket.write(Buffer.concat(frames));
    // the gateway, and what it says, get their turn
    await sleep(1);
  }
  socket.destroy();
  return round;
}

for (const [name, make] of Object.entries(FLOODS)) {
  test(`${name}: the connection is ended`, async (t) => {
    const rounds = await flood(make);
    assert.ok(rounds < ROUNDS / 4, `${rounds} rounds were taken`);
    await world.simulators.openai.waitFor((seen) => seen.live === 0, 2_000);
    const session = await openSession(t, world.gateway.port, authority.cert);
    const { status } = await readStream(chatStream(session, world.key, chatBody(MODELS.openai)));
    assert.equal(status, 200, "others are served");
  });
}

test("after all of it every request has its entry, and the gateway is as it was", async () => {
  const metrics = await (await fetch(`${world.gateway.adminUrl}/metrics`)).text();
  const valueOf = (name: string): number =>
    Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(metrics)?.[1]);
  assert.equal(valueOf("sluice_worker_restarts_total"), 0);
  assert.ok(valueOf("sluice_process_resident_memory_bytes") < 600 * 2 ** 20);
  await until("all slots to be free", async () => {
    const text = await (await fetch(`${world.gateway.adminUrl}/metrics`)).text();
    return /^sluice_ledger_slots_in_use\{[^}]*\} 0$/m.test(text) ? true : undefined;
  });
});
