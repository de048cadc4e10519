/**
 * Loaded into a gateway by `--import` in every one of its threads: on SIGUSR2 a worker does what ORDERS says next, to see
 * what becomes of a gateway whose worker has a fault. The gateway itself has no hook for it.
 */
import { existsSync } from "node:fs";
import { isMainThread, workerData } from "node:worker_threads";

/** Separated by commas: `throw`, `reject`, `exit`, `spin`, `memory`. */
const orders = (process.env["ORDERS"] ?? "").split(",");
const SPIN_MS = 1_500;

const index = (workerData as { index?: number } | null)?.index;
/** While there is such a file no worker can start. */
const failsToStart = process.env["NO_START_FILE"];
if (index !== undefined && failsToStart !== undefined && existsSync(failsToStart)) {
  throw new Error("a worker that cannot start, on purpose");
}

const channel = new BroadcastChannel("orders");
if (isMainThread) {
  process.on("SIGUSR2", () => {
    channel.postMessage(orders.shift());
  });
} else {
  channel.addEventListener("message", ({ data }) => {
    setImmediate(() => {
      obey(String(data));
    });
  });
}
channel.unref();

function obey(order: string): void {
  if (order === "spin" && index !== undefined) {
    const until = performance.now() + SPIN_MS;
    while (performance.now() < until);
  }
  if (index !== 0) return;
  if (order === "throw") throw new Error("a fault on purpose");
  if (order === "reject") void Promise.reject(new Error("a fault on purpose"));
  if (order === "exit") process.exit(1);
  if (order === "memory") fillMemory();
}

function fillMemory(): void {
  const kept: number[][] = [];
  setInterval(() => {
    for (let count = 0; count < 100; count++) kept.push(Array.from({ length: 10_000 }, Math.random));
  }, 1);
}
