import assert from "node:assert/strict";
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DnsCache } from "../dns-cache.ts";
import type { Origin, UpstreamFailure, UpstreamRequest } from "../origin.ts";
import { Http1Origin } from "./http1-origin.ts";

interface Answer {
  status: number;
  body: string;
  failure: UpstreamFailure | undefined;
}

const POST: UpstreamRequest = {
  method: "POST",
  path: "/v1",
  fixedHeaders: ["x-b", "2"],
  headers: ["x-a", "1"],
  body: Buffer.from("hello"),
};

function call(origin: Origin, request: UpstreamRequest = POST, onSent = (): void => {}): Promise<Answer> {
  const answer: Answer = { status: 0, body: "", failure: undefined };
  const { promise, resolve } = Promise.withResolvers<Answer>();
  origin.send(request, {
    onSent,
    onHead(status) {
      answer.status = status;
    },
    onData(chunk) {
      answer.body += chunk.toString();
    },
    onEnd() {
      resolve(answer);
    },
    onFailure(failure) {
      answer.failure = failure;
      resolve(answer);
    },
  });
  return promise;
}

async function listen(t: TestContext, server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  t.after(() => {
    server.close();
    if ("closeAllConnections" in server) {
      server.closeAllConnections();
    }
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function originAt(t: TestContext, url: string, maxConnections = 10, connectTimeoutMs = 1_000): Origin {
  const origin = new Http1Origin({ url, maxConnections, connectTimeoutMs }, new DnsCache());
  t.after(() => origin.close());
  return origin;
}

/** A server that answers each connection's first bytes with fixed bytes. */
function rawServer(t: TestContext, onData: (socket: Socket) => void): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.once("data", () => {
      onData(socket);
    });
    socket.on("error", () => {});
  });
  return listen(t, server);
}

test("requests arrive as they were, and connections are used again", async (t) => {
  const sockets = new Set<unknown>();
  const server = createHttpServer((request, response) => {
    sockets.add(request.socket);
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => response.end(`${request.method} ${request.url} ${String(request.headers["x-a"])} ${body}`));
  });
  const origin = originAt(t, await listen(t, server));
  for (let round = 0; round < 20; round++) {
    assert.equal((await call(origin)).body, "POST /v1 1 hello");
  }
  assert.equal(sockets.size, 1);
});

test("the limit on connections holds, and what waits is served in turn", async (t) => {
  let open = 0;
  let most = 0;
  const server = createHttpServer((_request, response) => {
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      response.end("ok");
    }, 10);
  });
  const origin = originAt(t, await listen(t, server), 3);
  const answers = await Promise.all(Array.from({ length: 30 }, () => call(origin)));
  assert.equal(answers.filter((answer) => answer.body === "ok").length, 30);
  assert.equal(most, 3);
});

test("a large body and a large answer go through, with pauses of the reader", async (t) => {
  const server = createHttpServer((request, response) => {
    request.pipe(response);
  });
  const origin = originAt(t, await listen(t, server));
  const body = Buffer.alloc(5_000_000, "abcdefghij");
  let received = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sent = origin.send(
    { ...POST, body },
    {
      onSent() {},
      onHead() {},
      onData(chunk) {
        received += chunk.length;
        sent.pause();
        setTimeout(() => {
          sent.resume();
        }, 1);
      },
      onEnd: resolve,
      onFailure: reject,
    },
  );
  await promise;
  assert.equal(received, body.length);
});

test("an abort closes the connection, before and after the head", async (t) => {
  const closed: string[] = [];
  const server = createHttpServer((request, response) => {
    response.on("close", () => closed.push(request.url ?? ""));
    if (request.url === "/head") {
      response.write("data: x\n\n");
    }
  });
  const origin = originAt(t, await listen(t, server));
  for (const path of ["/none", "/head"]) {
    const sent = origin.send(
      { ...POST, path },
      {
        onSent() {},
        onHead() {},
        onData() {},
        onEnd: () => assert.fail("no end after an abort"),
        onFailure: () => assert.fail("no failure after an abort"),
      },
    );
    await sleep(50);
    sent.abort();
    await sleep(50);
    assert.equal(closed.at(-1), path);
  }
});

