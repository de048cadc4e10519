/** Bad input: a clear 4xx, and nothing reaches an upstream (5, 27). */
import assert from "node:assert/strict";
import { connect } from "node:net";
import test, { after, before, beforeEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cleanups, rawRequest, type RawAnswer } from "./harness.ts";
import { MODELS, startWorld, type World } from "./world.ts";

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups, {
    simulator: { contextTokens: 100_000_000 },
    config: { server: { maxBodyBytes: "20MiB", headersTimeout: "1s", requestTimeout: "2s" } },
  });
});
beforeEach(() => {
  world.simulators.openai.reset();
});
after(async () => {
  await cleanups.run();
});

const BODY = JSON.stringify({ model: MODELS.openai, messages: [{ role: "user", content: "hi" }] });
const CHAT = "POST /v1/chat/completions HTTP/1.1";

interface Request {
  readonly line?: string;
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
  readonly framing?: string;
  readonly contentType?: string;
}

/** Sends a request on a connection of its own that is closed after the answer. */
async function send(request: Request): Promise<RawAnswer & { readonly status: number }> {
  const body = request.body ?? BODY;
  const head = [
    request.line ?? CHAT,
    "host: test",
    `authorization: Bearer ${world.key}`,
    `content-type: ${request.contentType ?? "application/json"}`,
    "connection: close",
    request.framing ?? `content-length: ${Buffer.byteLength(body)}`,
    ...(request.headers ?? []),
  ];
  const bytes = Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), Buffer.from(body)]);
  const answer = await rawRequest(world.gateway.port, bytes, 5000);
  return { ...answer, status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer.text)?.[1]) };
}

function upstreamHits(): number {
  return world.simulators.openai.stats().hits + world.simulators.anthropic.stats().hits;
}

test("a request as it should be is answered", async () => {
  const answer = await send({});
  assert.deepEqual([answer.status, answer.end, upstreamHits()], [200, "end", 1], answer.text);
});

const REFUSED: readonly (readonly [what: string, request: Request, status: number, words: RegExp])[] = [
  ["malformed JSON", { body: '{"model": "x",, }' }, 400, /invalid_json.*|position|column/],
  ["no object", { body: "[1]" }, 400, /object/],
  ["an empty body", { body: "" }, 400, /JSON/],
  ["a model that is no string", { body: '{"model":7,"messages":[]}' }, 400, /model/],
  ["two models", { body: `{"model":"${MODELS.openai}","messages":[],"model":"other"}` }, 400, /model/],
  [
    "two models, one escaped",
    { body: `{"model":"${MODELS.openai}","messages":[],"mod\\u0065l":"other"}` },
    400,
    /model/,
  ],
  ["a stream that is no boolean", { body: `{"model":"${MODELS.openai}","stream":"yes","messages":[]}` }, 400, /stream/],
  [
    "invalid UTF-8",
    { body: Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]) },
    400,
    /./,
  ],
  ["another content type", { contentType: "text/plain" }, 415, /application\/json/],
  ["a compressed body", { headers: ["content-encoding: gzip"] }, 415, /content-encoding/],
  ["content-length and transfer-encoding", { headers: ["transfer-encoding: chunked"] }, 400, /./],
  ["two content-lengths", { headers: ["content-length: 3"] }, 400, /./],
  ["bad chunking", { framing: "transfer-encoding: chunked", body: "zz\r\nhello\r\n0\r\n\r\n" }, 400, /./],
  ["a transfer coding that nobody knows", { framing: "transfer-encoding: rot13" }, 400, /./],
  ["a header of 1 MB", { headers: [`x-big: ${"x".repeat(1024 * 1024)}`] }, 431, /header/],
  ["a header with a line feed in its name", { headers: ["bad name: 1"] }, 400, /./],
  ["a host of nonsense", { line: "GET / HTTP/1.1", headers: [] }, 404, /./],
];

for (const [what, request, status, words] of REFUSED) {
  test(`refused: ${what}`, async () => {
    const answer = await send(request);
    assert.equal(answer.status, status, answer.text.slice(0, 500));
    assert.match(answer.text, words);
    assert.match(answer.text, /"error"/);
    assert.equal(upstreamHits(), 0);
  });
}

const PATHS = [
  "//v1/chat/completions",
  "/v1//chat/completions",
  "/v1/../admin",
  "/v1/./chat/completions",
  "/v1/%2e%2e/chat/completions",
  "/v1/chat%2fcompletions",
  "/v1/chat/completions;x=1",
  "/v1/chat/completions/",
  "/V1/chat/completions",
  "/v1/chat/completions%00",
  "/v1\\chat\\completions",
  "/metrics",
  "/healthz",
  "/simulate/stats",
  "http://127.0.0.1/v1/nothing",
];

