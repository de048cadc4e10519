/** HTTPS: HTTP/1.1 and HTTP/2 by ALPN, streams and their ends, and the same guards as without. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, rename, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { constants, type ClientHttp2Session } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import test, { after, before, beforeEach } from "node:test";
import { connect as connectTls } from "node:tls";
import { createAuthority, type Authority } from "./certificates.ts";
import { Cleanups, until } from "./harness.ts";
import { chatStream, openSession, readStream } from "./http2-client.ts";
import { chatBody, errorCode } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

const MIB = 1024 * 1024;
const REQUEST_MS = 1_000;
const PAGE = "https://page.example.com";

let authority: Authority;
let world: World;
let session: ClientHttp2Session;
const cleanups = new Cleanups();
before(async () => {
  authority = createAuthority(cleanups);
  const { cert, key } = authority.issue("first");
  const directory = join(authority.file, "..");
  await writeFile(join(directory, "tls.crt"), cert);
  await writeFile(join(directory, "tls.key"), key);
  world = await startWorld(cleanups, {
    config: {
      server: {
        tls: { cert: join(directory, "tls.crt"), key: join(directory, "tls.key") },
        headersTimeout: `${REQUEST_MS}ms`,
        requestTimeout: `${REQUEST_MS}ms`,
        maxBodyBytes: "2MiB",
      },
      domains: [
        {
          host: "localhost",
          routes: [
            { path: "/v1/*", api: ["openai", "anthropic"] },
            { path: "/pages/*", api: "openai", middlewares: [{ name: "cors", options: { allowOrigins: [PAGE] } }] },
          ],
        },
        { host: "*.example.com", routes: [{ path: "/other/*", api: "openai" }] },
      ],
    },
  });
  session = await openSession(cleanups, world.gateway.port, authority.cert);
});
beforeEach(() => {
  world.simulators.openai.reset();
});
after(async () => {
  await cleanups.run();
});

test("it says that it listens on https, and speaks HTTP/1.1 to who asks for it", async () => {
  assert.match(world.gateway.url, /^https:/);
  const request = httpsRequest(`${world.gateway.url}/v1/models`, {
    ca: authority.cert,
    headers: { host: "localhost", authorization: `Bearer ${world.key}` },
  });
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume();
  assert.deepEqual([response.statusCode, response.httpVersion], [200, "1.1"]);
});

test("HTTP/2: many streams of one connection, each with its answer and its entry", async () => {
  assert.equal(session.alpnProtocol, "h2");
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => {
      const body = chatBody(MODELS.openai, `/simulate text=answer-${index}&chunkMs=5\n`, { stream: index % 2 === 0 });
      return readStream(chatStream(session, world.key, body, { "x-request-id": `many-${index}` }));
    }),
  );
  for (const [index, { status, headers, text, ended }] of answers.entries()) {
    assert.deepEqual([status, headers["x-request-id"], ended], [200, `many-${index}`, true]);
    if (index % 2 === 0) assert.match(text, /data: \[DONE\]\n\n$/);
    else assert.match(text, new RegExp(`"answer-${index}"`));
  }
  await world.gateway.entryOf("many-49");
  const entries = (await world.gateway.entries()).filter(({ requestId }) => requestId.startsWith("many-"));
  assert.equal(entries.length, 50);
  assert.ok(entries.every(({ outcome, status }) => outcome === "ok" && status === 200));
});

test("HTTP/2: the authority is the host", async () => {
  const call = async (authorityName: string, path: string): Promise<number> =>
    (
      await readStream(
        chatStream(session, world.key, chatBody(MODELS.openai), { ":authority": authorityName, ":path": path }),
      )
    ).status;
  assert.equal(await call("api.example.com", "/other/chat/completions"), 200);
  assert.equal(await call("api.example.com", "/v1/chat/completions"), 404);
  assert.equal(await call("localhost:1234", "/v1/chat/completions"), 200);
  assert.ok([0, 404].includes(await call("x/#@localhost", "/v1/chat/completions")), "refused by the parser, or by us");
  assert.equal(await call("other", "/v1/chat/completions"), 404);
});

test("HTTP/2: an answer without a body is an answer, with or without a body of the request", async () => {
  for (const [origin, status] of [
    [PAGE, 204],
    ["https://other.example.com", 403],
  ] as const) {
    for (const endStream of [true, false]) {
      const preflight = { ":method": "OPTIONS", ":path": "/pages/models", "access-control-request-method": "POST" };
      const stream = session.request({ ...preflight, origin }, { endStream });
      const answer = readStream(stream);
      if (!endStream) stream.end("x");
      assert.equal((await answer).status, status);
    }
  }
});

test("HTTP/2: chunks come as they are made", async () => {
  const body = chatBody(MODELS.openai, "/simulate reply=lorem&tokens=8&chunkMs=100\n", { stream: true });
  const stream = chatStream(session, world.key, body);
  const times: number[] = [];
  stream.on("data", () => times.push(performance.now()));
  await readStream(stream);
  const gaps = times.slice(1).map((time, index) => time - times[index]!);
  assert.ok(times.length >= 8, `${times.length} chunks`);
  assert.ok(Math.max(...gaps) < 300, `gaps of ${gaps.map(Math.round).join(", ")} ms`);
});

test("HTTP/2: of two streams one leaves: its upstream is told, the other goes on (11)", async () => {
  const body = chatBody(MODELS.openai, "/simulate reply=lorem&tokens=60&chunkMs=20\n", { stream: true });
  const stays = readStream(chatStream(session, world.key, body, { "x-request-id": "stays" }));
  const leaving = chatStream(session, world.key, body, { "x-request-id": "leaves" });
  leaving.on("error", () => {});
  await once(leaving, "data");
  leaving.close(constants.NGHTTP2_CANCEL);
  const leftAt = performance.now();
  await world.simulators.openai.waitFor((seen) => seen.aborted === 1, 1_000);
  assert.ok(performance.now() - leftAt < 1_000);
  const { ended, text } = await stays;
  assert.ok(ended);
  assert.match(text, /data: \[DONE\]\n\n$/);
  assert.deepEqual(
    [(await world.gateway.entryOf("leaves")).outcome, (await world.gateway.entryOf("stays")).outcome],
    ["aborted", "ok"],
  );
});

test("HTTP/2: a session that dies ends all of its requests", async (t) => {
  const own = await openSession(t, world.gateway.port, authority.cert);
  const body = chatBody(MODELS.openai, "/simulate reply=lorem&tokens=500&chunkMs=20\n", { stream: true });
  const streams = Array.from({ length: 10 }, () => chatStream(own, world.key, body));
  for (const stream of streams) stream.on("error", () => {});
  await Promise.all(streams.map((stream) => once(stream, "data")));
  own.destroy();
  await world.simulators.openai.waitFor((seen) => seen.aborted === 10 && seen.live === 0, 1_000);
});

test("HTTP/2: an upstream that breaks mid-stream becomes an error event and RST_STREAM (1)", async () => {
  for (const fault of ["reset-body:3", "close-body:3"]) {
    const body = chatBody(MODELS.openai, `/simulate reply=lorem&tokens=20&chunkMs=5&fault=${fault}\n`, {
      stream: true,
    });
    const { status, text, rstCode } = await readStream(chatStream(session, world.key, body));
    assert.equal(status, 200);
    assert.match(text, /"error":\{.*"code":"upstream_stream_broken"/);
    assert.doesNotMatch(text, /\[DONE\]/);
    assert.equal(rstCode, constants.NGHTTP2_INTERNAL_ERROR);
  }
  assert.ok(!session.closed, "the connection goes on");
});

test("HTTP/1.0: a stream that breaks is told and cut off, and the worker lives", async () => {
  const body = chatBody(MODELS.openai, "/simulate reply=lorem&tokens=20&chunkMs=5&fault=reset-body:3\n", {
    stream: true,
  });
  const socket = connectTls({ port: world.gateway.port, host: "localhost", ca: authority.cert });
  socket.on("error", () => {});
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => (text += part));
  const head = ["POST /v1/chat/completions HTTP/1.0", "host: localhost", `authorization: Bearer ${world.key}`];
  head.push("content-type: application/json", `content-length: ${Buffer.byteLength(body)}`);
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  await once(socket, "close");
  assert.match(text, /"error":\{"message":"The connection to the model's provider broke/);
  const models = await readStream(session.request({ ":path": "/v1/models", authorization: `Bearer ${world.key}` }));
  assert.equal(models.status, 200);
  assert.doesNotMatch(world.gateway.log(), /a worker (?:failed|died)/);
});

test("HTTP/2: a body over the limit is refused while it is sent, and the answer can be read", async () => {
  for (const [length, announced] of [
    [4 * MIB, true],
    [4 * MIB, false],
  ] as const) {
    const stream = chatStream(session, world.key, undefined, announced ? { "content-length": length } : {});
    const reading = readStream(stream);
    const piece = Buffer.alloc(64 * 1024, 0x20);
    for (let sent = 0; sent < length && !stream.closed && !stream.destroyed; sent += piece.length) {
      if (!stream.write(piece)) await Promise.race([once(stream, "drain"), reading]).catch(() => {});
    }
    if (!stream.destroyed) stream.end();
    const { status, text, rstCode } = await reading;
    assert.deepEqual([status, errorCode(text), rstCode], [413, "body_too_large", constants.NGHTTP2_NO_ERROR]);
  }
  assert.equal(world.simulators.openai.stats().hits, 0);
});

test("HTTP/2: an answer before the end of the request needs no more of it", async () => {
  const stream = chatStream(session, "wrong", undefined);
  stream.write("{");
  const { status, rstCode } = await readStream(stream);
  assert.deepEqual([status, rstCode], [401, constants.NGHTTP2_NO_ERROR]);
});

test("HTTP/2: slow bodies are 408 too", async () => {
  const startedAt = performance.now();
  const stream = chatStream(session, world.key, undefined, { "x-request-id": "slow" });
  stream.write('{"model"');
  const { status, text } = await readStream(stream);
  assert.deepEqual([status, errorCode(text)], [408, "request_timeout"]);
  const ms = performance.now() - startedAt;
  assert.ok(ms >= REQUEST_MS - 50 && ms < REQUEST_MS + 1_500, `${ms} ms`);
  const entry = await world.gateway.entryOf("slow");
  assert.deepEqual([entry.outcome, entry.status], ["refused", 408]);
});

test("HTTP/2: paths, methods, expectations and large headers meet the same guards", async (t) => {
  const status = async (headers: Record<string, string>, body: string | undefined = chatBody(MODELS.openai)) =>
    (await readStream(chatStream(session, world.key, body, headers))).status;
  for (const path of [
    "//v1/chat/completions",
    "/v1/../v1/chat/completions",
    "/v1/%2e%2e/x",
    "/v1;x/chat/completions",
  ]) {
    assert.equal(await status({ ":path": path }), 404, path);
  }
  assert.equal(await status({ ":method": "PUT" }), 405);
  assert.equal(await status({ "content-type": "text/plain" }), 415);
  assert.equal(await status({ expect: "100-continue" }), 200);
  assert.equal(world.simulators.openai.stats().hits, 1);
  const own = await openSession(t, world.gateway.port, authority.cert);
  const tunnel = own.request({ ":method": "CONNECT", ":authority": "169.254.169.254:80" });
  assert.equal((await readStream(tunnel)).status, 405);
  const large = await readStream(chatStream(own, world.key, undefined, { x: "y".repeat(100_000) }));
  assert.ok(large.status === 431 || large.status === 0, `${large.status}`);
});

test("HTTP/2: streams that are opened and reset at once are forgotten, and have one entry each", async (t) => {
  const own = await openSession(t, world.gateway.port, authority.cert);
  const body = chatBody(MODELS.openai, "/simulate reply=lorem&tokens=500&chunkMs=20\n", { stream: true });
  for (let index = 0; index < 100; index++) {
    const stream = chatStream(own, world.key, body, { "x-request-id": `rapid-${index}` });
    stream.on("error", () => {});
    setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), index % 10);
  }
  await world.gateway.entryOf("rapid-99");
  await world.simulators.openai.waitFor((seen) => seen.live === 0, 1_000);
  const entries = (await world.gateway.entries()).filter(({ requestId }) => requestId.startsWith("rapid-"));
  assert.equal(entries.length, new Set(entries.map(({ requestId }) => requestId)).size);
  assert.ok(entries.every(({ outcome }) => outcome === "aborted"));
});

test("what is no TLS, or too old, is closed, and the gateway goes on", async () => {
  const plain = connect(world.gateway.port, "127.0.0.1");
  plain.on("error", () => {});
  plain.write("GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n");
  plain.resume();
  await once(plain, "close");
  const old = connectTls({ port: world.gateway.port, host: "127.0.0.1", ca: authority.cert, maxVersion: "TLSv1.1" });
  await once(old, "error");
  const other = connectTls({
    port: world.gateway.port,
    host: "127.0.0.1",
    servername: "localhost",
    ca: authority.cert,
    ALPNProtocols: ["spdy/3"],
  });
  await Promise.race([once(other, "error"), once(other, "close")]);
  const { status } = await readStream(chatStream(session, world.key, chatBody(MODELS.openai)));
  assert.equal(status, 200);
  assert.doesNotMatch(world.gateway.log(), /"level":"(error|fatal)"/);
});

test("who does not finish the handshake, or says nothing after it, is closed without a word", async () => {
  const startedAt = performance.now();
  const silent = connect(world.gateway.port, "127.0.0.1");
  const half = connect(world.gateway.port, "127.0.0.1");
  half.write(Buffer.from("16030100a5010000a10303", "hex"));
  const after = connectTls({
    port: world.gateway.port,
    host: "127.0.0.1",
    servername: "localhost",
    ca: authority.cert,
  });
  let said = "";
  after.on("data", (data: Buffer) => (said += data.toString()));
  for (const socket of [silent, half]) socket.resume();
  await Promise.all([silent, half, after].map((socket) => once(socket, "close")));
  assert.equal(said, "");
  assert.ok(performance.now() - startedAt < REQUEST_MS + 1_600);
});

test("a renewed certificate is used by new connections; the others go on", async (t) => {
  const directory = join(authority.file, "..");
  const renewed = authority.issue("second");
  for (const [name, text] of [
    ["tls.key", renewed.key],
    ["tls.crt", renewed.cert],
  ] as const) {
    await writeFile(join(directory, `${name}.new`), text);
    await rename(join(directory, `${name}.new`), join(directory, name));
  }
  const nameOf = async (): Promise<string | undefined> => {
    const socket = connectTls({
      port: world.gateway.port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: authority.cert,
    });
    await once(socket, "secureConnect");
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return String(subject.CN);
  };
  await until("the new certificate", async () => ((await nameOf()) === "second" ? true : undefined));
  const { status } = await readStream(chatStream(session, world.key, chatBody(MODELS.openai)));
  assert.equal(status, 200);
  const own = await openSession(t, world.gateway.port, authority.cert);
  assert.equal((await readStream(chatStream(own, world.key, chatBody(MODELS.openai)))).status, 200);
  assert.doesNotMatch(world.gateway.log() + (await readFile(authority.file, "utf8")), /PRIVATE KEY/);
});
