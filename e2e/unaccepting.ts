/** An address where connecting neither succeeds nor fails: its server accepts nothing and its backlog is full. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Ending } from "./harness.ts";

/** Listens and then blocks its thread for good. */
const BLOCKED_SERVER = `
const { createServer } = require("node:net");
const { parentPort } = require("node:worker_threads");
const server = createServer();
server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
  parentPort.postMessage(server.address().port);
  setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 50);
});
`;
const MOST_FILLERS = 16;
/** On the loopback a connection that is going to be made is made in less. */
const STUCK_MS = 150;

/** Its port; it is there until the test ends. */
export async function startUnaccepting(t: Ending): Promise<number> {
  const worker = new Worker(BLOCKED_SERVER, { eval: true });
  const fillers: Socket[] = [];
  t.after(async () => {
    for (const filler of fillers) filler.destroy();
    await worker.terminate();
  });
  const [port] = (await once(worker, "message")) as [number];
  await sleep(100);
  while (fillers.length < MOST_FILLERS) {
    const filler = connect(port, "127.0.0.1");
    filler.on("error", () => {});
    fillers.push(filler);
    const made = await Promise.race([once(filler, "connect").then(() => true), sleep(STUCK_MS, false)]);
    if (!made) return port;
  }
  throw new Error(`the system takes more than ${MOST_FILLERS} connections that nobody accepts`);
}
