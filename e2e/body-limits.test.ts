/** The limit of a body (27): 413 before it is read whole, and the client can read the answer while it still sends. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import test, { after, before, beforeEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cleanups } from "./harness.ts";
import { chatBody, errorCode, exchange, parseAnswers, post, type WireAnswer } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

const MIB = 1024 * 1024;
const LIMIT = 20 * MIB;

let world: World;
const cleanups = new Cleanups();
before(async () => {
  const limited = (path: string, maxBytes: number) => ({
    path,
    api: "openai",
    middlewares: [{ name: "body_limit", options: { maxBytes } }],
  });
  world = await startWorld(cleanups, {
    simulator: { recordLimit: 1 },
    config: {
      server: { maxBodyBytes: "20MiB" },
      domains: [
        {
          host: "*",
          routes: [
            { path: "/v1/*", api: ["openai", "anthropic"] },
            limited("/small/*", 1024),
            limited("/large/*", 22 * MIB),
          ],
        },
      ],
    },
  });
});
beforeEach(() => {
  world.simulators.openai.reset();
  world.simulators.anthropic.reset();
});
after(async () => {
  await cleanups.run();
});

/** A valid body of exactly so many bytes. */
function bodyOf(bytes: number): string {
  const empty = chatBody(MODELS.openai, "hi", { user: "" });
  return chatBody(MODELS.openai, "hi", { user: "x".repeat(bytes - empty.length) });
}

function head(path: string, requestId: string, lines: readonly string[]): string {
  const own = ["host: localhost", "content-type: application/json", `authorization: Bearer ${world.key}`];
  return `POST ${path} HTTP/1.1\r\n${[...own, `x-request-id: ${requestId}`, ...lines].join("\r\n")}\r\n\r\n`;
}

/** Resolves when the socket takes more, or is closed. */
async function writable(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}

async function assertRefused(answer: WireAnswer | undefined, requestId: string): Promise<void> {
  assert.equal(answer?.status, 413);
  assert.equal(errorCode(answer.body), "body_too_large");
  assert.equal(answer.headers.get("connection"), "close");
  const entry = await world.gateway.entryOf(requestId);
  assert.deepEqual([entry.outcome, entry.status, entry.error], ["refused", 413, "body_too_large"]);
  assert.equal(world.simulators.openai.stats().hits, 0, "something reached the upstream");
}

test("20 MB pass and arrive whole (27)", async () => {
  const body = bodyOf(LIMIT);
  const answer = await fetch(`${world.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${world.key}` },
    body,
  });
  assert.equal(answer.status, 200, await answer.text());
  const { body: received = Buffer.alloc(0) } = world.simulators.openai.requests()[0] ?? {};
  assert.equal(received.length, LIMIT - MODELS.openai.length + "gpt-5.1".length);
});

test("one byte more than the limit is refused by its length, before any of it is sent (27)", async () => {
  const { answers, ms } = await exchange(
    world.gateway,
    head("/v1/chat/completions", "by-length", [`content-length: ${LIMIT + 1}`]),
    5_000,
  );
  assert.ok(ms < 5_000, `${ms} ms`);
  await assertRefused(answers[0], "by-length");
});

test("fetch gets the answer to 21 MB (27)", async () => {
  for (let round = 0; round < 3; round++) {
    const answer = await fetch(`${world.gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${world.key}` },
      body: bodyOf(21 * MIB),
    });
    assert.deepEqual([answer.status, errorCode(await answer.text())], [413, "body_too_large"]);
  }
  assert.equal(world.simulators.openai.stats().hits, 0);
});

for (const framing of ["content-length", "chunked"] as const) {
  test(`a client that first sends all of 21 MB and reads then gets the answer: ${framing}`, async () => {
    const requestId = `late-reader-${framing}`;
    const body = Buffer.from(bodyOf(21 * MIB));
    const socket = connect(world.gateway.port, "127.0.0.1");
    const errors: Error[] = [];
    socket.on("error", (error) => errors.push(error));
    socket.pause();
    await once(socket, "connect");
    const lines = framing === "chunked" ? ["transfer-encoding: chunked"] : [`content-length: ${body.length}`];
    socket.write(head("/v1/chat/completions", requestId, lines));
    const piece = 512 * 1024;
    for (let at = 0; at < body.length && errors.length === 0; at += piece) {
      const part = body.subarray(at, at + piece);
      if (framing === "chunked") socket.write(`${part.length.toString(16)}\r\n`);
      if (!socket.write(part)) await writable(socket);
      if (framing === "chunked") socket.write("\r\n");
    }
    if (framing === "chunked") socket.write("0\r\n\r\n");
    await sleep(50);
    let text = "";
    socket.setEncoding("latin1").on("data", (data: string) => (text += data));
    socket.resume();
    if (!socket.destroyed) await once(socket, "close");
    assert.deepEqual(errors, []);
    await assertRefused(parseAnswers(text)[0], requestId);
  });
}

