/**
 * Loaded into a gateway by `--import` in every one of its threads: on SIGUSR2 a worker does what ORDERS says next, to see
 * what becomes of a gateway whose worker has a fault. The gateway itself has no hook for it.
 */
import { isMainThread, workerData } from "node:worker_threads";

/** Separated by commas: `throw`, `reject`, `exit`, `spin`. */
const orders = (process.env["ORDERS"] ?? "").split(",");
const SPIN_MS = 1_500;

const channel = new BroadcastChannel("orders");
if (isMainThread) {
  process.on("SIGUSR2", () => {
    channel.postMessage(orders.shift());
  });
} else {
  const index = (workerData as { index?: number } | null)?.index;
  channel.addEventListener("message", ({ data }) => {
    setImmediate(() => {
      obey(String(data), index);
    });
  });
}
channel.unref();

function obey(order: string, index: number | undefined): void {
  if (order === "spin" && index !== undefined) {
    const until = performance.now() + SPIN_MS;
    while (performance.now() < until);
  }
  if (index !== 0) return;
  if (order === "throw") throw new Error("a fault on purpose");
  if (order === "reject") void Promise.reject(new Error("a fault on purpose"));
  if (order === "exit") process.exit(1);
}