test("failures are told apart", async (t) => {
  const closedPort = await rawServer(t, () => {});
  const refused = originAt(t, "http://127.0.0.1:1");
  assert.equal((await call(refused)).failure?.kind, "connect");
  const unknown = originAt(t, "http://does-not-exist.invalid");
  assert.equal((await call(unknown)).failure?.kind, "connect");

  const behaviours: Readonly<Record<string, (socket: Socket) => void>> = {
    "reset without an answer": (socket) => socket.resetAndDestroy(),
    "end without an answer": (socket) => socket.end(),
    "end in the head": (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-"),
    "end in the body": (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
    "end in a chunk": (socket) => socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc"),
    "end between chunks": (socket) => socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"),
  };
  for (const [name, behave] of Object.entries(behaviours)) {
    assert.equal((await call(originAt(t, await rawServer(t, behave)))).failure?.kind, "reset", name);
  }
  const garbage = originAt(t, await rawServer(t, (socket) => socket.end("no HTTP at all\r\n\r\n")));
  assert.equal((await call(garbage)).failure?.kind, "protocol");
  assert.ok(closedPort);
});

test("a connection that carried more than its answer is not used again", async (t) => {
  let connections = 0;
  const url = await rawServer(t, (socket) => {
    connections++;
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
  });
  const origin = originAt(t, url);
  for (let round = 0; round < 3; round++) {
    assert.equal((await call(origin)).body, "ok");
    await sleep(5);
  }
  assert.equal(connections, 3);
});

test("a connection whose request was answered before it was sent is not used again", async (t) => {
  let connections = 0;
  const url = await rawServer(t, (socket) => {
    connections++;
    // it never reads what follows, and so would not read another request either
    socket.pause();
    socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
  });
  const origin = originAt(t, url);
  for (let round = 0; round < 2; round++) {
    assert.equal((await call(origin, { ...POST, body: Buffer.alloc(16_000_000) })).status, 413);
  }
  assert.equal(connections, 2);
});

/** Answers the first request of each connection; what becomes of the second is the test's matter. */
async function keepingServer(t: TestContext, onAnswered: (socket: Socket) => void): Promise<Origin> {
  const url = await rawServer(t, (socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    onAnswered(socket);
  });
  return originAt(t, url);
}

const LONG_IDLE_MS = 250;

test("a request that an idle connection's peer closed without reading it is sent again, once", async (t) => {
  const sockets: Socket[] = [];
  const origin = await keepingServer(t, (socket) => sockets.push(socket));
  const closeUnread = (): void => {
    // written by then, and not yet read
    process.nextTick(() => sockets[0]!.destroy());
  };
  assert.equal((await call(origin)).body, "ok");
  await sleep(LONG_IDLE_MS);
  assert.equal((await call(origin, POST, closeUnread)).body, "ok");
  assert.equal(sockets.length, 2);

  // a request that came over a new connection is not repeated for it
  const resetting = originAt(t, await rawServer(t, (socket) => socket.resetAndDestroy()));
  assert.equal((await call(resetting)).failure?.kind, "reset");
});

test("an idle connection whose end the system knows already carries no request", async (t) => {
  const sockets: Socket[] = [];
  const origin = await keepingServer(t, (socket) => sockets.push(socket));
  assert.equal((await call(origin)).body, "ok");
  await sleep(LONG_IDLE_MS);
  sockets[0]!.destroy();
  assert.equal((await call(origin)).body, "ok");
  assert.equal(sockets.length, 2);
});

test("a request that the peer has read is never sent again by itself", async (t) => {
  const endings: Readonly<Record<string, (socket: Socket) => void>> = {
    "end without an answer": (socket) => socket.end(),
    "close without an answer": (socket) => socket.destroy(),
    "end in the head": (socket) => socket.end("HTTP/1.1 200 OK\r\n"),
    "reset in the head": (socket) => socket.write("HTTP/1.1 200 OK\r\n", () => socket.resetAndDestroy()),
    "reset after an interim answer": (socket) =>
      socket.write("HTTP/1.1 103 Early Hints\r\n\r\n", () => socket.resetAndDestroy()),
  };
  await Promise.all(
    Object.entries(endings).map(async ([name, end]) => {
      let requests = 0;
      const origin = await keepingServer(t, (socket) => {
        requests++;
        socket.once("data", () => {
          requests++;
          end(socket);
        });
      });
      assert.equal((await call(origin)).body, "ok");
      await sleep(LONG_IDLE_MS);
      assert.equal((await call(origin)).failure?.kind, "reset", name);
      await sleep(50);
      assert.equal(requests, 2, name);
    }),
  );
});

test("a call may be aborted while its connection is looked at, and while its request is repeated", async (t) => {
  const sockets: Socket[] = [];
  const origin = await keepingServer(t, (socket) => sockets.push(socket));
  const silent = (): void => assert.fail("nothing comes after an abort");
  const handler = { onHead: silent, onData: silent, onEnd: silent, onFailure: silent };
  for (const when of ["at once", "repeated"]) {
    assert.equal((await call(origin)).body, "ok");
    await sleep(LONG_IDLE_MS);
    const { promise, resolve } = Promise.withResolvers<void>();
    let sentTimes = 0;
    const onSent = (): void => {
      process.nextTick(() => sockets.at(-1)!.destroy());
      sentTimes++;
      if (sentTimes === 2) resolve();
    };
    const sent = origin.send(POST, { ...handler, onSent });
    if (when === "repeated") await promise;
    sent.abort();
    await sleep(50);
    assert.equal(sentTimes, when === "repeated" ? 2 : 0);
  }
  await origin.close();
});

test("a header that would break out of its line is refused", async (t) => {
  const origin = originAt(t, await rawServer(t, (socket) => socket.end()));
  for (const value of ["a\r\nx: y", "a\nb", "a\0b", "snowman ☃"]) {
    assert.throws(() => call(origin, { ...POST, headers: ["x-a", value] }), TypeError);
  }
});

test("whatever happens to calls and connections, each call ends once, and the pool can be closed", async (t) => {
  // always the same, since a test that fails should fail again
  let state = 7;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  const behaviours: ((socket: Socket) => void)[] = [
    (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    (socket) => socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    (socket) => setTimeout(() => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), 5),
    (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nok"),
    (socket) => socket.end("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"),
    (socket) => socket.write("garbage\r\n\r\n"),
    (socket) => socket.resetAndDestroy(),
    (socket) => socket.end(),
    (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"),
    () => {},
  ];
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    if (random(10) === 0) {
      socket.destroy();
    }
    socket.on("data", () => behaviours[random(behaviours.length)]!(socket));
  });
  const origin = new Http1Origin(
    { url: await listen(t, server), maxConnections: 3, connectTimeoutMs: 500 },
    new DnsCache(),
  );
  const ends: number[] = [];
  const calls = Array.from({ length: 300 }, async (_, index) => {
    await sleep(random(300));
    ends[index] = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => {
      ends[index]!++;
      resolve();
    };
    const abort = (): void => {
      if (ends[index] === 0) {
        sent.abort();
        end();
      }
    };
    const sent = origin.send(POST, {
      onSent() {},
      onHead: () => assert.equal(ends[index], 0),
      onData() {
        assert.equal(ends[index], 0);
        if (random(5) === 0) {
          abort();
        }
      },
      onEnd: end,
      onFailure: end,
    });
    // nobody else watches the clock here
    setTimeout(abort, random(3) === 0 ? random(20) : 100 + random(100));
    await promise;
  });
  await Promise.all(calls);
  await origin.close();
  await sleep(10);
  assert.ok(ends.every((count) => count === 1));
  assert.equal(await new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count))), 0);
});
