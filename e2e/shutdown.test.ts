/** How a gateway ends: streams finish, or are told; nothing new is taken; the exit code says how it went. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { constants } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import test, { after, before, beforeEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { createAuthority } from "./certificates.ts";
import { read, type Reading } from "./client.ts";
import { Cleanups, testKey, type Ending } from "./harness.ts";
import { chatStream, openSession, readStream } from "./http2-client.ts";
import { chatBody, get, parseAnswers } from "./raw-http.ts";
import { FREE_PORTS, SluiceProcess, temporaryDirectory } from "./sluice-process.ts";

const { key, hash } = testKey("shutdown");
let simulator: Simulator;
const cleanups = new Cleanups();
before(async () => {
  simulator = await startSimulator();
  cleanups.after(() => simulator.close());
});
beforeEach(() => {
  simulator.reset();
});
after(async () => {
  await cleanups.run();
});

interface Running {
  readonly sluice: SluiceProcess;
  readonly url: string;
  readonly adminUrl: string;
  readonly port: number;
  /** Entries of the access log, which goes to standard output. */
  readonly entries: () => { outcome: string; status: number; error?: string; requestId: string }[];
}

async function start(t: Ending, server: JsonObject = {}, workers = 1): Promise<Running> {
  const directory = await temporaryDirectory(t);
  const config = {
    server,
    providers: [{ name: "engine", dialect: "openai", nodes: [`${simulator.url}/v1`] }],
    models: [{ name: "m", targets: [{ provider: "engine", model: "x" }] }],
    consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
  };
  await writeFile(join(directory, "sluice.yaml"), JSON.stringify(config));
  const parameters = ["serve", ...FREE_PORTS, "--config", "sluice.yaml", "--workers", String(workers)];
  const sluice = new SluiceProcess(t, parameters, { cwd: directory });
  return {
    sluice,
    ...(await sluice.announced()),
    entries: () =>
      sluice.stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as ReturnType<Running["entries"]>[number]),
  };
}

function stream(url: string, tokens: number, dialect: "openai" | "anthropic" = "openai"): Promise<Reading> {
  const content = `/simulate reply=lorem&tokens=${tokens}&chunkMs=25\n`;
  return read({ url, key, dialect, model: "m", content, stream: true });
}

async function refusesConnections(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const refused = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(false));
    socket.once("error", () => resolve(true));
  });
  socket.destroy();
  return refused;
}

test("SIGTERM: nothing new is taken, /readyz says so at once, streams end whole, exit 0", async (t) => {
  const { sluice, url, adminUrl, port, entries } = await start(t, {}, 2);
  const idle = connect(port, "127.0.0.1");
  await once(idle, "connect");
  const streams = Array.from({ length: 8 }, (_, index) => stream(url, 60, index % 2 === 0 ? "openai" : "anthropic"));
  await simulator.waitFor((seen) => seen.running === 8, 3_000);
  sluice.child.kill("SIGTERM");
  await sleep(200);
  const ready = await fetch(`${adminUrl}/readyz`);
  assert.deepEqual([ready.status, await ready.json()], [503, { status: "not_ready", reason: "shutting down" }]);
  assert.equal((await fetch(`${adminUrl}/healthz`)).status, 200);
  assert.ok(await refusesConnections(port));
  for (const { complete, finished, cut, error } of await Promise.all(streams)) {
    assert.deepEqual([complete, finished, cut, error], [true, true, false, ""]);
  }
  assert.equal(await sluice.ended(2_000), 0);
  assert.deepEqual(
    entries().map(({ outcome }) => outcome),
    Array(8).fill("ok"),
  );
  idle.destroy();
});

test("a connection that is kept gets its answer with `connection: close` while the gateway ends", async (t) => {
  const { sluice, url, port } = await start(t);
  const slow = stream(url, 60);
  await simulator.waitFor((seen) => seen.running === 1, 3_000);
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (data: string) => (text += data));
  // a request whose header is half there when the signal comes
  const request = get("/v1/models", [`authorization: Bearer ${key}`]);
  socket.write(request.slice(0, 30));
  await sleep(50);
  sluice.child.kill("SIGTERM");
  await sleep(200);
  socket.write(request.slice(30));
  await once(socket, "end");
  const [answer] = parseAnswers(text);
  assert.deepEqual([answer?.status, answer?.headers.get("connection")], [200, "close"]);
  assert.ok((await slow).complete);
  assert.equal(await sluice.ended(2_000), 0);
});

