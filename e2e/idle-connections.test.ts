/** Connections that carry nothing: a great many take nothing from the others, and more than allowed are closed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import test from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startGateway, testKey, until, type Ending, type RunningGateway } from "./harness.ts";
import { Load } from "./load.ts";
import { exchange, get } from "./raw-http.ts";

const { key, hash } = testKey("idle-connections");

/** Fewer where a process may not open as many files. */
const CONNECTIONS = Math.min(10_000, maxOpenFiles() - 1_000);

/** Node raises the soft limit to the hard one by itself. */
function maxOpenFiles(): number {
  if (process.platform !== "linux") return 2_000;
  const found = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
  return Number(found?.[1] ?? 2_000);
}

async function start(t: Ending, server: JsonObject, workers: number): Promise<RunningGateway> {
  return startGateway(t, {
    workers,
    config: {
      server,
      providers: [{ name: "offline", dialect: "openai", kind: "builtin" }],
      models: [{ name: "echo", targets: [{ provider: "offline", model: "echo" }] }],
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
}

/** Opens connections, some at a time. Resolves to those that are open when all are. */
async function openMany(t: Ending, port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let index = 0; index < count; index += 500) {
    const some = Array.from({ length: Math.min(500, count - index) }, () => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      sockets.push(socket);
      return once(socket, "connect").catch(() => {});
    });
    await Promise.all(some);
  }
  return sockets.filter((socket) => !socket.connecting && !socket.destroyed);
}

async function residentMiB(gateway: RunningGateway): Promise<number> {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  return Number(/^sluice_process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]) / 1024 / 1024;
}

test(`${CONNECTIONS} connections that send nothing: requests go on, memory stays bounded, they are closed`, async (t) => {
  const gateway = await start(t, { headersTimeout: "7s" }, 2);
  const load = new Load(t, { port: gateway.port, key, model: "echo", callers: 2, pauseMs: 5 });
  const before = await residentMiB(gateway);
  const startedAt = performance.now();
  const sockets = await openMany(t, gateway.port, CONNECTIONS);
  const took = performance.now() - startedAt;
  const most = await residentMiB(gateway);
  assert.ok(sockets.length > CONNECTIONS * 0.95, `${sockets.length} connections were open after ${took} ms`);
  for (const socket of sockets) socket.resume();
  const allClosed = (): true | undefined => (sockets.every((socket) => socket.destroyed) ? true : undefined);
  await until("all silent connections are closed", allClosed, 15_000);
  await load.stop();
  assert.deepEqual(load.failures(), []);
  assert.ok(load.results.length > 50, `${load.results.length} requests meanwhile`);
  assert.ok(load.quantile(0.9) < 500, `nine of ten requests took up to ${load.quantile(0.9)} ms`);
  assert.ok(most - before < 400, `${most - before} MiB more`);
});

test("connections beyond server.maxConnections are closed at once, those before go on", async (t) => {
  const gateway = await start(t, { maxConnections: 5 }, 1);
  const sockets = Array.from({ length: 8 }, () => connect(gateway.port, "127.0.0.1").on("error", () => {}));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) socket.resume();
  await until("three are closed", () => (sockets.filter((one) => one.destroyed).length === 3 ? true : undefined));
  const open = sockets.filter((socket) => !socket.destroyed);
  open[0]!.write(get("/v1/models", [`authorization: Bearer ${key}`]));
  const [answer] = (await once(open[0]!, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
  for (const socket of open) socket.destroy();
  await until("there is room again", async () =>
    (await exchange(gateway, get("/v1/models", ["connection: close"]))).answers[0]?.status === 401 ? true : undefined,
  );
});
