/** Upstreams that answer, or hang up, before they have read the request: what they said is what the client gets. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import test, { after, before, beforeEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { UsageEntry } from "../src/ledger/entry.ts";
import { cannedAnswer, cannedEvents } from "./canned.ts";
import { Cleanups, startGateway, testKey, type RunningGateway } from "./harness.ts";
import { wholeAnswer, wholeStream } from "./raw-upstream.ts";
import { chatBody } from "./raw-http.ts";

const MIB = 1024 * 1024;
const CLOSING_BRACE = 0x7d;
const { key, hash } = testKey("early");
const TEXT = "all the same";
const cleanups = new Cleanups();
let gateway: RunningGateway;
/** What the upstream does with each connection once the first bytes have come; it reads no more by itself. */
let scripts: ((socket: Socket) => void)[] = [];
let connections = 0;

before(async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    connections += 1;
    const script = scripts.length > 1 ? scripts.shift() : scripts[0];
    socket.once("data", () => {
      socket.pause();
      script?.(socket);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const target = { provider: "hasty", model: "m" };
  gateway = await startGateway(cleanups, {
    config: {
      providers: [
        {
          name: "hasty",
          dialect: "openai",
          baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
          credentials: [{ name: "main", apiKey: "sk-of-the-hasty-one" }],
          timeouts: { connect: "2s", firstToken: "3s", idle: "3s", total: "6s" },
        },
      ],
      models: [
        { name: "once", targets: [target], retry: { attempts: 0 } },
        { name: "twice", targets: [target], retry: { attempts: 1 } },
      ],
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
});
beforeEach(() => {
  connections = 0;
});
after(async () => {
  await cleanups.run();
});

interface Result {
  readonly status: number;
  readonly body: string;
  readonly entry: UsageEntry;
}

/** A chat call whose body fits into no socket's buffers. */
async function callLarge(model: string, stream: boolean): Promise<Result> {
  const requestId = randomUUID();
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}`, "x-request-id": requestId },
    body: chatBody(model, "hi", { stream, user: "x".repeat(16 * MIB) }),
  });
  return { status: answer.status, body: await answer.text(), entry: await gateway.entryOf(requestId) };
}

const ERROR = JSON.stringify({ error: { message: "far too long", type: "invalid_request_error", code: "too_long" } });
const says =
  (bytes: Buffer) =>
  (socket: Socket): void => {
    socket.write(bytes);
  };
const closes =
  (bytes: Buffer) =>
  (socket: Socket): void => {
    socket.end(bytes);
  };
/** With what it has not read the system makes a reset of the end. */
const closesAtOnce =
  (bytes: Buffer) =>
  (socket: Socket): void => {
    socket.write(bytes, () => socket.destroy());
  };
const WAYS: Readonly<Record<string, (bytes: Buffer) => (socket: Socket) => void>> = {
  "and reads no further": says,
  "and ends its side": closes,
};

for (const [way, answering] of Object.entries(WAYS)) {
  test(`an error before the body was sent ${way}: its status and words reach the client, one hit (19)`, async () => {
    scripts = [answering(wholeAnswer(ERROR, { status: 413 }))];
    const { status, body, entry } = await callLarge("twice", false);
    assert.deepEqual([status, body], [413, ERROR]);
    assert.deepEqual([entry.outcome, entry.attempts, connections], ["upstream_error", 1, 1]);
  });

  test(`an answer before the body was sent ${way}: it is the answer, and the connection is not used again`, async () => {
    scripts = [answering(wholeAnswer(cannedAnswer("openai", TEXT)))];
    for (let round = 1; round <= 2; round++) {
      const { status, body, entry } = await callLarge("twice", false);
      assert.deepEqual([status, body], [200, cannedAnswer("openai", TEXT)]);
      assert.deepEqual([entry.outcome, entry.attempts, connections], ["ok", 1, round]);
    }
  });

  test(`a stream before the body was sent ${way}: it goes through whole`, async () => {
    scripts = [answering(wholeStream(cannedEvents("openai", [TEXT])))];
    const { status, body, entry } = await callLarge("twice", true);
    assert.equal(status, 200);
    assert.match(body, new RegExp(`${TEXT}[^]*data: \\[DONE\\]\n\n$`));
    assert.deepEqual([entry.outcome, entry.attempts, connections], ["ok", 1, 1]);
  });

  test(`429 before the body was sent ${way}: the next attempt sends all of it`, async () => {
    let received = 0;
    scripts = [
      answering(wholeAnswer(ERROR, { status: 429, headers: ["retry-after-ms: 10"] })),
      (socket) => {
        socket.on("data", (chunk: Buffer) => {
          received += chunk.length;
          if (chunk.at(-1) === CLOSING_BRACE) socket.end(wholeAnswer(cannedAnswer("openai", TEXT)));
        });
        socket.resume();
      },
    ];
    const { status, entry } = await callLarge("twice", false);
    assert.deepEqual([status, entry.outcome, entry.attempts, connections], [200, "ok", 2, 2]);
    assert.ok(received > 15 * MIB, `${received} bytes`);
  });
}

test("who answers and closes at once may be heard or not, since a reset overtakes; never in part, never too often", async () => {
  for (const stream of [false, true]) {
    const said = stream
      ? wholeStream(cannedEvents("openai", [TEXT]))
      : wholeAnswer(cannedAnswer("openai", TEXT), { status: 200 });
    scripts = [closesAtOnce(said)];
    for (let round = 0; round < 3; round++) {
      connections = 0;
      const { status, body, entry } = await callLarge("twice", stream);
      assert.ok(status === 200 ? body.includes(TEXT) : status === 502, `${status}: ${body}`);
      assert.equal(entry.outcome, status === 200 ? "ok" : "upstream_error");
      assert.ok(entry.attempts <= 2 && connections === entry.attempts, `${entry.attempts} attempts, ${connections}`);
    }
  }
});

test("an answer until the connection's end, before the body was sent, is whole when it ends", async () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
  scripts = [closes(Buffer.from(head + cannedAnswer("openai", TEXT)))];
  const { status, body } = await callLarge("once", false);
  assert.deepEqual([status, body], [200, cannedAnswer("openai", TEXT)]);
});

test("who closes without a word is an error, tried exactly as often as it may be (20)", async () => {
  scripts = [(socket) => socket.destroy()];
  const { status, entry } = await callLarge("twice", false);
  assert.deepEqual([status, entry.outcome, entry.attempts], [502, "upstream_error", 2]);
  assert.equal(connections, 2);
});

test("who neither reads nor answers is ended by the clocks (21)", async () => {
  scripts = [() => {}];
  const { status, body, entry } = await callLarge("once", true);
  assert.deepEqual([status, entry.outcome, entry.error], [504, "timeout", "first_token_timeout"], body);
});

test("half an answer and a reset is no answer (1)", async () => {
  scripts = [closesAtOnce(wholeAnswer(cannedAnswer("openai", TEXT)).subarray(0, -5))];
  const { status, entry } = await callLarge("once", false);
  assert.deepEqual([status, entry.outcome], [502, "upstream_error"]);
  await sleep(50);
  assert.doesNotMatch(gateway.log(), /"level":"(error|fatal)"/);
});