for (const dialect of ["openai", "anthropic"] as const) {
  test(`drainTimeout: ${dialect} streams that are left are told and cut off, exit 0`, async (t) => {
    const { sluice, url, entries } = await start(t, { drainTimeout: "500ms" });
    const long = stream(url, 2_000, dialect);
    const whole = read({ url, key, dialect, model: "m", content: "/simulate fault=hang-head\n", stream: false });
    await simulator.waitFor((seen) => seen.live === 2, 3_000);
    const signalledAt = performance.now();
    sluice.child.kill("SIGTERM");
    const { error, code, complete, cut, text } = await long;
    const ms = performance.now() - signalledAt;
    assert.ok(ms > 450 && ms < 2_000, `after ${ms} ms`);
    assert.match(error, /shutting down/);
    assert.deepEqual([code, complete, cut], ["shutting_down", false, true]);
    assert.ok(text.length > 10);
    const refused = await whole;
    assert.deepEqual([refused.status, refused.code], [503, "shutting_down"]);
    assert.equal(await sluice.ended(2_000), 0);
    assert.deepEqual(
      entries()
        .map((entry) => [entry.outcome, entry.status, entry.error])
        .toSorted(),
      [
        ["broken", 200, "shutting_down"],
        ["gateway_error", 503, "shutting_down"],
      ],
    );
    await simulator.waitFor((seen) => seen.live === 0, 1_000);
  });
}

for (const [signal, code] of [
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const) {
  test(`a second ${signal} ends it at once: streams are told, exit ${code}`, async (t) => {
    const { sluice, url, entries } = await start(t);
    const long = stream(url, 2_000);
    await simulator.waitFor((seen) => seen.running === 1, 3_000);
    sluice.child.kill(signal);
    await sleep(400);
    const signalledAt = performance.now();
    sluice.child.kill(signal);
    assert.equal(await sluice.ended(3_000), code);
    assert.ok(performance.now() - signalledAt < 2_000, `${performance.now() - signalledAt} ms`);
    const { error, complete } = await long;
    assert.match(error, /shutting down/);
    assert.equal(complete, false);
    assert.deepEqual(
      entries().map(({ outcome }) => outcome),
      ["broken"],
    );
  });
}

test("the same signal twice within a moment is one: Ctrl-C comes from the terminal and from npm", async (t) => {
  const { sluice, url } = await start(t);
  const short = stream(url, 20);
  await simulator.waitFor((seen) => seen.running === 1, 3_000);
  sluice.child.kill("SIGINT");
  await sleep(20);
  sluice.child.kill("SIGINT");
  assert.ok((await short).complete);
  assert.equal(await sluice.ended(2_000), 0);
});

test("HTTP/2: a session is told to go away, its streams end whole", async (t) => {
  const authority = createAuthority(t);
  const { sluice, port } = await start(t, { tls: { ...authority.issue("shutdown") } });
  const session = await openSession(t, port, authority.cert);
  const idle = await openSession(t, port, authority.cert);
  const goneAway = once(session, "goaway");
  const body = chatBody("m", "/simulate reply=lorem&tokens=40&chunkMs=25\n", { stream: true });
  const streaming = readStream(chatStream(session, key, body));
  await simulator.waitFor((seen) => seen.running === 1, 3_000);
  sluice.child.kill("SIGTERM");
  const [code] = (await goneAway) as [number];
  assert.equal(code, constants.NGHTTP2_NO_ERROR);
  const { ended, text } = await streaming;
  assert.ok(ended);
  assert.match(text, /data: \[DONE\]\n\n$/);
  assert.equal(await sluice.ended(2_000), 0);
  assert.ok(idle.closed || idle.destroyed);
});

test("HTTP/2: drainTimeout ends streams with an error event and RST_STREAM", async (t) => {
  const authority = createAuthority(t);
  const { sluice, port } = await start(t, { drainTimeout: "300ms", tls: { ...authority.issue("shutdown") } });
  const session = await openSession(t, port, authority.cert);
  const body = chatBody("m", "/simulate reply=lorem&tokens=2000&chunkMs=25\n", { stream: true });
  const streaming = readStream(chatStream(session, key, body));
  await simulator.waitFor((seen) => seen.running === 1, 3_000);
  sluice.child.kill("SIGTERM");
  const { rstCode, text } = await streaming;
  assert.match(text, /shutting_down/);
  assert.equal(rstCode, constants.NGHTTP2_INTERNAL_ERROR);
  assert.equal(await sluice.ended(2_000), 0);
});

test("kill -9, and the next start on the same ports works at once", async (t) => {
  const first = await start(t, {}, 2);
  const broken = stream(first.url, 2_000);
  await simulator.waitFor((seen) => seen.completionTokens > 5, 3_000);
  first.sluice.child.kill("SIGKILL");
  assert.equal(await first.sluice.ended(2_000), "SIGKILL");
  assert.deepEqual([(await broken).cut, (await broken).complete], [true, false]);
  const directory = await temporaryDirectory(t);
  const environment = { HOME: directory };
  const addresses = ["--listen", `127.0.0.1:${first.port}`, "--admin-listen", new URL(first.adminUrl).host];
  const again = new SluiceProcess(t, ["serve", ...addresses], { cwd: directory, environment });
  assert.equal((await again.announced()).port, first.port);
  again.child.kill("SIGTERM");
  assert.equal(await again.ended(3_000), 0);
});
