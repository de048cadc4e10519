/** Providers over HTTPS and behind proxies: certificates are checked, sessions resumed, the environment is heeded. */
import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { createAuthority, type Authority } from "./certificates.ts";
import { read, type Reading } from "./client.ts";
import { Cleanups, startGateway, testKey, type Ending, type RunningGateway } from "./harness.ts";
import { startProxy, startTlsFront } from "./proxies.ts";

const cleanups = new Cleanups();
const { key, hash } = testKey("upstream-tls");
let authority: Authority;
let simulator: Simulator;
before(async () => {
  authority = createAuthority(cleanups);
  simulator = await startSimulator();
  cleanups.after(() => simulator.close());
});
beforeEach(() => {
  simulator.reset();
});
after(async () => {
  await cleanups.run();
});

/** A gateway with one model `m` for each provider's URL: `m-0`, `m-1` … */
async function start(
  t: Ending,
  urls: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<RunningGateway> {
  return startGateway(t, {
    environment,
    config: {
      providers: urls.map((baseUrl, index) => ({
        name: `vendor-${index}`,
        dialect: "openai",
        baseUrl,
        credentials: [{ name: "main", apiKey: "canary-of-the-provider" }],
      })),
      models: urls.map((_, index) => ({
        name: `m-${index}`,
        targets: [{ provider: `vendor-${index}`, model: "x" }],
        retry: { attempts: 0 },
      })),
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
}

async function chat(gateway: RunningGateway, model: string, content = "hi", stream = false): Promise<Reading> {
  return read({ url: gateway.url, key, dialect: "openai", model, content, stream });
}

/** A stream that the client leaves after its first chunk. */
async function leaveStream(gateway: RunningGateway, model: string): Promise<void> {
  const controller = new AbortController();
  const content = "/simulate reply=lorem&tokens=500&chunkMs=20\n";
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, stream: true, messages: [{ role: "user", content }] }),
    signal: controller.signal,
  });
  await answer.body?.getReader().read();
  controller.abort();
}

const SLOW = "/simulate reply=lorem&tokens=10&chunkMs=20\n";

test("an HTTPS provider: served, streamed, left, and its sessions resumed", async (t) => {
  const front = await startTlsFront(t, authority.issue("vendor"), simulator.port);
  const gateway = await start(t, [`https://localhost:${front.port}/v1`], { NODE_EXTRA_CA_CERTS: authority.file });
  assert.equal((await chat(gateway, "m-0", "over tls")).text, "over tls");
  const streamed = await chat(gateway, "m-0", SLOW, true);
  assert.ok(streamed.complete && streamed.finished);
  assert.deepEqual(front.resumed, [false], "one connection for both");
  assert.deepEqual(front.names, ["localhost"]);
  front.endConnections();
  for (let round = 0; round < 3; round++) {
    assert.equal((await chat(gateway, "m-0")).status, 200);
    front.endConnections();
  }
  assert.deepEqual(front.resumed, [false, true, true, true]);
  await leaveStream(gateway, "m-0");
  await simulator.waitFor((seen) => seen.aborted === 1 && seen.live === 0, 1_000);
  const broken = await chat(gateway, "m-0", "/simulate reply=lorem&tokens=9&fault=reset-body:3\n", true);
  assert.deepEqual([broken.status, broken.code, broken.complete], [200, "upstream_stream_broken", false]);
});

test("a certificate that is not to be trusted, or another's, is no provider", async (t) => {
  const own = await startTlsFront(t, authority.issue("vendor"), simulator.port);
  const others = await startTlsFront(t, authority.issue("other", "DNS:other.example.com"), simulator.port);
  const foreign = createAuthority(t);
  const unknown = await startTlsFront(t, foreign.issue("vendor"), simulator.port);
  const urls = [own, others, unknown].map(({ port }) => `https://localhost:${port}/v1`);
  const gateway = await start(t, [...urls, `https://localhost:${simulator.port}/v1`], {
    NODE_EXTRA_CA_CERTS: authority.file,
  });
  assert.equal((await chat(gateway, "m-0")).status, 200);
  for (const model of ["m-1", "m-2", "m-3"]) {
    const { status, code, body } = await chat(gateway, model);
    assert.deepEqual([status, code], [502, "upstream_unreachable"], model);
    assert.doesNotMatch(body, /localhost|certificate|self.signed|\d{4,5}/i);
  }
  assert.equal(simulator.stats().hits, 1);
});

