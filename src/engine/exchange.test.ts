import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DIALECTS } from "../dialects/builtin.ts";
import { SluiceError } from "../lib/errors.ts";
import { BodyBudget } from "./body-budget.ts";
import { Exchange } from "./exchange.ts";
import { EngineLease } from "./lease.ts";
import type { Engine } from "./engine.ts";
import { clientRequest } from "./node-request.ts";
import type { Services } from "./services.ts";
import type { UsageSlot } from "./usage-slot.ts";

/** One request on a connection of its own, and what became of it. */
interface Round {
  readonly exchange: Exchange;
  readonly socket: Socket;
  /** How its usage entry was closed: outcome, status, error code. */
  readonly closed: string[];
  readonly log: string[];
  readonly lease: EngineLease;
  readonly disposed: () => boolean;
  /** All that the client got, once the connection has ended. */
  received(): Promise<string>;
  /** Waits until the exchange has ended. */
  ended(): Promise<string[]>;
}

const MAX_BODIES_BYTES = 15;
const GET = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

async function begin(t: TestContext, request = GET): Promise<Round> {
  const log: string[] = [];
  const closed: string[] = [];
  let disposed = false;
  const lease = new EngineLease({
    dispose() {
      disposed = true;
    },
  } as Engine);
  const services = {
    bodies: new BodyBudget(MAX_BODIES_BYTES),
    answers: new BodyBudget(MAX_BODIES_BYTES),
    streams: new Set(),
    draining: () => false,
    ended: () => log.push("ended"),
    log: { error: (_details: object, message: string) => log.push(message) },
  } as unknown as Services;
  const entry = {
    close: (outcome: string, status: number, code: string) => closed.push(`${outcome} ${status} ${code}`.trim()),
    received() {},
  } as unknown as UsageSlot;
  const { promise, resolve } = Promise.withResolvers<Exchange>();
  class Answer extends ServerResponse {
    cutOff(): void {
      log.push("cut off");
      // node writes chunks at the end of the tick
      setImmediate(() => this.req.socket.destroySoon());
    }

    endEarly(): void {
      log.push("ended early");
      this.req.socket.destroySoon();
    }
  }
  const server = createServer({ ServerResponse: Answer }, (incoming, response) => {
    const exchange = new Exchange(clientRequest(incoming), response, "req_1", entry, lease, services, DIALECTS.openai);
    incoming.socket.once("close", () => exchange.clientLeft());
    resolve(exchange);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => {});
  t.after(() => {
    socket.destroy();
    server.close();
  });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.write(request);
  return {
    exchange: await promise,
    socket,
    closed,
    log,
    lease,
    disposed: () => disposed,
    async received() {
      if (!socket.closed) await once(socket, "close");
      return Buffer.concat(chunks).toString();
    },
    async ended() {
      while (closed.length === 0) await sleep(2);
      return closed;
    },
  };
}

const refused = new SluiceError("invalid_request", "No.");
const late = new SluiceError("total_timeout", "Too late.");

test("an answer closes the entry and lets the engine go, once", async (t) => {
  const round = await begin(t);
  round.lease.retire();
  assert.equal(round.disposed(), false);
  round.exchange.sendJson(200, { a: 1 });
  round.exchange.sendJson(200, { b: 2 });
  round.exchange.sendError(refused);
  const text = await round.received();
  assert.ok(text.endsWith('\r\n\r\n{"a":1}'));
  assert.match(text, /\r\nx-request-id: req_1\r\n/);
  assert.deepEqual(await round.ended(), ["ok 200"]);
  assert.deepEqual([round.log, round.disposed()], [["ended"], true]);
});

test("what a filter refuses without an error is refused all the same", async (t) => {
  const round = await begin(t);
  round.exchange.send(403, [], "");
  assert.deepEqual(await round.ended(), ["refused 403"]);
});

test("what runs is stopped when the client is told of an error, and its words are the last", async (t) => {
  const round = await begin(t);
  const running = {
    abort: () => {
      round.log.push("aborted");
      assert.ok(!round.exchange.ended);
    },
  };
  round.exchange.setRunning(running);
  round.exchange.startStream([]);
  round.exchange.write("data: 1\n\n");
  round.exchange.sendError(late);
  round.exchange.sendError(refused);
  round.exchange.heartbeat();
  const text = await round.received();
  assert.match(text, /data: 1\n\n[^]*Too late\.[^]*\n\n\r\n$/);
  assert.ok(!text.includes("No.") && !text.includes("keep-alive"));
  assert.ok(!text.endsWith("0\r\n\r\n"), "it must not look whole");
  assert.deepEqual(await round.ended(), ["timeout 200 total_timeout"]);
  assert.deepEqual(round.log, ["aborted", "cut off", "ended"]);
});

test("an error after the end of a stream changes nothing", async (t) => {
  const round = await begin(t);
  round.exchange.startStream([]);
  round.exchange.write("data: 1\n\n");
  round.exchange.endStream();
  round.exchange.sendError(late);
  assert.match(await round.received(), /data: 1\n\n\r\n0\r\n\r\n$/);
  assert.deepEqual(await round.ended(), ["ok 200"]);
});

test("a client that leaves stops what runs; nothing is said or recorded after", async (t) => {
  const round = await begin(t);
  round.exchange.setRunning({ abort: () => round.log.push("aborted") });
  round.socket.destroy();
  assert.deepEqual(await round.ended(), ["aborted 499"]);
  round.exchange.startStream([]);
  round.exchange.write("data: 1\n\n");
  round.exchange.sendError(late);
  round.exchange.sendJson(200, {});
  round.exchange.clientLeft();
  await sleep(20);
  assert.deepEqual([round.closed, round.log], [["aborted 499"], ["aborted", "ended"]]);
});

test("a client that leaves after an error was told has had the error", async (t) => {
  const round = await begin(t);
  round.exchange.startStream([]);
  round.exchange.sendError(refused);
  round.socket.destroy();
  assert.deepEqual(await round.ended(), ["broken 200 invalid_request"]);
});

test("a heartbeat begins a stream, and the answer goes on from there", async (t) => {
  const round = await begin(t);
  round.exchange.expectStream();
  round.exchange.heartbeat();
  round.exchange.startStream(["x-late", "1"]);
  round.exchange.write(Buffer.from("data: 1\n\n"));
  round.exchange.endStream();
  const text = await round.received();
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*: keep-alive\n\n(?:\r\n9\r\n)?data: 1\n\n\r\n0\r\n\r\n$/);
  assert.ok(!text.includes("x-late"));
  assert.equal(round.exchange.services.streams.size, 0);
});

