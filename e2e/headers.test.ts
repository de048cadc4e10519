/** Headers in both directions: request ids, traces, CORS, `x-sluice-*`, and what is never passed on. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import test, { after, before, beforeEach } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { Cleanups, testKey } from "./harness.ts";
import { chatBody, exchange, get, post, type WireAnswer } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

let world: World;
let vendor: Server;
const cleanups = new Cleanups();
const APP = "https://app.example.com";

before(async () => {
  vendor = await startTalkativeVendor();
  const { port } = vendor.address() as AddressInfo;
  const cors = (options: JsonObject): JsonObject => ({ name: "cors", options });
  const route = (path: string, more: JsonObject): JsonObject => ({ path, api: ["openai", "anthropic"], ...more });
  world = await startWorld(cleanups, {
    config: {
      providers: [
        {
          name: "openai",
          dialect: "openai",
          baseUrl: `http://127.0.0.1:${port}/v1`,
          credentials: [{ name: "main", apiKey: "sk-of-the-provider" }],
          headers: { "x-team": "platform", "user-agent": "our-gateway" },
        },
      ],
      models: [{ name: MODELS.openai, targets: [{ provider: "openai", model: "gpt-5.1" }] }],
      domains: [
        {
          host: "*",
          routes: [
            route("/v1/*", {}),
            route("/exposed/*", { exposeHeaders: true }),
            route("/lenient/*", { dropUnsupported: true }),
            route("/cors/*", { middlewares: [cors({ allowOrigins: [APP], allowCredentials: true })] }),
            route("/any/*", { middlewares: [cors({ allowOrigins: ["*"], maxAgeSeconds: 60 })] }),
            route("/limited-cors/*", {
              middlewares: [
                cors({ allowOrigins: [APP], allowHeaders: ["authorization"], allowMethods: ["POST"] }),
                { name: "body_limit", options: { maxBytes: 100 } },
              ],
            }),
          ],
        },
      ],
    },
  });
});
beforeEach(() => {
  received = [];
});
after(async () => {
  await cleanups.run();
  vendor.close();
  vendor.closeAllConnections();
});

/** Headers of the requests that reached the vendor: names in lower case. */
let received: Record<string, string | string[] | undefined>[] = [];

