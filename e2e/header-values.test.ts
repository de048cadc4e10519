/** Values that go into headers, of clients, providers and the configuration: none becomes a header of its own, or a crash. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { after, before } from "node:test";
import { cannedAnswer, cannedEvents } from "./canned.ts";
import { createAuthority, type Authority } from "./certificates.ts";
import { Cleanups, startGateway, testKey, type RunningGateway } from "./harness.ts";
import { chatStream, openSession, readStream } from "./http2-client.ts";
import { chatBody, exchange, post, type WireAnswer } from "./raw-http.ts";
import { saysAndCloses, startRawUpstream, wholeAnswer, wholeStream, type RawUpstream } from "./raw-upstream.ts";

const { key, hash } = testKey("header-values");
const LATIN1 = "caf\u00e9 \u0080\u00a0\u00ff\tz";
/** What the upstream says, which is written in UTF-8, as bytes. */
const AS_UTF8 = Buffer.from(LATIN1).toString("latin1");
const UNICODE_MODEL = "vendor/\u6a21\u578b-\u00e9%";
const cleanups = new Cleanups();
let upstream: RawUpstream;
let gateway: RunningGateway;
/** The same over TLS, for HTTP/2. */
let secure: RunningGateway;
let authority: Authority;

before(async () => {
  authority = createAuthority(cleanups);
  upstream = await startRawUpstream(cleanups);
  const target = (model: string) => [{ provider: "vendor", model }];
  const config = {
    providers: [
      {
        name: "vendor",
        dialect: "openai",
        baseUrl: `${upstream.url}/v1`,
        credentials: [{ name: "main", apiKey: "sk-of-the-vendor" }],
        headers: { "x-team": "caf\u00e9 \u00ff", "openai-beta": "ours" },
      },
    ],
    models: [
      { name: "plain", targets: target("m"), retry: { attempts: 0 } },
      { name: "unicode", targets: target(UNICODE_MODEL), retry: { attempts: 0 } },
      { name: "any/*", targets: target("*"), retry: { attempts: 0 } },
    ],
    consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    domains: [{ host: "*", routes: [{ path: "/v1/*", api: "openai", exposeHeaders: true }] }],
  };
  gateway = await startGateway(cleanups, { config });
  const server = { tls: { ...authority.issue("values") } };
  secure = await startGateway(cleanups, { config: { ...config, server } });
});
after(async () => {
  await cleanups.run();
});

interface Called {
  readonly answer: WireAnswer | undefined;
  readonly text: string;
  /** What came upstream, as the bytes of it. */
  readonly heads: readonly string[];
}

const OK = wholeAnswer(cannedAnswer("openai", "fine"));

async function call(lines: readonly string[], said = OK, body: object | string = chatBody("plain")): Promise<Called> {
  const requestId = randomUUID();
  upstream.answerTo(requestId, saysAndCloses(said));
  const own = [`authorization: Bearer ${key}`, `x-request-id: ${requestId}`, "connection: close"];
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const request = post("/v1/chat/completions", [...own, ...lines], text);
  const head = Buffer.from(request.slice(0, request.length - text.length), "latin1");
  const result = await exchange(gateway, Buffer.concat([head, Buffer.from(text)]), 5_000);
  const heads = upstream.requests
    .filter(({ headers }) => headers.get("x-request-id") === requestId)
    .map((seen) => seen.head);
  return { answer: result.answers[0], text: result.text, heads };
}

const FORWARDED = ["traceparent", "tracestate", "openai-beta", "x-client-request-id"];

test("what is forwarded of the client's headers arrives byte by byte, and once", async () => {
  const { answer, heads } = await call(FORWARDED.map((name) => `${name}: ${LATIN1}`));
  assert.equal(answer?.status, 200);
  const [head = ""] = heads;
  const lines = head.split("\r\n");
  for (const name of FORWARDED) {
    assert.deepEqual(
      lines.filter((line) => line.startsWith(`${name}:`)),
      [`${name}: ${LATIN1}`],
    );
  }
  assert.ok(lines.includes("x-team: caf\u00e9 \u00ff"), head);
});

test("what could end a header's line is refused, and nothing goes upstream", async () => {
  for (const name of FORWARDED) {
    for (const value of ["a\r\n x-evil: b", "a\rx-evil: b", "a\nx-evil: b", "a\0b", "a\u001bb", "a\u007fb"]) {
      const { answer, heads } = await call([`${name}: ${value}`]);
      assert.deepEqual([answer?.status, heads.length], [400, 0], JSON.stringify(value));
    }
  }
});

