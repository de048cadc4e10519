import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { namedSubjectText, type NamedSubject } from "../quotas/bucket.ts";
import { AdminServer } from "./admin.ts";
import type { AdminLimits } from "./admin-limits.ts";
import { LimitsNotStored } from "./limits-desk.ts";
import { LoaderUnavailable } from "./loader-desk.ts";
import type { LimitsAnswer } from "./messages.ts";

const notAsked = (): Promise<never> => Promise.reject(new Error("not asked"));
const FOUND: LimitsAnswer = { outcome: "found", body: "{}" };

/** An admin port whose limits only tell what they were asked. */
async function start(t: TestContext, limits: Partial<AdminLimits> = {}, tokens: string[] = []) {
  const asked: string[] = [];
  const tell = (what: string, subject?: NamedSubject): Promise<LimitsAnswer> => {
    asked.push(subject === undefined ? what : `${what} ${namedSubjectText(subject)}`);
    return Promise.resolve(FOUND);
  };
  const server = new AdminServer({
    isReady: () => undefined,
    renderMetrics: () => [],
    metricsContentType: "text/plain",
    usage: notAsked,
    prompts: notAsked,
    limits: {
      all: () => tell("all"),
      one: (subject) => tell("one", subject),
      change: (change, { by, from }) =>
        tell(`${change.ask}${change.ask === "set" ? ` ${change.text}` : ""} by ${by}@${from} of`, change.subject),
      ...limits,
    },
    tokens: () => tokens.map((name) => ({ name, hash: createHash("sha256").update(`token-${name}`).digest("hex") })),
    onError: assert.ifError,
  });
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  t.after(() => server.close());
  const send = async (method: string, path: string, body?: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`http://127.0.0.1:${port}/admin/v1/limits${path}`, {
      method,
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text };
  };
  return { asked, send, port };
}

test("paths name subjects by their parts; slashes too many belong to the last one", async (t) => {
  const { asked, send } = await start(t);
  const put = async (path: string) => (await send("PUT", path, "{}")).status;
  assert.equal((await send("GET", "")).status, 200);
  assert.equal((await send("GET", "/consumer/search?x=1")).status, 200);
  assert.equal(await put("/key/search/prod"), 200);
  assert.equal(await put("/grant/search/vendor/*"), 200);
  assert.equal(await put("/keyGrant/search/prod/a%2Fb"), 200);
  assert.equal(await put("/target/org%2Findex/openai/org/gpt"), 200);
  assert.equal(await put("/credential/openai%2Fmain"), 200);
  assert.equal((await send("DELETE", "/credential/openai/main")).status, 200);
  assert.deepEqual(asked, [
    "all",
    "one consumer:search",
    "set {} by @127.0.0.1 of key:search/prod",
    "set {} by @127.0.0.1 of grant:search/vendor%2F*",
    "set {} by @127.0.0.1 of keyGrant:search/prod/a%2Fb",
    "set {} by @127.0.0.1 of target:org%2Findex/openai/org%2Fgpt",
    "set {} by @127.0.0.1 of credential:openai%2Fmain",
    "remove by @127.0.0.1 of credential:openai%2Fmain",
  ]);
});

test("what names nobody is 404 and asks nobody; methods that there are not are 405 and say which there are", async (t) => {
  const { asked, send, port } = await start(t);
  for (const path of [
    "/",
    "/planet/earth",
    "/consumer",
    "/consumer/",
    "/key/search",
    "/key//prod",
    "/key/search/",
    "/model/%",
  ]) {
    const { status, text } = await send("PUT", path, "{}");
    assert.equal(status, 404, path);
    assert.match(text, /subject_not_found.*limits\/grant\/\{consumer\}\/\{model\}/);
  }
  const raw = connect(port, "127.0.0.1");
  raw.write(
    "PUT /admin/v1/limits/consumer/../usage HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
  );
  const [data] = (await once(raw, "data")) as [Buffer];
  assert.match(data.toString(), /^HTTP\/1.1 200/, "a subject of that name, if there were one");
  assert.deepEqual(asked.splice(0), ["set {} by @127.0.0.1 of consumer:..%2Fusage"]);
  const all = await send("DELETE", "");
  assert.deepEqual([all.status, all.headers.get("allow")], [405, "GET, HEAD"]);
  const post = await send("POST", "/consumer/search", "{}");
  assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD, PUT, DELETE"]);
  assert.deepEqual(asked, []);
});

test("a body of 64 KiB is read, and no more", async (t) => {
  const { asked, send } = await start(t);
  assert.equal((await send("PUT", "/model/m", " ".repeat(65_536))).status, 200);
  const large = await send("PUT", "/model/m", " ".repeat(65_537));
  assert.deepEqual([large.status, large.headers.get("connection")], [413, "close"]);
  assert.match(large.text, /request_too_large/);
  assert.equal(asked.length, 1);
});

test("refusals have their status, and so has a gateway that cannot now", async (t) => {
  const refusals = [
    ["subject_not_found", 404],
    ["limits_not_set", 404],
    ["invalid_limits", 400],
    ["too_many_limits", 409],
  ] as const;
  for (const [reason, status] of refusals) {
    const { send } = await start(t, {
      change: () => Promise.resolve({ outcome: "refused", reason, message: "do this" }),
    });
    const answer = await send("PUT", "/model/m", "{}");
    assert.deepEqual(
      [answer.status, JSON.parse(answer.text)],
      [status, { error: { code: reason, message: "do this" } }],
    );
  }
  const busy = await start(t, { all: () => Promise.reject(new LoaderUnavailable("later")) });
  assert.match((await busy.send("GET", "")).text, /limits_unavailable.*later/);
  const full = await start(t, { change: () => Promise.reject(new LimitsNotStored("the disk is full")) });
  const answer = await full.send("PUT", "/model/m", "{}");
  assert.equal(answer.status, 503);
  assert.match(answer.text, /store_unavailable.*the disk is full/);
});

test("(5) with tokens nobody gets in without one, and changes bear its name", async (t) => {
  const { asked, send } = await start(t, {}, ["ops", "ci"]);
  for (const [method, path, body] of [
    ["GET", ""],
    ["GET", "/consumer/search"],
    ["PUT", "/consumer/search", "{}"],
    ["DELETE", "/consumer/search"],
    ["POST", "/nothing"],
  ] as const) {
    const { status, headers, text } = await send(method, path, body, { authorization: "Bearer wrong" });
    assert.deepEqual([status, headers.get("www-authenticate")], [401, "Bearer"], `${method} ${path}`);
    assert.match(text, /invalid_token/);
  }
  assert.deepEqual(asked, []);
  const authorization = "Bearer token-ci";
  assert.equal((await send("PUT", "/consumer/search", "{}", { authorization })).status, 200);
  assert.deepEqual(asked, ["set {} by ci@127.0.0.1 of consumer:search"]);
});

test("a client that leaves in the midst of its body changes nothing", async (t) => {
  const { asked, send, port } = await start(t);
  const socket = connect(port, "127.0.0.1");
  socket.write(
    'PUT /admin/v1/limits/model/m HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{"rpm"',
  );
  await once(socket, "connect");
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  await once(socket, "close");
  assert.equal((await send("GET", "")).status, 200);
  assert.deepEqual(asked, ["all"]);
});
