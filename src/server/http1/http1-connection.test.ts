import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClientAnswer, ClientRequest } from "../../engine/client-messages.ts";
import { Http1Connection } from "./http1-connection.ts";

const LIMITS = { maxHeaderBytes: 8_192, headersTimeoutMs: 5_000, requestTimeoutMs: 5_000, keepAliveTimeoutMs: 5_000 };

/** A connection that is looked at as often as a tenth of its times. */
async function open(
  t: TestContext,
  limits: typeof LIMITS,
  answer: (answer: ClientAnswer, request: ClientRequest) => void,
): Promise<Socket> {
  const server = createServer((socket) => {
    const connection = new Http1Connection(socket, limits, (request, response) => {
      answer(response, request);
      return undefined;
    });
    const sweeper = setInterval(() => connection.sweep(performance.now()), limits.keepAliveTimeoutMs / 10);
    socket.on("close", () => clearInterval(sweeper));
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  return socket;
}

/** Sends bytes, and waits until the connection ends. Requests are answered by `answer`, without an exchange. */
async function talk(
  t: TestContext,
  bytes: string,
  answer: (answer: ClientAnswer, request: ClientRequest) => void,
): Promise<string> {
  const server = createServer((socket) => {
    new Http1Connection(socket, LIMITS, (request, response) => {
      answer(response, request);
      return undefined;
    });
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => socket.destroy());
  let text = "";
  socket.setEncoding("latin1").on("data", (data: string) => {
    text += data;
  });
  socket.write(bytes, "latin1");
  await once(socket, "close");
  return text.replaceAll(/Date: [^\r]*\r\n/g, "");
}

const head = (method: string, version = "1.1", more = ""): string =>
  `${method} / HTTP/${version}\r\nhost: x\r\n${more}\r\n`;
const LAST = head("GET", "1.1", "connection: close\r\n");

function send(answer: ClientAnswer, body: Buffer | string, status = 200): void {
  answer.writeHead(status, status === 204 ? [] : ["content-length", String(Buffer.byteLength(body))]);
  answer.end(body);
}

test("an answer's body ends as its request and its status want it", async (t) => {
  const statuses = [200, 200, 204, 304, 200];
  const bytes = head("GET") + head("HEAD") + head("POST", "1.1", "content-length: 0\r\n") + head("GET") + LAST;
  const text = await talk(t, bytes, (answer) => {
    send(answer, "\u00e9", statuses.shift());
  });
  assert.equal(
    text,
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: keep-alive\r\n\r\n\u00c3\u00a9" +
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: keep-alive\r\n\r\n" +
      "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n" +
      "HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\nConnection: keep-alive\r\n\r\n" +
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: close\r\n\r\n\u00c3\u00a9",
  );
});

test("a body of unknown length comes in chunks, and by HTTP/1.0 until the end of the connection", async (t) => {
  const stream = (answer: ClientAnswer): void => {
    answer.writeHead(200, []);
    answer.flushHeaders();
    answer.write("0123456789abcdef");
    answer.write("");
    answer.write(Buffer.from("x"));
    answer.end();
  };
  const chunks = "10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n";
  assert.equal(
    await talk(t, head("GET") + LAST, stream),
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n${chunks}` +
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunks}`,
  );
  assert.equal(
    await talk(t, head("GET", "1.0", "connection: keep-alive\r\n") + LAST, stream),
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123456789abcdefx",
  );
});

test("HTTP/1.0 keeps its connection only if it asks to", async (t) => {
  const kept = head("GET", "1.0", "connection: keep-alive\r\n");
  const answered = await talk(t, kept + head("GET", "1.0") + kept, (answer) => {
    send(answer, "x");
  });
  assert.deepEqual(answered.match(/Connection: [\w-]+/g), ["Connection: keep-alive", "Connection: close"]);
});

test("large answers arrive whole, and the next request after them", async (t) => {
  const large = "\u0000\u00ff".repeat(1_500_000);
  const text = await talk(t, head("GET") + LAST, (answer) => {
    send(answer, Buffer.from(large, "latin1"));
  });
  assert.equal(text.split(large).length, 3);
});

test("a header that could hold another one is not sent", async (t) => {
  const errors: string[] = [];
  const text = await talk(t, LAST, (answer) => {
    for (const value of ["a\r\nset-cookie: b", "a\nb", "a\u0000", "\u0141"]) {
      try {
        answer.writeHead(200, ["x", value]);
      } catch (error) {
        errors.push(String(error));
      }
    }
    assert.equal(answer.headersSent, false);
    send(answer, "fine");
  });
  assert.equal(errors.length, 4);
  assert.match(errors[0]!, /the header x of an answer/);
  assert.match(text, /^HTTP\/1\.1 200 OK\r\ncontent-length: 4\r\nConnection: close\r\n\r\nfine$/);
});

test("what is expected and not known is 417, tunnels are 405; neither reaches a handler", async (t) => {
  const never = (): void => assert.fail("it must not be handled");
  const expectation = "expect: miracles\r\ncontent-length: 5\r\n";
  assert.match(
    await talk(t, `${head("POST", "1.1", expectation)}hello`, never),
    /^HTTP\/1\.1 417 [^]*connection: close/,
  );
  assert.match(await talk(t, "CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\n\r\n", never), /^HTTP\/1\.1 405 [^]*no proxy/);
  const old = head("GET", "1.0", "expect: miracles\r\n");
  assert.match(await talk(t, old, (answer) => send(answer, "x")), /^HTTP\/1\.1 200 /);
});

test("who takes nothing of an answer is not waited for, though it goes on sending", async (t) => {
  const socket = await open(t, { ...LIMITS, keepAliveTimeoutMs: 400 }, (answer) => {
    send(answer, Buffer.alloc(32_000_000));
  });
  socket.pause();
  socket.write(head("GET"));
  const trickle = setInterval(() => socket.write("G"), 50);
  t.after(() => clearInterval(trickle));
  await Promise.race([
    new Promise((resolve) => socket.once("close", resolve)),
    sleep(4_000, undefined, { ref: false }).then(() => assert.fail("it is still open")),
  ]);
});

test("who sends ahead while it takes its answers slowly has all of them", async (t) => {
  const bytes = 4_000_000;
  const socket = await open(t, { ...LIMITS, keepAliveTimeoutMs: 400 }, (answer) => {
    send(answer, Buffer.alloc(bytes));
  });
  let received = 0;
  socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
    socket.pause();
    setTimeout(() => socket.resume(), 2);
  });
  for (let count = 0; count < 5; count++) {
    socket.write(head("GET"));
    await sleep(5);
  }
  socket.write(LAST);
  await once(socket, "end");
  assert.ok(received > 6 * bytes && received < 6 * bytes + 1_000, `${received}`);
});