test("chunks without end are refused at the limit, and cut off when they go on", async () => {
  const socket = connect(world.gateway.port, "127.0.0.1");
  let sent = 0;
  let text = "";
  let answeredAt = 0;
  socket.on("error", () => {});
  socket.setEncoding("latin1").on("data", (data: string) => {
    text += data;
    answeredAt ||= sent;
  });
  socket.write(head("/v1/chat/completions", "endless", ["transfer-encoding: chunked"]));
  const chunk = Buffer.alloc(256 * 1024, 0x20);
  while (!socket.destroyed && sent < 400 * MIB) {
    socket.write(`${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    sent += chunk.length;
    if (!socket.write("\r\n")) await writable(socket);
  }
  socket.destroy();
  assert.ok(answeredAt < LIMIT + 16 * MIB, `answered after ${answeredAt} bytes`);
  assert.ok(sent < 200 * MIB, `the gateway took ${sent} bytes`);
  await assertRefused(parseAnswers(text)[0], "endless");
});

test("Expect: 100-continue: refused without a 100, and the body never asked for", async () => {
  const { answers } = await exchange(
    world.gateway,
    head("/v1/chat/completions", "expect-large", [`content-length: ${LIMIT + 1}`, "expect: 100-continue"]),
    5_000,
  );
  assert.equal(answers.length, 1);
  await assertRefused(answers[0], "expect-large");
});

test("Expect: 100-continue: an unknown key is refused without a 100", async () => {
  const request = post("/v1/chat/completions", ["authorization: Bearer wrong", "expect: 100-continue"], "x");
  const { answers } = await exchange(world.gateway, request.slice(0, -1), 5_000);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [401],
  );
});

test("Expect: 100-continue: a body within the limit is asked for and served", async () => {
  const socket = connect(world.gateway.port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (data: string) => (text += data));
  const body = chatBody(MODELS.openai, "hello expectation");
  const lines = [`content-length: ${Buffer.byteLength(body)}`, "expect: 100-continue", "connection: close"];
  socket.write(head("/v1/chat/completions", "expect-small", lines));
  await once(socket, "data");
  assert.equal(text, "HTTP/1.1 100 Continue\r\n\r\n");
  text = "";
  socket.write(body);
  await once(socket, "close");
  const [answer] = parseAnswers(text);
  assert.equal(answer?.status, 200);
  assert.match(answer.body, /hello expectation/);
});

test("body_limit: a route may take less, or more", async () => {
  const send = async (path: string, bytes: number): Promise<number> => {
    const answer = await fetch(`${world.gateway.url}${path}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${world.key}` },
      body: bodyOf(bytes),
    });
    await answer.text();
    return answer.status;
  };
  assert.deepEqual([await send("/small", 1024), await send("/small", 1025)], [200, 413]);
  assert.deepEqual([await send("/large", 22 * MIB), await send("/large", 22 * MIB + 1)], [200, 413]);
});

test("an Anthropic client is refused in its own words", async () => {
  const answer = await fetch(`${world.gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": world.key, "anthropic-version": "2023-06-01" },
    body: bodyOf(21 * MIB),
  });
  const body = (await answer.json()) as { type: string; error: { type: string }; request_id: string };
  assert.deepEqual([answer.status, body.type, body.error.type], [413, "error", "request_too_large"]);
  assert.equal(body.request_id, answer.headers.get("request-id"));
});

test("large bodies that are refused leave no memory behind", async () => {
  const metric = async (): Promise<number> => {
    const text = await (await fetch(`${world.gateway.adminUrl}/metrics`)).text();
    return Number(/^sluice_process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
  };
  const body = bodyOf(21 * MIB);
  const refused = async (): Promise<void> => {
    const answer = await fetch(`${world.gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${world.key}` },
      body,
    });
    await answer.text();
  };
  await Promise.all([refused(), refused(), refused(), refused()]);
  const before = await metric();
  for (let round = 0; round < 5; round++) await Promise.all([refused(), refused(), refused(), refused()]);
  const growth = ((await metric()) - before) / MIB;
  assert.ok(growth < 150, `${growth} MiB more`);
});
