import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import { connect, type Socket } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerConfig } from "../config/snapshot.ts";
import type { ClientAnswer, ClientRequest } from "../engine/client-messages.ts";
import type { Exchange } from "../engine/exchange.ts";
import { Listener } from "./listener.ts";

/** For localhost until 2126; it protects nothing. */
const TLS = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGGwpaGuxx3M859mz
jnzsxWIBgzlI2v0QFirts51CNwChRANCAASdv+P3PZ1nusQRKGHB9Da1TVRRKwmH
MHfdxEgkVUsiP8FeG/j2abpvWPN7XBj+ivh8oBag6EeVbv0rbzjls6P9
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIURicv4YrjLfdyhtyZ931djXAYlq0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjA4MDM1MVoYDzIxMjYxMDI5
MDgwMzUxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASdv+P3PZ1nusQRKGHB9Da1TVRRKwmHMHfdxEgkVUsiP8FeG/j2abpv
WPN7XBj+ivh8oBag6EeVbv0rbzjls6P9o28wbTAdBgNVHQ4EFgQUjb9C7YfJ2PPt
4xXYGREshwW+YQEwHwYDVR0jBBgwFoAUjb9C7YfJ2PPt4xXYGREshwW+YQEwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgPDXVxzvCSJZuHchOi5y+lddf20I+DUsIqCeGV4vpE3kCIQD2
a3wzckuVYSxPUBE8KIkh9r+R1kQHhptMmOeoFcp54w==
-----END CERTIFICATE-----
`,
};

const KEEP_ALIVE_MS = 300;
/** Later than the sweep that comes once a second. */
const AFTER_SWEEPS_MS = KEEP_ALIVE_MS + 2_200;
const REQUEST = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/** What the listener does to an exchange. */
class StandIn {
  readonly response: ClientAnswer;
  readonly log: string[] = [];
  ended = false;
  arriving = false;
  connection: { ended(exchange: Exchange): void } | undefined;

  constructor(response: ClientAnswer) {
    this.response = response;
    response.on("finish", () => {
      this.#end("delivered");
    });
  }

  clientLeft(): void {
    this.#end("client left");
  }

  #end(how: string): void {
    if (!this.ended) {
      this.ended = true;
      this.log.push(how);
      this.connection?.ended(this as unknown as Exchange);
    }
  }
}

interface Started {
  readonly port: number;
  readonly exchanges: readonly StandIn[];
  readonly listener: Listener;
}

type Answer = (response: ClientAnswer, request: ClientRequest) => void;

/** Answers with a body of a known length. */
function send(response: ClientAnswer, body: Buffer | string): void {
  response.writeHead(200, ["content-length", String(body.length)]);
  response.end(body);
}

async function start(t: TestContext, tls: ServerConfig["tls"], answer: Answer): Promise<Started> {
  const config: ServerConfig = {
    listen: { host: "127.0.0.1", port: 0 },
    workers: 1,
    drainTimeoutMs: 1_000,
    maxBodyBytes: 1_000,
    maxBufferedBytes: 0,
    maxHeaderBytes: 8_192,
    headersTimeoutMs: 400,
    requestTimeoutMs: 1_000,
    keepAliveTimeoutMs: KEEP_ALIVE_MS,
    maxConnections: 10,
    heartbeatMs: 15_000,
    ...(tls && { tls }),
  };
  const exchanges: StandIn[] = [];
  const listener = new Listener(config, (request, response) => {
    const exchange = new StandIn(response);
    exchanges.push(exchange);
    answer(response, request);
    return exchange as unknown as Exchange;
  });
  t.after(() => {
    listener.stopAccepting();
    listener.destroy();
  });
  return { port: await listener.listen(config.listen, false), exchanges, listener };
}

async function open(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

function openHttp2(t: TestContext, port: number): ClientHttp2Session {
  const session = connectHttp2(`https://localhost:${port}`, { ca: TLS.cert });
  session.on("error", () => {});
  t.after(() => session.destroy());
  return session;
}

function ask(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request({ ":path": "/" });
  stream.on("error", () => {});
  return stream;
}

