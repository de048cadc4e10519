import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { AdminServer } from "./admin.ts";
import type { AdminServices } from "./admin.ts";

const notAsked = (): Promise<never> => Promise.reject(new Error("not asked"));
const NO_LIMITS = { all: notAsked, one: notAsked, change: notAsked };

async function start(context: TestContext, services: Partial<AdminServices> = {}) {
  const server = new AdminServer({
    isReady: () => undefined,
    renderMetrics: () => ["# HELP a b\n", "a 1\n"],
    metricsContentType: "text/plain; version=0.0.4; charset=utf-8",
    usage: () => Promise.resolve({ outcome: "consumer_not_found" }),
    prompts: () => Promise.reject(new Error("not asked")),
    limits: NO_LIMITS,
    tokens: () => [],
    onError: assert.ifError,
    ...services,
  });
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  context.after(() => server.close());
  return { server, port, url: `http://127.0.0.1:${port}` };
}

/** Sends bytes and returns everything until the server closes. */
async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(request);
  let answer = "";
  socket.setEncoding("latin1").on("data", (text: string) => (answer += text));
  await once(socket, "close");
  return answer;
}

test("healthz lives, readyz says why not", async (context) => {
  let reason: string | undefined = "starting";
  const { url } = await start(context, { isReady: () => reason });
  const health = await fetch(`${url}/healthz`);
  assert.deepEqual(
    [health.status, health.headers.get("content-type"), await health.json()],
    [200, "application/json", { status: "ok" }],
  );
  const starting = await fetch(`${url}/readyz`);
  assert.deepEqual([starting.status, await starting.json()], [503, { status: "not_ready", reason: "starting" }]);
  reason = undefined;
  const ready = await fetch(`${url}/readyz?verbose=1`);
  assert.deepEqual([ready.status, await ready.json()], [200, { status: "ready" }]);
});

test("metrics come whole and with their type; HEAD has no body", async (context) => {
  const { url } = await start(context);
  const answer = await fetch(`${url}/metrics`);
  assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(await answer.text(), "# HELP a b\na 1\n");
  const head = await fetch(`${url}/metrics`, { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
});

test("a large scrape arrives whole and leaves the thread free in between", async (context) => {
  const piece = `${"x".repeat(16_383)}\n`;
  let turns = 0;
  let longest = 0;
  let last = performance.now();
  const { url } = await start(context, {
    *renderMetrics() {
      for (let index = 0; index < 1_000; index++) {
        const until = performance.now() + 0.1;
        while (performance.now() < until);
        yield piece;
      }
    },
  });
  const timer = setInterval(() => {
    turns++;
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  context.after(() => clearInterval(timer));
  const text = await (await fetch(`${url}/metrics`)).text();
  assert.equal(text.length, 16_384_000);
  assert.ok(turns >= 10, `${turns} turns of other work; the longest wait was ${longest} ms`);
});

test("a client that leaves in the midst of a scrape ends it", async (context) => {
  let made = 0;
  const { port } = await start(context, {
    *renderMetrics() {
      for (; made < 10_000; made++) yield "x".repeat(65_536);
    },
  });
  const socket = connect(port, "127.0.0.1");
  socket.write("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
  await once(socket, "data");
  socket.destroy();
  await once(socket, "close");
  let before = -1;
  while (made !== before) {
    before = made;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(made < 10_000, `${made} pieces were made`);
});

test("a scrape that fails breaks the connection instead of looking complete", async (context) => {
  const errors: unknown[] = [];
  const { port } = await start(context, {
    *renderMetrics() {
      yield "a 1\n";
      throw new Error("source");
    },
    onError: (error) => errors.push(error),
  });
  const answer = await raw(port, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.doesNotMatch(answer, /\r\n0\r\n\r\n$/);
  assert.equal(errors.length, 1);
});

test("other paths are 404 and other methods 405, as JSON", async (context) => {
  const { url, port } = await start(context);
  for (const path of ["/", "/metrics/", "/healthz/../metrics", "/HEALTHZ", "/%6detrics"]) {
    const answer = await raw(port, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    assert.match(answer, /^HTTP\/1.1 404 /, path);
    assert.match(answer, /"code":"route_not_found"/);
  }
  const post = await fetch(`${url}/metrics`, { method: "POST", body: "x".repeat(100_000) });
  assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD"]);
  assert.equal(((await post.json()) as { error: { code: string } }).error.code, "method_not_allowed");
});

test("large headers and garbage are refused, and the server goes on", async (context) => {
  const { url, port } = await start(context);
  assert.match(
    await raw(port, `GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1.1 431 /,
  );
  assert.match(await raw(port, "\u0000\u0001 nonsense\r\n\r\n"), /^HTTP\/1.1 400 /);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
});

test("a port in use is an error that says so", async (context) => {
  const { port } = await start(context);
  const second = new AdminServer({
    isReady: () => undefined,
    renderMetrics: () => [],
    metricsContentType: "",
    usage: () => Promise.reject(new Error("not asked")),
    prompts: () => Promise.reject(new Error("not asked")),
    limits: NO_LIMITS,
    tokens: () => [],
    onError: () => {},
  });
  await assert.rejects(second.listen({ host: "127.0.0.1", port }), { code: "EADDRINUSE" });
});

test("closing ends open connections", async (context) => {
  const { server, port } = await start(context);
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const closed = once(socket, "close");
  await server.close();
  await closed;
});