test("paths that are not quite a route are 4xx and reach nobody (5)", async () => {
  for (const path of PATHS) {
    const answer = await send({ line: `POST ${path} HTTP/1.1` });
    assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.text.slice(0, 200)}`);
  }
  assert.equal(upstreamHits(), 0);
});

const CREDENTIALS = [
  "",
  "Bearer",
  "Bearer ",
  "Bearer ' OR '1'='1",
  "Bearer sk-sluice-",
  `Basic ${Buffer.from("a:b").toString("base64")}`,
  `Bearer ${"x".repeat(20_000)}`,
];

test("keys that are none are 401 in constant words (5)", async () => {
  const texts = new Set<string>();
  for (const credential of CREDENTIALS) {
    for (const name of ["authorization", "x-api-key", "api-key"]) {
      const response = await fetch(`${world.gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { [name]: credential, "content-type": "application/json" },
        body: BODY,
      });
      const text = await response.text();
      assert.equal(response.status, 401, `${name}: ${credential.slice(0, 30)}: ${text}`);
      texts.add(text.replaceAll(/req[_-][\w-]+/g, ""));
    }
  }
  assert.ok(texts.size <= 2, `missing and invalid are told apart, nothing else: ${[...texts].join("\n")}`);
  assert.equal(upstreamHits(), 0);
});

function bodyOf(bytes: number): string {
  const empty = JSON.stringify({ model: MODELS.openai, messages: [{ role: "user", content: "" }] });
  return empty.replace('""}', `"${"x".repeat(bytes - empty.length)}"}`);
}

test("20 MB pass, 21 MB do not (27)", async () => {
  const headers = { authorization: `Bearer ${world.key}`, "content-type": "application/json" };
  const url = `${world.gateway.url}/v1/chat/completions`;
  const small = bodyOf(20 * 1000 * 1000).replace('"messages"', '"max_tokens":1,"messages"');
  const passed = await fetch(url, { method: "POST", headers, body: small });
  assert.equal(passed.status, 200, await passed.text());
  assert.equal(
    world.simulators.openai.requests()[0]?.body.length,
    small.length - MODELS.openai.length + "gpt-5.1".length,
  );
  world.simulators.openai.reset();
  const refused = await send({ framing: `content-length: ${21 * 1024 * 1024}`, body: "{" });
  assert.equal(refused.status, 413, "refused by its length, before it is read");
  // Without a length it is refused once that much has come; what the client still sends is not read to its end.
  const body = bodyOf(21 * 1024 * 1024);
  const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const chunked = await send({ framing: "transfer-encoding: chunked", body: chunk });
  assert.ok(chunked.status === 413 || chunked.end !== "end", `${chunked.end}: ${chunked.text.slice(0, 200)}`);
  assert.equal(upstreamHits(), 0);
});

test("slow headers and slow bodies end in 408", async () => {
  const head = `${CHAT}\r\nhost: test\r\nauthorization: Bearer ${world.key}\r\ncontent-type: application/json\r\n`;
  for (const start of [CHAT, `${head}content-length: 100\r\n\r\n{`]) {
    const answer = await rawRequest(world.gateway.port, start, 8000);
    assert.match(answer.text, /^HTTP\/1\.1 408/, `${answer.end} after ${answer.ms} ms: ${answer.text}`);
  }
  assert.equal(upstreamHits(), 0);
});

test("a thousand connections that send nothing disturb nobody", async () => {
  const sockets = Array.from({ length: 1000 }, () => connect(world.gateway.port, "127.0.0.1").on("error", () => {}));
  await sleep(300);
  const start = performance.now();
  assert.equal((await send({})).status, 200);
  assert.ok(performance.now() - start < 1000);
  for (const socket of sockets) socket.destroy();
});

test("requests one after the other on one connection are answered in order", async () => {
  const one = (content: string): string => {
    const body = JSON.stringify({ model: MODELS.openai, messages: [{ role: "user", content }] });
    const head = `${CHAT}\r\nhost: t\r\nauthorization: Bearer ${world.key}\r\ncontent-type: application/json`;
    return `${head}\r\ncontent-length: ${body.length}\r\n`.concat(
      content === "last" ? "connection: close\r\n" : "",
      `\r\n${body}`,
    );
  };
  const answer = await rawRequest(world.gateway.port, one("first") + one("second") + one("last"), 5000);
  assert.deepEqual(
    [...answer.text.matchAll(/"content":"(\w+)"/g)].map((match) => match[1]),
    ["first", "second", "last"],
  );
});

test("the gateway is well after all that", async () => {
  assert.equal((await send({})).status, 200);
  assert.equal((await fetch(`${world.gateway.adminUrl}/healthz`)).status, 200);
  assert.doesNotMatch(world.gateway.log(), /worker failed|uncaught/i);
});