test("names of models, ids and metadata are data, whatever is in them", async () => {
  const evil = "x\r\nx-evil: canary\u0000\u2028\ud800\u00e9";
  const message = { role: "user", content: "hi" };
  const exposed = await call([], OK, { model: "unicode", messages: [message] });
  assert.deepEqual(
    [exposed.answer?.status, exposed.answer?.headers.get("x-sluice-model")],
    [200, "vendor/%E6%A8%A1%E5%9E%8B-%C3%A9%25"],
  );
  for (const body of [
    { model: evil, messages: [message] },
    { model: `any/${evil}`, messages: [message] },
    { model: `any/${"\u{1f600}".repeat(200)}`, messages: [message] },
    { model: "plain", messages: [message], metadata: { [evil]: evil }, user: evil, safety_identifier: evil },
  ]) {
    const { answer, text, heads } = await call([], OK, body);
    assert.ok(answer !== undefined && [200, 400, 404].includes(answer.status), text);
    assert.doesNotMatch(text.slice(0, text.indexOf("\r\n\r\n")), /^x-evil/im);
    assert.ok(heads.length <= 1 && !/^x-evil/im.test(heads[0] ?? ""), heads.join());
  }
});

const RETURNED = ["openai-processing-ms", "openai-version", "x-should-retry"];

test("what is returned of a provider's headers arrives byte by byte, of answers, errors and streams", async () => {
  const headers = [...RETURNED.map((name) => `${name}: ${LATIN1}`), `x-request-id: ${LATIN1}`, "set-cookie: canary"];
  const error = JSON.stringify({ error: { message: "no", type: "invalid_request_error", code: null } });
  const answers: [Buffer, string][] = [
    [wholeAnswer(cannedAnswer("openai", "x"), { headers }), chatBody("plain")],
    [wholeAnswer(error, { headers, status: 400 }), chatBody("plain")],
    [wholeStream(cannedEvents("openai", ["x"]), headers), chatBody("plain", "hi", { stream: true })],
  ];
  for (const [said, body] of answers) {
    const { answer, text } = await call([], said, body);
    for (const name of RETURNED) assert.equal(answer?.headers.get(name), AS_UTF8, text);
    assert.doesNotMatch(text, /canary/);
  }
});

test("a provider's header that could end its line is no answer", async () => {
  for (const value of [
    "a\rset-cookie: canary",
    "a\nset-cookie: canary",
    "a\0b",
    "a\u001bb",
    "a\r\n set-cookie: canary",
  ]) {
    const said = wholeAnswer(cannedAnswer("openai", "x"), { headers: [`openai-version: ${value}`] });
    const { answer, text } = await call([], said);
    assert.equal(answer?.status, 502, JSON.stringify(value));
    assert.doesNotMatch(text, /canary/);
  }
});

test("a provider's retry-after of any kind becomes whole seconds, or nothing", async () => {
  const error = JSON.stringify({ error: { message: "no", type: "server_error", code: null } });
  for (const value of ["1e9", "-5", "0x10", "Infinity", "999999999999", "999999999999999", "soon", "1;2", LATIN1]) {
    // not one after which the node would be left alone for as long as it says
    const said = wholeAnswer(error, { status: 400, headers: [`retry-after: ${value}`, `retry-after-ms: ${value}`] });
    const { answer } = await call([], said);
    assert.equal(answer?.status, 400);
    for (const name of ["retry-after", "retry-after-ms"]) {
      assert.match(answer?.headers.get(name) ?? "0", /^\d+$/, `${name} of ${value}`);
    }
  }
});

test("HTTP/2: the same values, in both directions", async () => {
  const session = await openSession(cleanups, secure.port, authority.cert);
  const headers = RETURNED.map((name) => `${name}: caf\u00e9 \u00ff`);
  upstream.answer(saysAndCloses(wholeAnswer(cannedAnswer("openai", "x"), { headers })));
  const seen = upstream.requests.length;
  for (const value of ["caf\u00e9", "\u0141\u00f3d\u017a", "\u6a21\u578b", "a\tb"]) {
    const more = Object.fromEntries(FORWARDED.map((name) => [name, value]));
    const { status, text } = await readStream(chatStream(session, key, chatBody("unicode"), more));
    assert.equal(status, 200, `${value}: ${text}`);
  }
  for (const { head } of upstream.requests.slice(seen)) {
    assert.equal(head.split("\r\n").filter((line) => line.startsWith("traceparent:")).length, 1);
  }
  assert.doesNotMatch(secure.log(), /"level":"(error|fatal)"/);
});

test("none of it was more than the gateway could take", async () => {
  const { answer } = await call([]);
  assert.equal(answer?.status, 200);
  assert.doesNotMatch(gateway.log(), /"level":"(error|fatal)"|worker failed/);
});