test("HTTPS_PROXY, HTTP_PROXY and NO_PROXY", async (t) => {
  const front = await startTlsFront(t, authority.issue("vendor"), simulator.port);
  const proxy = await startProxy(t);
  const gateway = await start(
    t,
    [
      `https://localhost:${front.port}/v1`,
      `http://localhost:${simulator.port}/v1`,
      `http://127.0.0.1:${simulator.port}/v1`,
    ],
    {
      NODE_EXTRA_CA_CERTS: authority.file,
      HTTPS_PROXY: `http://user:canary-password@127.0.0.1:${proxy.port}`,
      HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
      NO_PROXY: "127.0.0.1",
    },
  );
  assert.equal((await chat(gateway, "m-0", "through a tunnel")).text, "through a tunnel");
  assert.deepEqual(proxy.asked, [`CONNECT localhost:${front.port}`]);
  assert.equal(proxy.authorizations[0], `Basic ${Buffer.from("user:canary-password").toString("base64")}`);
  assert.deepEqual(front.names, ["localhost"]);
  assert.equal((await chat(gateway, "m-1", "through the proxy")).text, "through the proxy");
  assert.match(proxy.asked[1] ?? "", new RegExp(`localhost:${simulator.port}`));
  const before = proxy.asked.length;
  assert.equal((await chat(gateway, "m-2", "straight")).text, "straight");
  assert.equal(proxy.asked.length, before);
  for (const { rawHeaders } of simulator.requests()) {
    assert.ok(
      !rawHeaders.some(([name]) => name.toLowerCase().startsWith("proxy-")),
      "proxy headers reached the vendor",
    );
    assert.ok(rawHeaders.some(([name, value]) => name.toLowerCase() === "authorization" && value.includes("canary")));
  }

  const streamed = await chat(gateway, "m-0", SLOW, true);
  assert.ok(streamed.complete && streamed.finished);
  for (const model of ["m-0", "m-1"]) {
    simulator.reset();
    await leaveStream(gateway, model);
    await simulator.waitFor((seen) => seen.aborted === 1 && seen.live === 0, 1_000);
    const broken = await chat(gateway, model, "/simulate reply=lorem&tokens=9&fault=reset-body:3\n", true);
    assert.deepEqual([broken.code, broken.complete], ["upstream_stream_broken", false], model);
    const refused = await chat(gateway, model, "/simulate fault=status:429,retry-after=3\n");
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "3"], model);
  }
  assert.doesNotMatch(gateway.log() + gateway.output(), /canary/);
});

test("a proxy that refuses, or is not there, is a provider that cannot be reached", async (t) => {
  const front = await startTlsFront(t, authority.issue("vendor"), simulator.port);
  const proxy = await startProxy(t);
  const environment = { NODE_EXTRA_CA_CERTS: authority.file, https_proxy: `http://127.0.0.1:${proxy.port}` };
  const gateway = await start(t, [`https://localhost:${front.port}/v1`], environment);
  for (const status of [407, 403, 502]) {
    proxy.refuse(status);
    const answer = await chat(gateway, "m-0");
    assert.deepEqual([answer.status, answer.code], [502, "upstream_unreachable"], `${status}`);
    assert.doesNotMatch(answer.body, /127\.0\.0\.1|localhost|proxy/i);
  }
  proxy.refuse(undefined);
  const served = await chat(gateway, "m-0");
  assert.ok(served.status === 200 || served.status === 503, `${served.status}`);
  const absent = await start(t, [`https://localhost:${front.port}/v1`], { https_proxy: "http://127.0.0.1:1" });
  const answer = await chat(absent, "m-0");
  assert.deepEqual([answer.status, answer.code], [502, "upstream_unreachable"]);
});
