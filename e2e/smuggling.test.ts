/** Bytes that two readers could take for two things are refused with a clear 4xx, and nothing reaches an upstream. */
import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";
import { Cleanups } from "./harness.ts";
import { chatBody, errorCode, exchange, get, post } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups);
});
beforeEach(() => {
  world.simulators.openai.reset();
});
after(async () => {
  await cleanups.run();
});

const BODY = chatBody(MODELS.openai);
const LENGTH = `content-length: ${BODY.length}`;
const CHUNKED = "transfer-encoding: chunked";
const AS_CHUNKS = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
const HOST = "host: localhost";
const CLOSE = "connection: close";

/** A chat request with these header lines in place of the usual framing. */
function chat(lines: readonly string[], body: string, line = "POST /v1/chat/completions HTTP/1.1"): string {
  const own = ["content-type: application/json", `authorization: Bearer ${world.key}`];
  return `${[line, ...own, ...lines].join("\r\n")}\r\n\r\n${body}`;
}

/** What another reader could take for a request of its own. */
function hidden(): string {
  return post("/v1/chat/completions", [`authorization: Bearer ${world.key}`], BODY);
}

async function assertRefused(name: string, bytes: string | Buffer, statuses: readonly number[] = [400]): Promise<void> {
  const { answers, end, text } = await exchange(world.gateway, bytes, 3_000);
  assert.equal(answers.length, 1, `${name}: ${JSON.stringify(text)}`);
  assert.ok(statuses.includes(answers[0]!.status), `${name}: ${text}`);
  assert.notEqual(end, "timeout", `${name}: the connection stayed open`);
  assert.equal(answers[0]!.headers.get("connection"), "close", name);
  assert.notEqual(errorCode(answers[0]!.body), "", name);
  assert.equal(world.simulators.openai.stats().hits, 0, `${name}: something reached the upstream`);
}

test("two ways to say how long a body is", async () => {
  const cases: Record<string, readonly [lines: readonly string[], body: string, line?: string]> = {
    "length and chunks": [[HOST, LENGTH, CHUNKED], AS_CHUNKS],
    "chunks and length": [[HOST, CHUNKED, LENGTH], AS_CHUNKS],
    "no length and chunks": [[HOST, "content-length: 0", CHUNKED], AS_CHUNKS],
    "two lengths": [[HOST, LENGTH, "content-length: 3"], BODY],
    "one length twice": [[HOST, LENGTH, LENGTH], BODY],
    "a list of lengths": [[HOST, `${LENGTH}, ${BODY.length}`], BODY],
    "a signed length": [[HOST, `content-length: +${BODY.length}`], BODY],
    "a negative length": [[HOST, "content-length: -1"], BODY],
    "a hexadecimal length": [[HOST, "content-length: 0x10"], BODY],
    "a length beyond all numbers": [[HOST, "content-length: 99999999999999999999999"], BODY],
    "an empty length": [[HOST, "content-length:"], BODY],
    "a coding that hides chunked": [[HOST, "transfer-encoding: xchunked"], AS_CHUNKS],
    "chunked, then another coding": [[HOST, "transfer-encoding: chunked, identity"], AS_CHUNKS],
    "chunks in HTTP/1.0": [[HOST, CHUNKED], AS_CHUNKS, "POST /v1/chat/completions HTTP/1.0"],
    "chunked twice": [[HOST, "transfer-encoding: chunked, chunked"], AS_CHUNKS],
    "an unknown coding": [[HOST, "transfer-encoding: gzip"], AS_CHUNKS],
    "a space before the colon": [[HOST, "transfer-encoding : chunked"], AS_CHUNKS],
    "a tab before the colon": [[HOST, "content-length\t: 5"], BODY],
  };
  for (const [name, [lines, body, line]] of Object.entries(cases)) {
    await assertRefused(name, chat(lines, body, line) + hidden());
  }
});

test("chunks that are none", async () => {
  const cases: Record<string, string> = {
    "a size that is no number": `zz\r\n${BODY}\r\n0\r\n\r\n`,
    "a negative size": `-5\r\n${BODY}\r\n0\r\n\r\n`,
    "a size with a prefix": `0x5\r\n${BODY}\r\n0\r\n\r\n`,
    "a size beyond all numbers": `fffffffffffffffff\r\n${BODY}\r\n0\r\n\r\n`,
    "a size with a space": `${BODY.length.toString(16)} \r\n${BODY}\r\n0\r\n\r\n`,
    "a bare line feed after the size": `${BODY.length.toString(16)}\n${BODY}\r\n0\r\n\r\n`,
    "more data than the size says": `5\r\n${BODY}\r\n0\r\n\r\n`,
    "a bare line feed after the data": `${BODY.length.toString(16)}\r\n${BODY}\n0\r\n\r\n`,
    "a line feed in an extension": `${BODY.length.toString(16)};a\nb\r\n${BODY}\r\n0\r\n\r\n`,
    "an endless extension": `${BODY.length.toString(16)};${"a".repeat(100_000)}\r\n${BODY}\r\n0\r\n\r\n`,
  };
  for (const [name, body] of Object.entries(cases)) {
    const requestId = `chunks-${Object.keys(cases).indexOf(name)}`;
    await assertRefused(name, chat([HOST, CHUNKED, `x-request-id: ${requestId}`], body) + hidden());
  }
  await world.gateway.entryOf(`chunks-${Object.keys(cases).length - 1}`);
  const entries = (await world.gateway.entries()).filter((entry) => entry.requestId.startsWith("chunks-"));
  assert.equal(entries.length, Object.keys(cases).length);
  for (const { outcome, status, error } of entries) {
    assert.deepEqual([outcome, status, error], ["refused", 400, "invalid_request"]);
  }
});

