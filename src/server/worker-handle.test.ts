import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { WorkerStart } from "./messages.ts";
import { WorkerHandle } from "./worker-handle.ts";

/** A worker that does what the script says instead of serving. */
function workerOf(t: TestContext, script: string): WorkerHandle {
  const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
  const handle = new WorkerHandle(url, { index: 0 } as Omit<WorkerStart, "usage">, undefined);
  handle.ready.catch(() => undefined);
  t.after(() => handle.terminate());
  return handle;
}

async function exitOf(handle: WorkerHandle): Promise<void> {
  await new Promise<void>((resolve) => {
    handle.onExit = () => {
      resolve();
    };
  });
}

const LISTEN = { host: "127.0.0.1", port: 0 };
const NO_NAMES = { from: 1, names: [] };

test("nobody waits for a worker that is dead: a configuration change between a death and the restart goes on", async (t) => {
  const handle = workerOf(t, "process.exit(1)");
  await exitOf(handle);
  await handle.shareNames(NO_NAMES, 1);
  await handle.drain(60_000);
  await assert.rejects(handle.listen(LISTEN), /the worker ended/);
});

test("who waits for a worker that dies learns it", async (t) => {
  const handle = workerOf(
    t,
    `import { parentPort } from "node:worker_threads"; parentPort.once("message", () => process.exit(1));`,
  );
  const shared = handle.shareNames(NO_NAMES, 1);
  await assert.rejects(handle.ready, /the worker ended/);
  await shared;
});

test("what kills a worker is what is told of it", async (t) => {
  const handle = workerOf(t, `throw new Error("no memory for this");`);
  await assert.rejects(handle.ready, /no memory for this/);
});
