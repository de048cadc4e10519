/** Readers on threads of their own while the writer changes, removes, rotates buffers: no miss, no mixture, no delay. */
import assert from "node:assert/strict";
import { hash as digestOf } from "node:crypto";
import { test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { DirectoryReader } from "./reader.ts";
import type { DirectoryEntry, DirectoryHandle } from "./table.ts";
import { DirectoryWriter } from "./writer.ts";

const STABLE = 500;
const CHANGING = 50;
const READERS = 2;
const RUN_MS = 1_500;

interface Findings {
  lookups: number;
  missed: number;
  mixed: number;
  backwards: number;
}

// Every field of a version says which version it is, so that a mixture of two shows.
function entry(key: string, version: number): DirectoryEntry {
  return {
    hash: digestOf("sha256", key),
    consumer: version,
    key: version + 1,
    policy: version + 2,
    expiresAt: version + 3,
  };
}

if (isMainThread) {
  test("readers on other threads see every key, whole and never older than before", { timeout: 30_000 }, async () => {
    const workers: Worker[] = [];
    const writer = new DirectoryWriter({
      minCapacity: 1_024,
      onNewBuffer: (handle) => {
        buffers++;
        for (const worker of workers) worker.postMessage(handle);
      },
    });
    let buffers = 0;
    await writer.replaceAll(
      keys("stable", STABLE)
        .concat(keys("changing", CHANGING))
        .map((key) => entry(key, 1)),
    );
    for (let index = 0; index < READERS; index++) {
      workers.push(new Worker(new URL(import.meta.url), { workerData: writer.handle }));
    }
    const findings = workers.map((worker) => once<Findings>(worker));
    const until = Date.now() + RUN_MS;
    let version = 1;
    while (Date.now() < until) {
      version++;
      for (const key of keys("changing", CHANGING)) await writer.upsert(entry(key, version));
      for (const key of keys("fleeting", 20)) await writer.upsert(entry(key, version));
      for (const key of keys("fleeting", 20)) writer.remove(entry(key, version).hash);
      await setImmediate();
    }
    for (const worker of workers) worker.postMessage("stop");
    for (const found of await Promise.all(findings)) {
      assert.ok(found.lookups > 10_000, `${found.lookups} lookups`);
      assert.deepEqual({ ...found, lookups: 0 }, { lookups: 0, missed: 0, mixed: 0, backwards: 0 });
    }
    assert.ok(buffers > 5, `${buffers} new buffers`);
  });

  test(
    "a new key reaches a reader on another thread within 100 ms, through a new buffer too",
    { timeout: 30_000 },
    async () => {
      const workers: Worker[] = [];
      const writer = new DirectoryWriter({
        minCapacity: 16,
        onNewBuffer: (handle) => workers.forEach((worker) => worker.postMessage(handle)),
      });
      const worker = new Worker(new URL(import.meta.url), { workerData: writer.handle });
      workers.push(worker);
      await once(worker, "ready");
      for (let index = 0; index < 30; index++) {
        const seen = once<string>(worker);
        worker.postMessage({ wait: `key${index}` });
        await setTimeout(2);
        const startedAt = performance.now();
        await writer.upsert(entry(`key${index}`, 1));
        assert.equal(await seen, `key${index}`);
        const ms = performance.now() - startedAt;
        assert.ok(ms < 100, `key${index} was seen after ${ms} ms`);
      }
      await worker.terminate();
    },
  );
} else {
  read(new DirectoryReader(workerData as DirectoryHandle));
}

function keys(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

function once<Message>(worker: Worker, expected?: string): Promise<Message> {
  const { promise, resolve, reject } = Promise.withResolvers<Message>();
  const take = (message: Message | string): void => {
    if (expected === undefined ? message === "ready" : message !== expected) return;
    worker.off("message", take);
    worker.off("error", reject);
    resolve(message as Message);
  };
  worker.on("message", take);
  worker.once("error", reject);
  return promise;
}

function read(reader: DirectoryReader): void {
  const stable = keys("stable", STABLE).map((key) => digestOf("sha256", key, "buffer"));
  const changing = keys("changing", CHANGING).map((key) => digestOf("sha256", key, "buffer"));
  const versions = changing.map(() => 0);
  const findings: Findings = { lookups: 0, missed: 0, mixed: 0, backwards: 0 };
  let running = true;
  parentPort?.on("message", (message: DirectoryHandle | "stop" | { wait: string }) => {
    if (message === "stop") {
      running = false;
      parentPort?.postMessage(findings);
      parentPort?.close();
    } else if ("wait" in message) void waitFor(reader, message.wait);
    else reader.attach(message);
  });
  parentPort?.postMessage("ready");
  const check = (digest: Uint8Array): number => {
    const record = reader.lookup(digest);
    findings.lookups++;
    if (record < 0) {
      findings.missed++;
      return -1;
    }
    const version = reader.consumer(record);
    const fields = [reader.keyId(record), reader.policy(record), reader.expiresAt(record)].join();
    if (fields !== [version + 1, version + 2, version + 3].join()) findings.mixed++;
    return version;
  };
  const turn = (): void => {
    if (!running) return;
    for (const digest of stable) if (check(digest) > 1) findings.mixed++;
    for (const [index, digest] of changing.entries()) {
      const version = check(digest);
      if (version < (versions[index] ?? 0)) findings.backwards++;
      versions[index] = version;
    }
    globalThis.setImmediate(turn);
  };
  if (new DirectoryReader(workerData as DirectoryHandle).lookup(stable[0] ?? new Uint8Array(32)) >= 0) turn();
}

async function waitFor(reader: DirectoryReader, key: string): Promise<void> {
  const digest = digestOf("sha256", key, "buffer");
  while (reader.lookup(digest) < 0) await setImmediate();
  parentPort?.postMessage(key);
}