test("a client that does not take what is there gets no heartbeats on top", async (t) => {
  const round = await begin(t);
  round.socket.pause();
  round.exchange.startStream([]);
  const event = Buffer.from(`data: ${"x".repeat(16_000_000)}\n\n`);
  assert.equal(round.exchange.write(event), false);
  round.exchange.heartbeat();
  const { promise, resolve } = Promise.withResolvers<void>();
  round.exchange.onDrain(resolve);
  round.socket.resume();
  await promise;
  round.exchange.heartbeat();
  round.exchange.endStream();
  assert.equal((await round.received()).match(/keep-alive/g)?.length, 1);
});

test("a fault of our own is logged, and says nothing of the inside", async (t) => {
  const round = await begin(t);
  round.exchange.fail(new TypeError("secret of the inside"));
  const text = await round.received();
  assert.match(text, /^HTTP\/1\.1 500 /);
  assert.ok(!text.includes("secret"));
  assert.deepEqual(await round.ended(), ["gateway_error 500 internal_error"]);
  assert.deepEqual(round.log, ["request failed inside the gateway", "ended"]);
});

test("an answer before the end of the request is whole, and its entry is closed at once", async (t) => {
  const round = await begin(t, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc");
  round.exchange.sendError(refused);
  assert.deepEqual(round.closed, ["refused 400 invalid_request"]);
  assert.match(await round.received(), /^HTTP\/1\.1 400 [^]*connection: close[^]*"No\."/);
  assert.deepEqual(round.log, ["ended", "ended early"]);
});

test("a body is given whole, and what is thrown for it is answered", async (t) => {
  const round = await begin(t, "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 6\r\n\r\nabc");
  let body = "";
  round.exchange.readBody(10, (bytes) => {
    body = bytes.toString();
    throw refused;
  });
  round.socket.write("def");
  assert.match(await round.received(), /^HTTP\/1\.1 400 /);
  assert.equal(body, "abcdef");
  assert.equal(round.exchange.services.bodies.usedBytes, 0);
});

test("a body for which there is no room is refused, and what it has taken is given back", async (t) => {
  const round = await begin(t, "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 8\r\n\r\nabcd");
  const { bodies } = round.exchange.services;
  bodies.take(9, 0);
  round.exchange.readBody(10, () => assert.fail("there is no room"));
  while (bodies.usedBytes < 13) await sleep(2);
  round.socket.write("efgh");
  assert.match(await round.received(), /^HTTP\/1\.1 503 [^]*retry-after: 1\r\n[^]*"overloaded"/);
  assert.equal(bodies.usedBytes, 9);
});

test("a body is held until it is said to be released, or its client leaves", async (t) => {
  const round = await begin(t, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc");
  const { bodies } = round.exchange.services;
  await new Promise<void>((resolve) => {
    round.exchange.readBody(10, () => {
      resolve();
    });
  });
  assert.equal(bodies.usedBytes, 3);
  round.exchange.releaseBody?.();
  assert.equal(bodies.usedBytes, 0);
  round.socket.destroy();
  await round.ended();
  assert.equal(bodies.usedBytes, 0, "and is given back once only");
  const left = await begin(t, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nabc");
  left.exchange.readBody(10, () => assert.fail("it is not whole"));
  while (left.exchange.services.bodies.usedBytes < 3) await sleep(2);
  left.socket.destroy();
  await left.ended();
  assert.equal(left.exchange.services.bodies.usedBytes, 0);
});

test("a body over the limit is refused, declared or not", async (t) => {
  const head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
  for (const rest of ["content-length: 11\r\n\r\n", "transfer-encoding: chunked\r\n\r\nb\r\nabcdefghijk\r\n"]) {
    const round = await begin(t, head + rest);
    round.exchange.readBody(10, () => assert.fail("it is too large"));
    assert.match(await round.received(), /^HTTP\/1\.1 413 /);
    assert.deepEqual(await round.ended(), ["refused 413 body_too_large"]);
  }
});
