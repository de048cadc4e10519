/** Real worker threads, a slow reader, and workers that are terminated in the midst: exactly one entry a request. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { createUsageBuffer, INTEGER_FIELD, NUMBER_FIELD } from "./usage-layout.ts";
import { UsageReader } from "./usage-reader.ts";
import type { UsageRecord } from "./usage-record.ts";
import { UsageWriter } from "./usage-writer.ts";

const SLOTS = 1024;
const TOTAL = 300_000;
const KILLS = 12;

interface Job {
  readonly buffer: SharedArrayBuffer;
  /** How many requests were opened for certain, over all workers: written after `open` returned. */
  readonly opened: Int32Array;
  readonly until: number;
  /** Number of the worker. */
  readonly generation: number;
}

if (isMainThread) {
  test("every opened request gives exactly one entry, though workers die", { timeout: 60_000 }, async () => {
    const opened = new Int32Array(new SharedArrayBuffer(4));
    // One bit a worker: which workers' entries came for a sequence number.
    const seen = new Uint16Array(TOTAL + 1);
    const buffer = createUsageBuffer(SLOTS);
    const reader = new UsageReader(buffer);
    const counts = { closed: 0, lost: 0, bad: 0, doubled: 0, uncounted: 0 };
    const visit = (record: UsageRecord): void => {
      const [generation = -1, sequence = -1] = record.requestId.split(":").map(Number);
      const before = seen[sequence] ?? 0;
      if ((before & (1 << generation)) !== 0) counts.doubled++;
      else if (before !== 0) counts.uncounted++;
      seen[sequence] = before | (1 << generation);
      if (record.outcome === "worker_lost") counts.lost++;
      else counts.closed++;
      // A closed record is whole: all its fields belong to the same request.
      const whole =
        record.integer(INTEGER_FIELD.model) === sequence &&
        record.number(NUMBER_FIELD.promptTokens) === sequence * 3 &&
        record.number(NUMBER_FIELD.totalMs) === sequence + 0.5 &&
        record.outcome === (sequence % 3 === 0 ? "aborted" : "ok");
      if (record.outcome !== "worker_lost" && !whole) counts.bad++;
    };
    let kills = 0;
    while ((opened[0] ?? 0) < TOTAL) {
      const job: Job = { buffer, opened, until: TOTAL, generation: kills };
      const worker = new Worker(new URL(import.meta.url), { workerData: job });
      let exited = false;
      worker.once("exit", () => (exited = true));
      const killAt = kills < KILLS ? ((kills + 1) * TOTAL) / (KILLS + 1) : Number.POSITIVE_INFINITY;
      while (!exited && Atomics.load(opened, 0) < killAt) {
        reader.drain(visit, 200);
        // A slow reader now and then: the worker runs out of slots and has to wait.
        if (Math.random() < 0.02) await setTimeout(2);
        else await setTimeout(0);
      }
      if (!exited) {
        kills++;
        await worker.terminate();
      }
      const openBefore = reader.state().inFlight;
      const lost = reader.recover(visit, Date.now());
      assert.ok(Math.abs(lost - openBefore) <= 1, `${lost} lost, ${openBefore} were open`);
    }
    const total = Atomics.load(opened, 0);
    const missing = seen.subarray(0, total).reduce((sum, workers) => sum + (workers === 0 ? 1 : 0), 0);
    assert.deepEqual({ missing, doubled: counts.doubled, bad: counts.bad }, { missing: 0, doubled: 0, bad: 0 });
    assert.equal(kills, KILLS);
    assert.ok(counts.lost > 0, "workers died with requests open");
    // A worker may die after `open` and before it counted that; its successor uses the number again, for another request.
    assert.ok(counts.uncounted <= kills, `${counts.uncounted} uncounted`);
    assert.equal(counts.closed + counts.lost, total + counts.uncounted);
  });
} else {
  run(workerData as Job);
}

function run({ buffer, opened, until, generation }: Job): void {
  const writer = new UsageWriter(buffer);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const open: { slot: number; sequence: number }[] = [];
  const closeOne = (): void => {
    const [request] = open.splice(Math.floor(Math.random() * open.length), 1);
    if (request === undefined) return;
    const { slot, sequence } = request;
    writer.setNumber(slot, NUMBER_FIELD.promptTokens, sequence * 3);
    writer.close(slot, sequence % 3 === 0 ? "aborted" : "ok", 200, sequence + 0.5);
  };
  for (let sequence = Atomics.load(opened, 0); sequence < until;) {
    const slot = writer.open(`${generation}:${sequence}`, Date.now());
    if (slot < 0) {
      closeOne();
      Atomics.wait(pause, 0, 0, 1);
      continue;
    }
    writer.setInteger(slot, INTEGER_FIELD.model, sequence);
    open.push({ slot, sequence });
    Atomics.store(opened, 0, ++sequence);
    while (open.length > 64 || (open.length > 0 && Math.random() < 0.5)) closeOne();
  }
  while (open.length > 0) closeOne();
}
