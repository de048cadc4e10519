/** Hosts, paths and methods that are tricks (5): 4xx, and nothing reaches an upstream; with and without a valid key. */
import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";
import { Cleanups } from "./harness.ts";
import { chatBody, errorCode, exchange, get, type WireAnswer } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups, {
    config: {
      server: { maxHeaderBytes: "1MiB" },
      domains: [
        { host: "localhost", routes: [{ path: "/v1/*", api: ["openai", "anthropic"] }] },
        { host: "*.example.com", routes: [{ path: "/v1/*", api: "openai" }] },
        { host: "exact.example.com", routes: [{ path: "/exact/chat/completions", api: "openai" }] },
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

const BODY = chatBody(MODELS.openai);

interface Target {
  readonly method?: string;
  readonly target?: string;
  readonly host?: string;
  readonly version?: string;
  readonly key?: string | undefined;
}

/** Sends a chat request to this target on a connection of its own. */
async function send({ method = "POST", target = "/v1/chat/completions", host = "localhost", ...more }: Target) {
  const { version = "1.1", key } = more;
  const lines = [
    `${method} ${target} HTTP/${version}`,
    `host: ${host}`,
    "content-type: application/json",
    `content-length: ${BODY.length}`,
    "connection: close",
    ...(key === undefined ? [] : [`authorization: Bearer ${key}`]),
  ];
  const { answers, end } = await exchange(world.gateway, Buffer.from(`${lines.join("\r\n")}\r\n\r\n${BODY}`, "latin1"));
  return { answers, answer: answers[0], end };
}

function assertRefused(what: string, answer: WireAnswer | undefined, statuses: readonly number[]): void {
  assert.ok(answer !== undefined && statuses.includes(answer.status), `${what}: ${answer?.status}`);
  assert.notEqual(errorCode(answer.body), "", what);
  assert.equal(world.simulators.openai.stats().hits, 0, `${what}: something reached the upstream`);
}

/** 400 comes from the parser, before anything of ours has seen the request. */
const NOWHERE = [404, 400];

test("paths that two readers could understand in two ways", async () => {
  const targets = [
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/chat/completions/",
    "/v1/chat//completions",
    "/v1/../v1/chat/completions",
    "/v1/./chat/completions",
    "/./v1/chat/completions",
    "/x/../v1/chat/completions",
    "/v1/chat/completions/..",
    "/v1/chat/completions/.",
    "/v1/%2e%2e/v1/chat/completions",
    "/v1/.%2E/v1/chat/completions",
    "/v1%2fchat/completions",
    "/v1/chat%2Fcompletions",
    "/v1/chat/completions%00",
    "/v1/chat/completions%0d%0ax:%20y",
    "/v1/chat/completions;a=b",
    "/v1;a=b/chat/completions",
    "/v1/chat/completions%3Ba=b",
    "/v1\\chat\\completions",
    "/v1/chat%5ccompletions",
    "/V1/chat/completions",
    "/v1/Chat/completions",
    "/v1/chat/complet%69ons",
    "/v1/chat/completions%20",
    "/v1/chat/completions%",
    "/v1/chat/completions#x",
    "/v1/chat/completions\u00ff",
    "/v1/chat/completions%ff",
    "/v1",
    "/",
    "?/v1/chat/completions",
    "*",
    "v1/chat/completions",
    "http://169.254.169.254/v1/chat/completions",
    "https://user:password@localhost/v1/chat/completions",
    "@localhost/v1/chat/completions",
    "localhost:443",
  ];
  for (const target of targets) {
    assertRefused(`${target} with a key`, (await send({ target, key: world.key })).answer, NOWHERE);
    assertRefused(`${target} without`, (await send({ target })).answer, [...NOWHERE, 401]);
  }
});

test("a path of 900 KB is looked at in no time", async () => {
  for (const target of [`/v1/${"a".repeat(900_000)}`, `/v1${"/a".repeat(450_000)}`, `/v1/${"%61".repeat(300_000)}`]) {
    const startedAt = performance.now();
    const { answer } = await send({ target, key: world.key });
    assertRefused("a long path", answer, [404]);
    assert.ok(performance.now() - startedAt < 500);
  }
});

test("a query is no part of the path", async () => {
  const { answer } = await send({ target: "/v1/chat/completions?x=/../%00;y", key: world.key });
  assert.equal(answer?.status, 200);
  assert.equal(world.simulators.openai.requests()[0]?.url, "/v1/chat/completions");
});

test("hosts that are none, or not ours", async () => {
  const hosts = [
    "x/#@y",
    "localhost/#@y",
    "localhost@y",
    "y@localhost",
    "localhost, y",
    "localhost y",
    "localhost:80:80",
    "localhost:x",
    "localhost:",
    "localhost..",
    ".localhost",
    "local\u00adhost",
    "localhost\\y",
    "localhost%00",
    "http://localhost",
    "[::1",
    "other",
    "example.com",
    ".example.com",
    "a..example.com",
    "evilexample.com",
    "x.example.com.evil.net",
    "*.example.com",
    `${"a".repeat(300)}.example.com`,
  ];
  for (const host of hosts) {
    assertRefused(`${host} with a key`, (await send({ host, key: world.key })).answer, NOWHERE);
    assertRefused(`${host} without`, (await send({ host })).answer, NOWHERE);
  }
});

test("a host is the same in any case, with any port, with the dot of the root", async () => {
  for (const host of ["localhost", "LocalHost", "localhost:8080", "localhost.", "LOCALHOST.:1", "a.example.com"]) {
    assert.equal((await send({ host, key: world.key })).answer?.status, 200, host);
  }
  const exact = await send({ host: "exact.example.com", target: "/exact/chat/completions", key: world.key });
  assert.equal(exact.answer?.status, 200);
  // the host's own routes are all it has
  assertRefusedAfterReset((await send({ host: "exact.example.com", key: world.key })).answer);
});

function assertRefusedAfterReset(answer: WireAnswer | undefined): void {
  assert.equal(answer?.status, 404);
  assert.equal(world.simulators.openai.stats().hits, 7);
}

test("other methods are 405 and say which are allowed; nothing is sent", async () => {
  for (const method of ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "PURGE"]) {
    const { answer } = await send({ method, key: world.key });
    assertRefused(method, answer, [405]);
    assert.equal(answer?.headers.get("allow"), "POST", method);
    assertRefused(`${method} without a key`, (await send({ method })).answer, [401]);
  }
  const post = await send({ target: "/v1/models", key: world.key });
  assertRefused("POST /v1/models", post.answer, [405]);
  assert.equal(post.answer?.headers.get("allow"), "GET");
});

test("HEAD is 405 without a body", async () => {
  const { text, end } = await exchange(
    world.gateway,
    get("/v1/models", [`authorization: Bearer ${world.key}`, "connection: close"], "HEAD"),
  );
  assert.match(text, /^HTTP\/1\.1 405 /);
  assert.match(text, /\r\n\r\n$/);
  assert.equal(end, "end");
});

test("CONNECT and Upgrade open no tunnel", async () => {
  const connected = await send({ method: "CONNECT", target: "169.254.169.254:80", key: world.key });
  assertRefused("CONNECT", connected.answer, [405]);
  const lines = ["connection: upgrade, close", "upgrade: websocket", `authorization: Bearer ${world.key}`];
  const upgraded = await exchange(world.gateway, get("/v1/models", lines));
  assert.equal(upgraded.answers[0]?.status, 200);
  assert.equal(upgraded.answers[0]?.headers.get("upgrade"), undefined);
});

test("HTTP/1.0 is answered in its way: no chunks, and the connection ends", async () => {
  const whole = await send({ version: "1.0", key: world.key });
  assert.equal(whole.answer?.status, 200);
  const body = chatBody(MODELS.openai, "one two three", { stream: true });
  const lines = [
    "POST /v1/chat/completions HTTP/1.0",
    "host: localhost",
    "content-type: application/json",
    `content-length: ${body.length}`,
    `authorization: Bearer ${world.key}`,
  ];
  const { text, end } = await exchange(world.gateway, `${lines.join("\r\n")}\r\n\r\n${body}`);
  assert.equal(end, "end");
  assert.doesNotMatch(text, /transfer-encoding/i);
  assert.match(text, /data: \[DONE\]\n\n$/);
});

test("an unknown expectation is 417", async () => {
  const { answers } = await exchange(world.gateway, get("/v1/models", ["expect: miracles", "connection: close"]));
  assert.equal(answers[0]?.status, 417);
});
