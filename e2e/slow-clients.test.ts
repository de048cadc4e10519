/** Clients that are slow: they are answered 408 in time, or closed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import test, { after, before, beforeEach } from "node:test";
import { Cleanups } from "./harness.ts";
import { chatBody, errorCode, exchange, get, parseAnswers, post } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

const HEADERS_MS = 1_000;
const REQUEST_MS = 1_500;
const KEEP_ALIVE_MS = 1_500;
/** Connections are looked at once a second. */
const LATE_MS = 1_600;
let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups, {
    workers: 2,
    config: {
      server: {
        headersTimeout: `${HEADERS_MS}ms`,
        requestTimeout: `${REQUEST_MS}ms`,
        keepAliveTimeout: `${KEEP_ALIVE_MS}ms`,
      },
    },
  });
});
beforeEach(() => {
  world.simulators.openai.reset();
});
after(async () => {
  await cleanups.run();
});

interface SlowEnd {
  readonly text: string;
  readonly ms: number;
}

/** Sends the first part, then the rest byte by byte, and waits until the gateway ends it. */
async function drip(first: string, rest: string, everyMs: number): Promise<SlowEnd> {
  const startedAt = performance.now();
  const socket = connect(world.gateway.port, "127.0.0.1");
  let text = "";
  socket.on("error", () => {});
  socket.setEncoding("latin1").on("data", (data: string) => (text += data));
  socket.write(first);
  let at = 0;
  const timer = setInterval(() => {
    if (at < rest.length && socket.writable) socket.write(rest[at++]!);
  }, everyMs);
  await once(socket, "end");
  clearInterval(timer);
  socket.destroy();
  return { text, ms: performance.now() - startedAt };
}

function assertIn(ms: number, wanted: number): void {
  assert.ok(ms >= wanted - 50 && ms <= wanted + LATE_MS, `after ${ms} ms instead of ${wanted}`);
}

test("slow headers and slow bodies are 408, within the configured times", async () => {
  const body = chatBody(MODELS.openai, "x".repeat(1000));
  const request = post("/v1/chat/completions", [`authorization: Bearer ${world.key}`, "x-request-id: slow-body"], body);
  const bodyStart = request.length - body.length;
  const chunked = request
    .replace(/content-length: \d+/, "transfer-encoding: chunked")
    .replace("slow-body", "slow-chunks")
    .slice(0, -body.length);
  const [header, halfHeader, slowBody, slowChunks, stalledBody] = await Promise.all([
    drip(request.slice(0, 1), request.slice(1), 40),
    drip(request.slice(0, 60), "", 40),
    drip(request.slice(0, bodyStart), body, 40),
    drip(chunked, `5\r\n{"mod\r\n`.repeat(100), 40),
    drip(request.slice(0, -10).replace("slow-body", "stalled-body"), "", 40),
  ]);
  for (const { text, ms } of [header, halfHeader]) {
    const [answer] = parseAnswers(text);
    assert.deepEqual([answer?.status, errorCode(answer?.body ?? "")], [408, "request_timeout"]);
    assertIn(ms, HEADERS_MS);
  }
  for (const { text, ms } of [slowBody, slowChunks, stalledBody]) {
    const answers = parseAnswers(text);
    assert.equal(answers.length, 1);
    assert.deepEqual([answers[0]?.status, errorCode(answers[0]?.body ?? "")], [408, "request_timeout"]);
    assertIn(ms, REQUEST_MS);
  }
  assert.equal(world.simulators.openai.stats().hits, 0);
  for (const requestId of ["slow-body", "slow-chunks", "stalled-body"]) {
    const entry = await world.gateway.entryOf(requestId);
    assert.deepEqual([entry.outcome, entry.status, entry.error], ["refused", 408, "request_timeout"]);
  }
});

test("a connection without a byte, or with line ends only, is closed without a word", async () => {
  const [silent, lines] = await Promise.all([drip("", "", 100), drip("\r\n", "\r\n".repeat(200), 100)]);
  assert.equal(silent.text, "");
  assertIn(silent.ms, HEADERS_MS);
  assert.ok(lines.ms < HEADERS_MS + KEEP_ALIVE_MS + LATE_MS, `${lines.ms} ms`);
});

test("a connection that is kept is closed when nothing comes, but not while a request is under way", async () => {
  const request = get("/v1/models", [`authorization: Bearer ${world.key}`]);
  const slow = chatBody(MODELS.openai, `/simulate reply=lorem&tokens=2&firstTokenMs=${KEEP_ALIVE_MS + 1_500}\n`);
  const headers = [`authorization: Bearer ${world.key}`, "connection: close"];
  const [idle, dripping, waiting] = await Promise.all([
    exchange(world.gateway, request, 10_000),
    drip(request, "\r\n".repeat(200), 100),
    exchange(world.gateway, post("/v1/chat/completions", headers, slow), 10_000),
  ]);
  assert.equal(idle.answers.length, 1);
  assertIn(idle.ms, KEEP_ALIVE_MS);
  assert.ok(dripping.ms < HEADERS_MS + KEEP_ALIVE_MS + LATE_MS, `${dripping.ms} ms`);
  assert.equal(waiting.answers[0]?.status, 200);
});