/** A vendor that answers with headers of every kind. */
async function startTalkativeVendor(): Promise<Server> {
  const server = createServer((request, response) => {
    received.push(request.headers);
    request.resume().on("end", () => {
      response.writeHead(200, {
        "content-type": "application/json",
        "set-cookie": ["__cf_bm=canary-cookie; path=/; secure", "session=canary-cookie"],
        connection: "keep-alive, x-hop",
        "keep-alive": "timeout=17",
        "x-hop": "canary-hop",
        "proxy-authenticate": "Basic canary-hop",
        upgrade: "h2c",
        trailer: "x-trailer",
        server: "cloudflare",
        "cf-ray": "canary-ray",
        "x-request-id": "canary-vendor-id",
        "access-control-allow-origin": "*",
        "strict-transport-security": "max-age=1",
        "openai-processing-ms": "17",
        "openai-organization": "canary-organization",
        "x-ratelimit-remaining-requests": "99",
      });
      response.end(
        JSON.stringify({
          id: "chatcmpl-1",
          object: "chat.completion",
          created: 1,
          model: "gpt-5.1",
          choices: [{ index: 0, message: { role: "assistant", content: "ok" }, finish_reason: "stop" }],
          usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
        }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

async function chat(headers: readonly string[] = [], path = "/v1/chat/completions", more: object = {}) {
  const lines = [`authorization: Bearer ${world.key}`, "connection: close", ...headers];
  const { answers, text } = await exchange(world.gateway, post(path, lines, chatBody(MODELS.openai, "hi", more)));
  const [answer] = answers;
  assert.ok(answer !== undefined);
  return { ...answer, text };
}

test("a client's x-request-id is kept, sent on and logged if it is harmless, and replaced if not", async () => {
  const good = ["abc", "A-1_b.c:d/e+f=g@h", "x".repeat(128), "0193f6f0-7c2e-7000-8000-000000000000"];
  for (const id of good) {
    const { headers } = await chat([`x-request-id: ${id}`]);
    assert.equal(headers.get("x-request-id"), id);
    assert.equal(received.at(-1)?.["x-request-id"], id);
  }
  const bad = ["", "a b", "x".repeat(129), "a,b", 'a"b', "a\u00e9", "<script>", "a;b", "${x}", "a\tb"];
  for (const id of bad) {
    const { headers } = await chat([`x-request-id: ${id}`]);
    assert.match(headers.get("x-request-id") ?? "", /^req_[\w-]{36}$/, id);
  }
  const twice = await chat(["x-request-id: one", "x-request-id: two"]);
  assert.match(twice.headers.get("x-request-id") ?? "", /^req_/);
  const entries = await world.gateway.waitForEntries(good.length + bad.length + 1);
  assert.deepEqual(
    entries.slice(0, good.length).map(({ requestId }) => requestId),
    good,
  );
});

test("errors have the request's id too, and Anthropic clients find it where they look", async () => {
  const { headers } = await chat(["x-request-id: of-an-error", "content-type: text/plain"]);
  assert.equal(headers.get("x-request-id"), "of-an-error");
  const answer = await fetch(`${world.gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": world.key, "x-request-id": "anthropic-id" },
    body: JSON.stringify({ model: MODELS.openai, max_tokens: 5, messages: [{ role: "user", content: "x" }] }),
  });
  await answer.text();
  assert.deepEqual(
    [answer.headers.get("request-id"), answer.headers.get("x-request-id")],
    Array(2).fill("anthropic-id"),
  );
  const refused = await fetch(`${world.gateway.url}/v1/messages`, { method: "POST", headers: { "x-api-key": "no" } });
  const body = (await refused.json()) as { request_id: string };
  assert.equal(body.request_id, refused.headers.get("request-id"));
});

test("a trace is continued upstream", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await chat([`traceparent: ${traceparent}`, "tracestate: a=1,b=2"]);
  assert.equal(String(received[0]?.["traceparent"]).slice(0, 35), traceparent.slice(0, 35));
  assert.equal(received[0]?.["tracestate"], "a=1,b=2");
  await chat();
  assert.equal(received[1]?.["traceparent"], undefined);
});

test("nothing of the client's own goes upstream but what the protocol needs", async () => {
  await chat([
    "cookie: session=canary-cookie",
    "x-forwarded-for: 10.1.2.3",
    "x-real-ip: 10.1.2.3",
    "forwarded: for=10.1.2.3",
    "origin: https://canary.example.com",
    "referer: https://canary.example.com/",
    "user-agent: canary-agent",
    "x-api-key: canary-key",
    "api-key: canary-key",
    "x-goog-api-key: canary-key",
    "proxy-authorization: Basic canary",
    "te: trailers",
    "keep-alive: timeout=5",
    "accept-encoding: gzip, br",
    "x-anything: canary-anything",
    "via: 1.1 canary",
    "range: bytes=0-1",
    "if-none-match: canary",
  ]);
  const headers = received[0] ?? {};
  assert.doesNotMatch(JSON.stringify(headers), /canary|10\.1\.2\.3/);
  assert.equal(headers["authorization"], "Bearer sk-of-the-provider");
  assert.deepEqual(Object.keys(headers).toSorted(), [
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    "x-request-id",
    "x-team",
  ]);
  assert.deepEqual([headers["user-agent"], headers["x-team"]], ["our-gateway", "platform"]);
});

test("nothing of the vendor's goes to the client but what the protocol knows", async () => {
  const { text, headers, status } = await chat();
  assert.equal(status, 200);
  assert.doesNotMatch(text, /canary|set-cookie|cloudflare|h2c|x-hop|strict-transport|access-control/i);
  assert.equal(headers.get("openai-processing-ms"), "17");
  assert.deepEqual(
    [...headers.keys()].toSorted().filter((name) => !name.startsWith("x-ratelimit") && !name.startsWith("openai-")),
    ["connection", "content-length", "content-type", "date", "x-request-id"],
  );
});

test("x-sluice headers are there where the route says so", async () => {
  const plain = await chat();
  assert.ok(![...plain.headers.keys()].some((name) => name.startsWith("x-sluice")));
  const { headers } = await chat([], "/exposed/chat/completions");
  assert.deepEqual(
    ["provider", "model", "attempts"].map((name) => headers.get(`x-sluice-${name}`)),
    ["openai", "gpt-5.1", "1"],
  );
  assert.ok(Number(headers.get("x-sluice-overhead-ms")) >= 0);
  const refused = await chat(["content-type: text/plain"], "/exposed/chat/completions");
  assert.deepEqual([refused.status, refused.headers.get("x-sluice-provider")], [415, undefined]);
});

test("a field that cannot be said upstream is refused by name, or dropped and named", async () => {
  const call = async (path: string, field: string): Promise<Response> =>
    fetch(`${world.gateway.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": world.key, "anthropic-version": "2023-06-01" },
      body: JSON.stringify({
        model: MODELS.openai,
        max_tokens: 5,
        [field]: { x: 1 },
        messages: [{ role: "user", content: "x" }],
      }),
    });
  const refused = await call("/v1/messages", "context_management");
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /context_management/);
  const served = await call("/lenient/messages", "context_management");
  await served.text();
  assert.deepEqual([served.status, served.headers.get("x-sluice-dropped")], [200, "context_management"]);
  // the name is the client's own text, and must not become a header of its own
  const hostile = await call("/lenient/messages", "x\r\nset-cookie: canary\u2028\u0000é");
  await hostile.text();
  assert.deepEqual([hostile.status, hostile.headers.get("set-cookie")], [200, null]);
  assert.match(hostile.headers.get("x-sluice-dropped") ?? "", /^x%0D%0Aset-cookie:[!-~]*canary[!-~]*$/);
});

async function preflight(path: string, origin: string, more: readonly string[] = []): Promise<WireAnswer> {
  const lines = [`origin: ${origin}`, "access-control-request-method: POST", "connection: close", ...more];
  const { answers } = await exchange(world.gateway, get(path, lines, "OPTIONS"));
  assert.ok(answers[0] !== undefined);
  return answers[0];
}

test("a preflight needs no key, and tells an allowed origin what it may do", async () => {
  const asked = ["access-control-request-headers: authorization,content-type,x-stainless-lang"];
  const { status, headers, body } = await preflight("/cors/chat/completions", APP, asked);
  assert.deepEqual([status, body], [204, ""]);
  assert.equal(headers.get("access-control-allow-origin"), APP);
  assert.equal(headers.get("access-control-allow-credentials"), "true");
  assert.equal(headers.get("access-control-allow-methods"), "GET, POST, OPTIONS");
  assert.equal(headers.get("access-control-allow-headers"), "authorization,content-type,x-stainless-lang");
  assert.equal(headers.get("access-control-max-age"), "600");
  assert.match(headers.get("vary") ?? "", /origin/);
  const any = await preflight("/any/chat/completions", "https://anyone.example.net");
  assert.deepEqual(
    [any.status, any.headers.get("access-control-allow-origin"), any.headers.get("access-control-max-age")],
    [204, "*", "60"],
  );
  assert.equal(any.headers.get("access-control-allow-credentials"), undefined);
  const limited = await preflight("/limited-cors/chat/completions", APP, asked);
  assert.deepEqual(
    [limited.headers.get("access-control-allow-headers"), limited.headers.get("access-control-allow-methods")],
    ["authorization", "POST"],
  );
  assert.equal(received.length, 0);
});

test("another origin is told nothing, however alike it looks", async () => {
  for (const origin of [
    "https://evil.example.com",
    "http://app.example.com",
    "https://app.example.com.evil.net",
    "https://app.example.com:8443",
    "https://APP.example.com",
    "null",
    `${APP}/`,
    `${APP}, https://evil.example.com`,
  ]) {
    const { status, headers } = await preflight("/cors/chat/completions", origin);
    assert.equal(status, 403, origin);
    assert.equal(headers.get("access-control-allow-origin"), undefined, origin);
    const answer = await chat([`origin: ${origin}`], "/cors/chat/completions");
    assert.deepEqual([answer.status, answer.headers.get("access-control-allow-origin")], [200, undefined], origin);
  }
  // a preflight without the filter is an OPTIONS like any other: it needs a key
  assert.equal((await preflight("/v1/chat/completions", APP)).status, 401);
});

test("answers carry the headers too: served ones, streams and every error", async () => {
  const paths = ["/cors/chat/completions", "/limited-cors/chat/completions"] as const;
  const cases: [name: string, status: number, answer: Promise<WireAnswer>][] = [
    ["served", 200, chat([`origin: ${APP}`], paths[0])],
    ["no body of JSON", 415, chat([`origin: ${APP}`, "content-type: text/plain"], paths[0])],
    ["too large", 413, chat([`origin: ${APP}`], paths[1], { user: "x".repeat(200) })],
    ["no operation", 404, chat([`origin: ${APP}`], "/cors/nothing")],
    ["no key", 401, exchange(world.gateway, post(paths[0], [`origin: ${APP}`], "{}")).then(first)],
    ["malformed", 400, chat([`origin: ${APP}`], paths[0], { stream: "no" })],
    ["other method", 405, exchange(world.gateway, get(paths[0], withKey(APP), "DELETE")).then(first)],
  ];
  for (const [name, status, pending] of cases) {
    const { headers, ...answer } = await pending;
    assert.equal(answer.status, status, name);
    assert.equal(headers.get("access-control-allow-origin"), APP, name);
    assert.equal(headers.get("access-control-expose-headers"), "x-request-id, retry-after, retry-after-ms", name);
    assert.equal(headers.get("vary"), "origin", name);
  }
});

function withKey(origin: string): string[] {
  return [`authorization: Bearer ${testKey("world").key}`, `origin: ${origin}`, "connection: close"];
}

function first({ answers }: { readonly answers: readonly WireAnswer[] }): WireAnswer {
  assert.ok(answers[0] !== undefined);
  return answers[0];
}