test("lines and names that are none", async () => {
  const cases: Record<string, string> = {
    "a bare line feed": chat([`${HOST}\nx: y`, LENGTH], BODY),
    "bare line feeds only": chat([HOST, LENGTH], BODY).replaceAll("\r\n", "\n"),
    "a bare carriage return": chat([`${HOST}\rx: y`, LENGTH], BODY),
    "a folded line": chat([HOST, "x: y\r\n z", LENGTH], BODY),
    "a folded coding": chat([HOST, "transfer-encoding:\r\n chunked"], AS_CHUNKS),
    "a folded first line": chat([` ${HOST}`, HOST, LENGTH], BODY),
    "a NUL in a value": chat([HOST, "x: a\0b", LENGTH], BODY),
    "a NUL in a name": chat([HOST, "x\0: a", LENGTH], BODY),
    "a name without a colon": chat([HOST, "nonsense", LENGTH], BODY),
    "an empty name": chat([HOST, ": x", LENGTH], BODY),
    "a bracket in a name": chat([HOST, "x[]: y", LENGTH], BODY),
    "no host": chat([LENGTH], BODY),
    "another version": chat([HOST, LENGTH], BODY, "POST /v1/chat/completions HTTP/1.2"),
    "HTTP/2 without its preface": chat([HOST, LENGTH], BODY, "POST /v1/chat/completions HTTP/2.0"),
    "a method that is none": chat([HOST, LENGTH], BODY, "FOO /v1/chat/completions HTTP/1.1"),
    "a method in small letters": chat([HOST, LENGTH], BODY, "post /v1/chat/completions HTTP/1.1"),
    "a space in the target": chat([HOST, LENGTH], BODY, "POST /v1/chat/ completions HTTP/1.1"),
    "a control character in the target": chat([HOST, LENGTH], BODY, "POST /v1/chat/\u0001completions HTTP/1.1"),
    "HTTP/0.9": "GET /v1/models\r\n\r\n",
    "a TLS hello": "\u0016\u0003\u0001\u0000\u00a5\u0001\u0000\u0000\u00a1\u0003\u0003\r\n\r\n",
  };
  for (const [name, bytes] of Object.entries(cases)) {
    await assertRefused(name, Buffer.from(name === "HTTP/0.9" ? bytes : bytes + hidden(), "latin1"));
  }
});

test("headers beyond the limit are 431: one of 1 MB, a target of 1 MB, a great many", async () => {
  const cases: Record<string, string> = {
    "a value": chat([HOST, `x: ${"y".repeat(1_000_000)}`, LENGTH], BODY),
    "a key": post("/v1/chat/completions", [`authorization: Bearer ${"k".repeat(1_000_000)}`], BODY),
    "a name": chat([HOST, `${"x".repeat(1_000_000)}: y`, LENGTH], BODY),
    "a target": chat([HOST, LENGTH], BODY, `POST /v1/${"x".repeat(1_000_000)} HTTP/1.1`),
    "many lines": chat([HOST, ...Array.from({ length: 100_000 }, (_, index) => `x-${index}: y`), LENGTH], BODY),
    trailers: chat([HOST, CHUNKED], `0\r\n${"x: y\r\n".repeat(100_000)}\r\n`),
  };
  for (const [name, bytes] of Object.entries(cases)) await assertRefused(name, bytes, [431]);
});

test("two hosts, keys or types are none: what the next reader would take is not for us to guess", async () => {
  const cases: Record<string, readonly [bytes: string, status: number]> = {
    "two hosts": [get("/v1/models", [`authorization: Bearer ${world.key}`, "host: other", CLOSE]), 404],
    "two keys": [get("/v1/models", [`authorization: Bearer ${world.key}`, "authorization: Bearer x", CLOSE]), 401],
    "two types": [chat([HOST, LENGTH, "content-type: text/plain"], BODY), 415],
  };
  for (const [name, [bytes, status]] of Object.entries(cases)) {
    const { answers } = await exchange(world.gateway, bytes, 3_000);
    assert.equal(answers[0]?.status, status, name);
  }
  assert.equal(world.simulators.openai.stats().hits, 0);
});

test("a request after which nonsense comes is answered whole, then the nonsense is refused", async () => {
  const slow = chatBody(MODELS.openai, "/simulate reply=lorem&tokens=20&chunkMs=20\n", { stream: true });
  const request = post("/v1/chat/completions", [`authorization: Bearer ${world.key}`, "x-request-id: before"], slow);
  const { answers, end } = await exchange(world.gateway, `${request}nonsense\r\n\r\n${hidden()}`, 5_000);
  assert.equal(end, "end");
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 400],
  );
  assert.match(answers[0]!.body, /data: \[DONE\]\n\n$/);
  assert.equal(world.simulators.openai.stats().hits, 1);
  assert.equal((await world.gateway.entryOf("before")).outcome, "ok");
});

test("a body that is longer than its length is no second request", async () => {
  const short = post("/v1/chat/completions", [`authorization: Bearer ${world.key}`], BODY);
  const { answers } = await exchange(world.gateway, `${short}${BODY}`, 3_000);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 400],
  );
});

test("what is refused leaves the gateway as it was", async () => {
  const answer = await fetch(`${world.gateway.url}/v1/models`, { headers: { authorization: `Bearer ${world.key}` } });
  assert.equal(answer.status, 200);
  assert.doesNotMatch(world.gateway.log(), /"level":"(error|fatal)"/);
});
