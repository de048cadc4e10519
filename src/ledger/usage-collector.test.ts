import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { UsageCollector } from "./usage-collector.ts";
import { createUsageBuffer } from "./usage-layout.ts";
import { UsageReader } from "./usage-reader.ts";
import { UsageWriter } from "./usage-writer.ts";

test("delivers every record of every table to every sink, whatever one sink throws", async (context) => {
  const errors: unknown[] = [];
  const counts = [0, 0];
  const collector = new UsageCollector({
    sinks: [
      () => {
        counts[0] = (counts[0] ?? 0) + 1;
        throw new Error("sink");
      },
      () => void (counts[1] = (counts[1] ?? 0) + 1),
    ],
    onSinkError: (error) => errors.push(error),
    intervalMs: 5,
  });
  context.after(() => collector.stop());
  const buffers = [createUsageBuffer(1024), createUsageBuffer(1024)];
  const writers = buffers.map((buffer) => new UsageWriter(buffer));
  for (const buffer of buffers) collector.add(new UsageReader(buffer));
  for (const writer of writers)
    for (let index = 0; index < 700; index++) writer.close(writer.open("1", 1), "ok", 200, 1);
  const deadline = Date.now() + 5_000;
  while ((counts[1] ?? 0) < 1_400 && Date.now() < deadline) await setTimeout(5);
  assert.deepEqual(counts, [1_400, 1_400]);
  assert.equal(errors.length, 1_400);
});

test("a backlog is read in slices: the thread stays free for others", async (context) => {
  let count = 0;
  const busy = (): void => {
    count++;
    const until = performance.now() + 0.02;
    while (performance.now() < until);
  };
  const collector = new UsageCollector({ sinks: [busy], onSinkError: () => {}, intervalMs: 1, sliceMs: 2 });
  context.after(() => collector.stop());
  const buffer = createUsageBuffer(8_192);
  const writer = new UsageWriter(buffer);
  for (let index = 0; index < 8_192; index++) writer.close(writer.open("1", 1), "ok", 200, 1);
  collector.add(new UsageReader(buffer));
  let turns = 0;
  const deadline = Date.now() + 10_000;
  while (count < 8_192 && Date.now() < deadline) {
    await setTimeout(1);
    if (count > 0) turns++;
  }
  assert.equal(count, 8_192);
  assert.ok(turns >= 10, `other work had ${turns} turns within 160 ms of reading`);
});

test("a retired table is accounted for and no longer read", () => {
  const outcomes: string[] = [];
  const collector = new UsageCollector({ sinks: [(record) => outcomes.push(record.outcome)], onSinkError: () => {} });
  const buffer = createUsageBuffer(8);
  const reader = new UsageReader(buffer);
  collector.add(reader);
  const writer = new UsageWriter(buffer);
  writer.close(writer.open("1", 1), "ok", 200, 1);
  writer.open("2", 1);
  assert.equal(collector.states()[0]?.inFlight, 1);
  assert.equal(collector.retire(reader), 1);
  assert.deepEqual(outcomes, ["ok", "worker_lost"]);
  assert.deepEqual(collector.states(), []);
  collector.stop();
  assert.equal(outcomes.length, 2);
});

test("stop reads what is left", () => {
  let count = 0;
  const collector = new UsageCollector({ sinks: [() => count++], onSinkError: () => {}, intervalMs: 60_000 });
  const buffer = createUsageBuffer(8);
  const writer = new UsageWriter(buffer);
  collector.add(new UsageReader(buffer));
  writer.close(writer.open("1", 1), "ok", 200, 1);
  collector.stop();
  assert.equal(count, 1);
});