describe("a listener", { concurrency: true }, () => {
  test("a connection is closed when it was idle for its time, and not while it carries a request", async (t) => {
    const { port, exchanges } = await start(t, undefined, (response, { url }) => {
      if (url === "/") send(response, "done");
    });
    const idle = await open(t, port);
    idle.write(REQUEST);
    idle.resume();
    const busy = await open(t, port);
    busy.write(REQUEST.replace("/", "/waits"));
    const silent = await open(t, port);
    silent.resume();
    await sleep(AFTER_SWEEPS_MS);
    assert.deepEqual([idle.closed, silent.closed, busy.closed], [true, true, false]);
    send(exchanges.find(({ ended }) => !ended)!.response, "late");
    busy.resume();
    await once(busy, "close");
  });

  test("a client that takes nothing of its answer is not waited for", async (t) => {
    const { port, exchanges } = await start(t, undefined, (response, { url }) => {
      send(response, Buffer.alloc(url === "/" ? 100 : 16_000_000));
    });
    const stalled = await open(t, port);
    stalled.pause();
    stalled.write(REQUEST.replace("/", "/large"));
    await sleep(AFTER_SWEEPS_MS + 1_000);
    assert.deepEqual(exchanges[0]!.log, ["client left"]);
  });

  test("a client that takes its answer slowly gets all of it", async (t) => {
    const { port, exchanges } = await start(t, undefined, (response) => {
      send(response, Buffer.alloc(16_000_000));
    });
    const slow = await open(t, port);
    let length = 0;
    slow.on("data", (chunk: Buffer) => {
      length += chunk.length;
      slow.pause();
      setTimeout(() => slow.resume(), 10);
    });
    slow.write(REQUEST);
    while (!exchanges[0]?.ended && length < 16_000_000) await sleep(50);
    assert.deepEqual(exchanges[0]!.log, ["delivered"]);
  });

  test("who is still taking an answer when the end begins gets all of it; who is idle is let go", async (t) => {
    const { port, exchanges, listener } = await start(t, undefined, (response) => {
      send(response, Buffer.alloc(16_000_000));
    });
    const idle = await open(t, port);
    idle.resume();
    const slow = await open(t, port);
    let length = 0;
    slow.on("data", (chunk: Buffer) => {
      length += chunk.length;
    });
    slow.pause();
    slow.write(REQUEST);
    while (exchanges.length === 0) await sleep(5);
    listener.stopAccepting();
    await once(idle, "close");
    slow.resume();
    while (!exchanges[0]!.ended) await sleep(5);
    assert.deepEqual(exchanges[0]!.log, ["delivered"]);
    while (length < 16_000_000) await sleep(5);
    listener.closeIdle();
    await once(slow, "close");
    const late = connect(port, "127.0.0.1");
    await assert.rejects(once(late, "connect"), /ECONNREFUSED/);
  });

  test("an HTTP/2 connection lives while a stream does, and is closed when it was idle for its time", async (t) => {
    const { port, exchanges } = await start(t, TLS, (response) => {
      response.writeHead(200, []);
    });
    const session = openHttp2(t, port);
    const stream = ask(session);
    let text = "";
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    await once(stream, "response");
    for (let waited = 0; waited < AFTER_SWEEPS_MS; waited += 100) {
      exchanges[0]!.response.write("chunk ");
      await sleep(100);
    }
    exchanges[0]!.response.end("end");
    await once(stream, "close");
    assert.match(text, /chunk end$/);
    assert.deepEqual(exchanges[0]!.log, ["delivered"]);
    if (!session.closed) await once(session, "close");
  });

  test("an HTTP/2 stream that its client resets was not delivered", async (t) => {
    const { port, exchanges } = await start(t, TLS, (response) => {
      response.writeHead(200, []);
      response.write("first");
    });
    const stream = ask(openHttp2(t, port));
    await once(stream, "data");
    stream.close(8);
    await once(stream, "close");
    while (!exchanges[0]!.ended) await sleep(5);
    assert.deepEqual(exchanges[0]!.log, ["client left"]);
  });

  test("an HTTP/2 connection that breaks leaves all its streams undelivered", async (t) => {
    const { port, exchanges } = await start(t, TLS, (response) => {
      response.writeHead(200, []);
      response.write("first");
    });
    const session = openHttp2(t, port);
    await Promise.all([ask(session), ask(session)].map((stream) => once(stream, "data")));
    session.destroy();
    while (!exchanges.every(({ ended }) => ended)) await sleep(5);
    assert.deepEqual(
      exchanges.map(({ log }) => log),
      [["client left"], ["client left"]],
    );
  });

  test("an HTTP/2 client that takes nothing of its answer is not waited for", async (t) => {
    const { port, exchanges } = await start(t, TLS, (response) => {
      send(response, Buffer.alloc(4_000_000));
    });
    const stream = ask(openHttp2(t, port));
    stream.pause();
    await once(stream, "close");
    assert.deepEqual(exchanges[0]!.log, ["client left"]);
  });
});
