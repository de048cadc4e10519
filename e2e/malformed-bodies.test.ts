/** Guards on bodies: what is no request for a model is a clear 4xx in the client's dialect, and reaches no upstream. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { after, before, beforeEach } from "node:test";
import { gzipSync } from "node:zlib";
import { assertNoSecrets, Cleanups } from "./harness.ts";
import { chatBody, errorCode } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups);
});
beforeEach(() => {
  world.simulators.openai.reset();
  world.simulators.anthropic.reset();
});
after(async () => {
  await cleanups.run();
});

interface Sent {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
}

async function send(
  body: string | Buffer<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = { "content-type": "application/json" },
): Promise<Sent> {
  const requestId = randomUUID();
  const answer = await fetch(`${world.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${world.key}`, "x-request-id": requestId, ...headers },
    body,
  });
  const text = await answer.text();
  assertNoSecrets("an answer", text);
  const { error } = JSON.parse(text) as { error?: { message: string } };
  return { status: answer.status, code: errorCode(text), message: error?.message ?? "", requestId };
}

function assertNothingSent(): void {
  const hits = world.simulators.openai.stats().hits + world.simulators.anthropic.stats().hits;
  assert.equal(hits, 0, "something reached an upstream");
}

const WITH_MODEL = `"model":"${MODELS.openai}"`;

test("malformed JSON is 400 and says where", async () => {
  const cases: [body: string, position: RegExp][] = [
    [`{${WITH_MODEL},}`, /line 1, column 23, byte 22/],
    [`{${WITH_MODEL},\n  "messages": [\n    {"role": user}]}`, /line 3, column 14, byte 52/],
    [`{${WITH_MODEL}`, /line 1, column 22, byte 21/],
    [`{${WITH_MODEL}} {}`, /column 24/],
    [`{${WITH_MODEL},"n":01}`, /column/],
    [`{${WITH_MODEL},"user":"a\tb"}`, /column/],
    [`{${WITH_MODEL},"user":"\\x"}`, /column/],
    [`{'model':'${MODELS.openai}'}`, /column 2/],
    [`\uFEFF{${WITH_MODEL}}`, /column 1/],
    ["", /column 1/],
    ["   \n ", /line 2/],
    ["nonsense", /column/],
  ];
  for (const [body, position] of cases) {
    const { status, code, message } = await send(body);
    assert.deepEqual([status, code], [400, "invalid_json"], body);
    assert.match(message, position, body);
  }
  assertNothingSent();
});

test("bytes that are no UTF-8 are refused, wherever they stand", async () => {
  const [head = "", tail = ""] = chatBody(MODELS.openai, "@").split("@");
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xc0, 0xaf]]) {
    const { status } = await send(Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from(tail)]));
    assert.equal(status, 400, Buffer.from(bytes).toString("hex"));
  }
  assertNothingSent();
});

test("a JSON value that is no object is refused", async () => {
  for (const body of ["[]", `[{${WITH_MODEL}}]`, `"${MODELS.openai}"`, "1", "null", "true"]) {
    const { status, code, message } = await send(body);
    assert.deepEqual([status, code], [400, "invalid_json"], body);
    assert.match(message, /expected an object .*byte 0/);
  }
  assertNothingSent();
});

test("two models in one body are refused, however they are written", async () => {
  const other = `"model":"${MODELS.anthropic}"`;
  const escaped = ['"mod\\u0065l"', '"\\u006dodel"', '"\\u006D\\u006F\\u0064\\u0065\\u006C"'];
  const bodies = [`{${WITH_MODEL},${other}}`, `{${WITH_MODEL},"messages":[],${WITH_MODEL}}`];
  bodies.push(...escaped.map((key) => `{${key}:"${MODELS.openai}","messages":[],${other}}`));
  for (const body of bodies) {
    const { status, code, message, requestId } = await send(body);
    assert.deepEqual([status, code], [400, "invalid_value"], body);
    assert.match(message, /model.*more than once/);
    const entry = await world.gateway.entryOf(requestId);
    assert.deepEqual([entry.outcome, entry.status, entry.error, entry.model], ["refused", 400, "invalid_request", ""]);
  }
  assertNothingSent();
});

test("a model named by an escaped key is the model", async () => {
  const { status } = await send(`{"mod\\u0065l":"${MODELS.openai}","messages":[{"role":"user","content":"x"}]}`);
  assert.equal(status, 200);
  const body = world.simulators.openai.requests()[0]?.body.toString() ?? "";
  assert.deepEqual(JSON.parse(body), { model: "gpt-5.1", messages: [{ role: "user", content: "x" }] });
});

test("a model that is missing or no text is refused", async () => {
  for (const model of ["1", "null", "true", "[]", "{}", '""', `["${MODELS.openai}"]`]) {
    const { status, message } = await send(`{"model":${model},"messages":[]}`);
    assert.equal(status, 400, model);
    assert.match(message, /`model` must be a non-empty string/);
  }
  const { status, message } = await send(`{"messages":[]}`);
  assert.equal(status, 400);
  assert.match(message, /`model` is missing/);
  const stream = await send(chatBody(MODELS.openai, "x", { stream: "yes" }));
  assert.deepEqual([stream.status, stream.code], [400, "invalid_value"]);
  assertNothingSent();
});

test("another content type or encoding is 415", async () => {
  const body = chatBody(MODELS.openai);
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json, text/plain",
    "text/json",
    "json",
  ]) {
    const { status, code } = await send(body, { "content-type": type });
    assert.deepEqual([status, code], [415, "unsupported_media_type"], type);
  }
  for (const encoding of ["gzip", "br", "identity, gzip", "x"]) {
    const { status, code } = await send(gzipSync(body), {
      "content-type": "application/json",
      "content-encoding": encoding,
    });
    assert.deepEqual([status, code], [415, "unsupported_media_type"], encoding);
  }
  assertNothingSent();
  for (const type of ["application/json; charset=utf-8", "application/json;charset=UTF-8", "APPLICATION/JSON"]) {
    assert.equal((await send(body, { "content-type": type })).status, 200, type);
  }
});

test("depth that would overflow a stack is no fault of the gateway", async () => {
  const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  for (const model of [MODELS.openai, MODELS.anthropic]) {
    for (const member of ["messages", "metadata", "tools"]) {
      const { status } = await send(`{"model":"${model}","${member}":${deep(200_000)}}`);
      assert.ok(status >= 400 && status < 500, `${model} ${member}: ${status}`);
    }
  }
  assert.equal((await send(chatBody(MODELS.openai))).status, 200);
  assert.doesNotMatch(world.gateway.log(), /a worker/);
});

test("an Anthropic client is told in its own words", async () => {
  const cases: [body: string, status: number, type: string][] = [
    ["{", 400, "invalid_request_error"],
    [`{${WITH_MODEL},${WITH_MODEL}}`, 400, "invalid_request_error"],
    [`{"model":"no-such","max_tokens":1,"messages":[]}`, 404, "not_found_error"],
  ];
  for (const [body, status, type] of cases) {
    const answer = await fetch(`${world.gateway.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": world.key },
      body,
    });
    const read = (await answer.json()) as { type: string; error: { type: string }; request_id: string };
    assert.deepEqual([answer.status, read.type, read.error.type], [status, "error", type]);
    assert.equal(read.request_id, answer.headers.get("request-id"));
  }
  assertNothingSent();
});
