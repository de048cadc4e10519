/**
 * Loaded into a gateway by `--import` in every one of its threads: its wall clock is off by CLOCK_START milliseconds, and
 * on each SIGUSR2 it is set to the next of CLOCK_JUMPS, all of them relative to the true time. Monotonic clocks go on.
 */
import { isMainThread } from "node:worker_threads";

const trueNow = Date.now;
let offsetMs = Number(process.env["CLOCK_START"] ?? 0);
Date.now = () => trueNow() + offsetMs;

const channel = new BroadcastChannel("clock");
if (isMainThread) {
  const jumps = (process.env["CLOCK_JUMPS"] ?? "").split(",").map(Number);
  process.on("SIGUSR2", () => {
    offsetMs = jumps.shift() ?? offsetMs;
    channel.postMessage(offsetMs);
  });
} else {
  channel.addEventListener("message", ({ data }) => {
    offsetMs = Number(data);
  });
}
channel.unref();
