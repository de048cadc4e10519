import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { sharedNowMs } from "./shared-clock.ts";

const clock = JSON.stringify(new URL("shared-clock.ts", import.meta.url).href);
/** Tells its time when word 0 becomes 1, then sets it to 2. */
const tellTime = `
  import { workerData } from "node:worker_threads";
  import { sharedNowMs } from ${clock};
  const words = new Int32Array(workerData);
  const time = new Float64Array(workerData, 8);
  Atomics.wait(words, 0, 0);
  time[0] = sharedNowMs();
  Atomics.store(words, 0, 2);
  Atomics.notify(words, 0);
`;

/** A reading of two clocks takes some time. */
const slackMs = 0.1;

test("threads that start at the same time, and interrupt each other, have one time", async (t) => {
  const memories = Array.from({ length: 24 }, () => new SharedArrayBuffer(16));
  const workers = memories.map((workerData) => {
    return new Worker(new URL(`data:text/javascript,${encodeURIComponent(tellTime)}`), { workerData });
  });
  t.after(() => Promise.all(workers.map((worker) => worker.terminate())));
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("online", resolve))));
  for (const memory of memories) {
    const words = new Int32Array(memory);
    const before = sharedNowMs();
    Atomics.store(words, 0, 1);
    Atomics.notify(words, 0);
    assert.notEqual(Atomics.wait(words, 0, 1, 10_000), "timed-out");
    const after = sharedNowMs();
    const time = new Float64Array(memory, 8)[0]!;
    assert.ok(before - slackMs <= time && time <= after + slackMs, `${before} ≤ ${time} ≤ ${after}`);
  }
});
