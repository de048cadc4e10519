/** HTTP/1.1 over TLS: the same as without, where ends of connections and refusals are others' code. */
import assert from "node:assert/strict";
import { once } from "node:events";
import test, { after, before, beforeEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { createAuthority, type Authority } from "./certificates.ts";
import { Cleanups } from "./harness.ts";
import { chatBody, get, parseAnswers, post } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

const MIB = 1024 * 1024;
let authority: Authority;
let world: World;
const cleanups = new Cleanups();
before(async () => {
  authority = createAuthority(cleanups);
  world = await startWorld(cleanups, { config: { server: { tls: { ...authority.issue("http1") } } } });
});
beforeEach(() => {
  world.simulators.openai.reset();
});
after(async () => {
  await cleanups.run();
});

interface Open {
  readonly socket: TLSSocket;
  readonly errors: Error[];
  text(): string;
}

async function open(): Promise<Open> {
  const port = { port: world.gateway.port, host: "127.0.0.1" };
  const socket = connect({ ...port, servername: "localhost", ca: authority.cert, ALPNProtocols: ["http/1.1"] });
  const errors: Error[] = [];
  let text = "";
  socket.on("error", (error) => errors.push(error));
  socket.setEncoding("latin1").on("data", (data: string) => (text += data));
  await once(socket, "secureConnect");
  return { socket, errors, text: () => text };
}

async function closed({ socket }: Open): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
}

function chat(requestId: string, content: string, more: object = {}): string {
  const headers = [`authorization: Bearer ${world.key}`, `x-request-id: ${requestId}`];
  return post("/v1/chat/completions", headers, chatBody(MODELS.openai, content, more));
}

test("requests in one write are answered in their order, large ones whole", async () => {
  const client = await open();
  const streams = Array.from({ length: 20 }, (_, index) =>
    chat(`tls-${index}`, `/simulate reply=lorem&tokens=${index % 2 === 0 ? 2_000 : 3}\n`, { stream: index % 4 < 2 }),
  );
  client.socket.write(streams.join("") + get("/v1/models", ["connection: close", "x-request-id: tls-last"]));
  await closed(client);
  assert.deepEqual(client.errors, []);
  assert.deepEqual(
    parseAnswers(client.text()).map(({ status, headers }) => [status, headers.get("x-request-id")]),
    [...streams.map((_, index) => [200, `tls-${index}`]), [401, "tls-last"]],
  );
});

test("a client that sends all of its body, and reads only then, gets the refusal", async () => {
  const client = await open();
  client.socket.pause();
  const refused = post("/v1/chat/completions", ["authorization: Bearer wrong"], "x".repeat(4 * MIB));
  client.socket.write(refused.slice(0, 100_000));
  await sleep(200);
  client.socket.write(refused.slice(100_000));
  await sleep(200);
  client.socket.resume();
  await closed(client);
  assert.deepEqual(client.errors, []);
  assert.deepEqual(
    parseAnswers(client.text()).map(({ status }) => status),
    [401],
  );
});

test("a stream that breaks ends with its error and without a last chunk", async () => {
  const client = await open();
  client.socket.write(chat("tls-broken", "/simulate reply=lorem&tokens=9&fault=reset-body:3\n", { stream: true }));
  await closed(client);
  assert.match(client.text(), /upstream_stream_broken/);
  assert.doesNotMatch(client.text(), /\r\n0\r\n\r\n$/);
  assert.equal((await world.gateway.entryOf("tls-broken")).outcome, "broken");
});

test("of a client that leaves, by TLS's own end or by a reset, the upstream is told (11)", async () => {
  for (const [name, leave] of Object.entries<(socket: TLSSocket) => unknown>({
    end: (socket) => socket.end(),
    destroy: (socket) => socket.destroy(),
  })) {
    const client = await open();
    client.socket.write(chat(`tls-left-${name}`, "/simulate reply=lorem&tokens=900&chunkMs=20\n", { stream: true }));
    await world.simulators.openai.waitFor((seen) => seen.running === 1, 3_000);
    await sleep(100);
    leave(client.socket);
    await world.simulators.openai.waitFor((seen) => seen.live === 0, 1_000);
    assert.equal((await world.gateway.entryOf(`tls-left-${name}`)).outcome, "aborted");
  }
});

test("what is no HTTP is refused, and the gateway goes on", async () => {
  const nonsense = await open();
  nonsense.socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  await closed(nonsense);
  assert.match(nonsense.text(), /^HTTP\/1\.1 400 /);
  const client = await open();
  client.socket.write(chat("tls-well", "hi").replace("host: localhost", "host: localhost\r\nconnection: close"));
  await closed(client);
  assert.match(client.text(), /^HTTP\/1\.1 200 /);
  assert.doesNotMatch(world.gateway.log(), /"level":"(error|fatal)"|worker failed/);
});
