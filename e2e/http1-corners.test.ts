/** HTTP/1.1 as few clients speak it: trailers, expectations, whole URLs as targets, chunks by the million, odd ends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import test, { after, before, beforeEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cleanups, testKey } from "./harness.ts";
import { chatBody, errorCode, exchange, get, parseAnswers, post } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

const MIB = 1024 * 1024;
const guest = testKey("guest");
let world: World;
const cleanups = new Cleanups();
before(async () => {
  const { hash } = testKey("world");
  world = await startWorld(cleanups, {
    config: {
      consumers: [
        { name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] },
        { name: "guests", grants: [{ model: "*" }], keys: [{ name: "main", hash: guest.hash }] },
      ],
      domains: [
        { host: "localhost", routes: [{ path: "/v1/*", api: "openai" }] },
        { host: "guests.example.com", consumers: ["guests"], routes: [{ path: "/guests/*", api: "openai" }] },
      ],
    },
  });
});
beforeEach(() => {
  world.simulators.openai.reset();
});
after(async () => {
  await cleanups.run();
});

const CLOSE = "connection: close";
const CHUNKED = "transfer-encoding: chunked";
const BODY = chatBody(MODELS.openai);
const AS_CHUNKS = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n`;

function chat(lines: readonly string[], body: string, line = "POST /v1/chat/completions HTTP/1.1"): string {
  const own = ["host: localhost", "content-type: application/json", `authorization: Bearer ${world.key}`];
  return `${[line, ...own, ...lines].join("\r\n")}\r\n\r\n${body}`;
}

const LENGTH = `content-length: ${BODY.length}`;
const LAST = (): string => get("/v1/models", [CLOSE, "x-request-id: last"]);

test("trailers change nothing: neither who asks, nor its id, nor what comes next, nor what goes upstream", async () => {
  const trailers = [
    "authorization: Bearer wrong",
    "host: guests.example.com",
    "x-request-id: from-a-trailer",
    "x-checksum: canary",
    "content-type: text/plain",
    "connection: close",
    "expect: 100-continue",
    `x: ${"y".repeat(3_000)}`,
  ];
  const request = chat([CHUNKED, "trailer: x-checksum", "x-request-id: trailers"], AS_CHUNKS);
  const { answers } = await exchange(world.gateway, `${request}${trailers.join("\r\n")}\r\n\r\n${LAST()}`, 5_000);
  assert.deepEqual(
    answers.map(({ status, headers }) => [status, headers.get("x-request-id")]),
    [
      [200, "trailers"],
      [401, "last"],
    ],
  );
  const [received] = world.simulators.openai.requests();
  assert.doesNotMatch(JSON.stringify(received), /canary|checksum/);
});

test("framing in trailers, and trailers that are none, are refused", async () => {
  for (const trailer of ["content-length: 5", "Transfer-Encoding: chunked", "no colon", " folded: x", "x: a\0b"]) {
    const { answers, end } = await exchange(
      world.gateway,
      chat([CHUNKED], `${AS_CHUNKS}${trailer}\r\n\r\n`) + chat([LENGTH], BODY),
      5_000,
    );
    assert.deepEqual([answers.length, answers[0]?.status, end], [1, 400, "end"], trailer);
  }
  assert.equal(world.simulators.openai.stats().hits, 0);
});

test("a body that waits for 100 is asked for when its turn has come, and not before", async () => {
  const slow = chatBody(MODELS.openai, "/simulate text=first&firstTokenMs=300\n");
  const first = chat([`content-length: ${slow.length}`], slow);
  const expecting = chat([LENGTH, "expect: 100-Continue", CLOSE], "");
  const socket = connect(world.gateway.port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (data: string) => (text += data));
  socket.write(first + expecting);
  while (!text.includes("100 Continue")) await once(socket, "data");
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*"first"[^]*\}HTTP\/1\.1 100 Continue\r\n\r\n$/);
  text = "";
  socket.write(BODY);
  await once(socket, "close");
  assert.equal(parseAnswers(text)[0]?.status, 200);
});

test("who does not wait for the 100, or sends chunks, gets one all the same, and then the answer", async () => {
  for (const request of [
    chat([LENGTH, "expect: 100-continue", CLOSE], BODY),
    chat([CHUNKED, "expect: 100-continue", CLOSE], `${AS_CHUNKS}\r\n`),
  ]) {
    const { text } = await exchange(world.gateway, request, 5_000);
    const interim = "HTTP/1.1 100 Continue\r\n\r\n";
    assert.ok(text.startsWith(interim), text);
    assert.equal(parseAnswers(text.slice(interim.length))[0]?.status, 200);
  }
});

test("HTTP/1.0 has no expectations: none is met, and none refused", async () => {
  for (const expectation of ["100-continue", "miracles"]) {
    const line = "POST /v1/chat/completions HTTP/1.0";
    const { answers } = await exchange(world.gateway, chat([LENGTH, `expect: ${expectation}`], BODY, line), 5_000);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200],
    );
  }
});

test("what is sent after an expectation that is refused is no request", async () => {
  const hidden = chat([LENGTH, CLOSE], BODY);
  for (const expectation of ["100-continue, 100-continue", "100-continue;q=1", ""]) {
    const request = chat([`content-length: ${hidden.length}`, `expect: ${expectation}`], hidden);
    const { answers, end } = await exchange(world.gateway, request, 5_000);
    assert.deepEqual([answers.map(({ status }) => status), end], [[417], "end"], expectation);
  }
  assert.equal(world.simulators.openai.stats().hits, 0);
});

test("a whole URL as target: its host counts, with its routes and consumers, and the Host header does not", async () => {
  const cases: readonly (readonly [target: string, host: string, key: string, status: number])[] = [
    ["http://localhost/v1/models", "guests.example.com", world.key, 200],
    ["HTTP://LocalHost.:8080/v1/models?x", "unknown", world.key, 200],
    ["https://guests.example.com/guests/models", "localhost", guest.key, 200],
    ["http://guests.example.com/guests/models", "localhost", world.key, 401],
    ["http://guests.example.com/v1/models", "localhost", guest.key, 404],
    ["http://unknown/v1/models", "localhost", world.key, 404],
    ["http://localhost@unknown/v1/models", "localhost", world.key, 404],
    ["http://user@localhost/v1/models", "localhost", world.key, 404],
    ["http://localhost#/v1/models", "localhost", world.key, 404],
    ["http://localhost//v1/models", "localhost", world.key, 404],
    ["http://localhost/v1/../v1/models", "localhost", world.key, 404],
    ["http://localhost", "localhost", world.key, 404],
    ["http:///v1/models", "localhost", world.key, 400],
    ["ftp://localhost/v1/models", "localhost", world.key, 400],
    ["localhost/v1/models", "localhost", world.key, 400],
  ];
  for (const [target, host, key, status] of cases) {
    const lines = [`GET ${target} HTTP/1.1`, `host: ${host}`, `authorization: Bearer ${key}`, CLOSE];
    const { answers } = await exchange(world.gateway, `${lines.join("\r\n")}\r\n\r\n`, 5_000);
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [status],
      `${target} for ${host}`,
    );
  }
});

test("extensions of chunks have a limit, however small the body", async () => {
  const chunks = `1;x=${"y".repeat(1_000)}\r\n \r\n`.repeat(100);
  const { answers, end } = await exchange(world.gateway, chat([CHUNKED, "x-request-id: extensions"], chunks), 5_000);
  assert.deepEqual([answers[0]?.status, errorCode(answers[0]?.body ?? ""), end], [431, "header_too_large", "end"]);
  assert.equal((await world.gateway.entryOf("extensions")).status, 431);
});

test("a body in millions of chunks takes no more memory than one in a few", async () => {
  const body = chatBody(MODELS.openai, "hi", { user: "x".repeat(3_000_000), stream: true });
  const bytes = Buffer.from(chat([CHUNKED, CLOSE], `${body.replaceAll(/[^]/g, "1\r\n$&\r\n")}0\r\n\r\n`));
  const socket = connect(world.gateway.port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (data: string) => (text += data));
  // all of it but the end: then it is held
  socket.write(bytes.subarray(0, -20));
  while (socket.writableLength > 0) await sleep(20);
  await sleep(300);
  const metrics = await (await fetch(`${world.gateway.adminUrl}/metrics`)).text();
  const resident = Number(/^sluice_process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1]) / MIB;
  socket.write(bytes.subarray(-20));
  await once(socket, "close");
  assert.match(text, /data: \[DONE\]\n\n/);
  assert.ok(resident < 500, `${resident} MiB`);
});

test("who sends too much ahead, and reads only then, hears also of the request that was refused early", async () => {
  const slow = chatBody(MODELS.openai, "/simulate text=first&firstTokenMs=400\n");
  const refused = post("/v1/chat/completions", ["authorization: Bearer wrong"], "x".repeat(4 * MIB));
  const socket = connect(world.gateway.port, "127.0.0.1").pause();
  const errors: Error[] = [];
  let text = "";
  socket.on("error", (error) => errors.push(error));
  socket.setEncoding("latin1").on("data", (data: string) => (text += data));
  socket.pause();
  socket.write(chat([`content-length: ${slow.length}`], slow) + refused.slice(0, 200_000));
  await sleep(500);
  socket.write(refused.slice(200_000));
  await sleep(100);
  socket.resume();
  if (!socket.closed) await once(socket, "close");
  assert.deepEqual(errors, []);
  assert.deepEqual(
    parseAnswers(text).map(({ status }) => status),
    [200, 401],
  );
});

test("the gateway is well after all that", async () => {
  const { answers } = await exchange(world.gateway, chat([LENGTH, CLOSE], BODY), 5_000);
  assert.equal(answers[0]?.status, 200);
  assert.doesNotMatch(world.gateway.log(), /"level":"(error|fatal)"|worker failed/);
});
