import assert from "node:assert/strict";
import { test } from "node:test";
import { NameTable } from "../lib/name-table.ts";
import { OUTCOMES } from "./entry.ts";
import type { UsageEntry } from "./entry.ts";
import {
  createUsageBuffer,
  FLAG,
  INTEGER_FIELD,
  NUMBER_FIELD,
  SLOT_WORDS,
  STATE_DONE,
  STATE_WORD,
  usageTableParts,
} from "./usage-layout.ts";
import { UsageReader } from "./usage-reader.ts";
import { UsageWriter } from "./usage-writer.ts";

const STARTED_AT = 1_790_000_000_000.25;

function table(slots: number): { writer: UsageWriter; reader: UsageReader } {
  const buffer = createUsageBuffer(slots);
  return { writer: new UsageWriter(buffer), reader: new UsageReader(buffer) };
}

function drainIds(reader: UsageReader, max: number = Number.POSITIVE_INFINITY): string[] {
  const ids: string[] = [];
  reader.drain((record) => ids.push(record.requestId), max);
  return ids;
}

test("an entry comes out as it went in, every field of it", () => {
  const names = new NameTable();
  const { writer, reader } = table(4);
  const entry: UsageEntry = {
    requestId: "req_" + "x".repeat(124),
    startedAt: STARTED_AT,
    gateway: "main",
    domain: "ai.example.com",
    route: "/v1/*",
    operation: "chat",
    clientDialect: "openai",
    targetDialect: "anthropic",
    stream: true,
    consumer: "search",
    key: "prod",
    template: "summary@3",
    model: "index",
    servedModel: "fallback",
    provider: "idc",
    upstreamModel: "index-72b",
    credential: "spare",
    node: "10.0.0.7:8000",
    outcome: "broken",
    status: 200,
    error: "upstream_stream_broken",
    attempts: 3,
    promptTokens: 262_960,
    cachedTokens: 257_955,
    cacheWriteTokens: 5,
    completionTokens: 1_744,
    reasoningTokens: 44,
    costNanoUsd: 123_456_789,
    tokensEstimated: true,
    bytesIn: 20_971_520,
    bytesOut: 2 ** 40,
    dispatchMs: 1.5,
    firstTokenMs: 250.125,
    totalMs: 3_600_000.5,
  };
  const slot = writer.open(entry.requestId, entry.startedAt);
  const own = new Set(["requestId", "startedAt", "outcome", "status", "totalMs", "stream", "tokensEstimated"]);
  const integers: Readonly<Record<string, (typeof INTEGER_FIELD)[keyof typeof INTEGER_FIELD]>> = INTEGER_FIELD;
  const numbers: Readonly<Record<string, (typeof NUMBER_FIELD)[keyof typeof NUMBER_FIELD]>> = NUMBER_FIELD;
  for (const [key, value] of Object.entries(entry)) {
    if (own.has(key)) continue;
    const integer = integers[key];
    const number = numbers[key];
    if (integer !== undefined)
      writer.setInteger(slot, integer, typeof value === "string" ? names.id(value) : Number(value));
    else if (number !== undefined) writer.setNumber(slot, number, Number(value));
    else assert.fail(`the table has no field ${key}`);
  }
  writer.setFlag(slot, FLAG.stream);
  writer.setFlag(slot, FLAG.tokensEstimated);
  writer.close(slot, entry.outcome, entry.status, entry.totalMs);

  const entries: UsageEntry[] = [];
  assert.equal(
    reader.drain((record) => entries.push(record.toEntry(names)), 10),
    1,
  );
  assert.deepEqual(entries, [entry]);
});

test("a slot starts empty whatever it held before", () => {
  const { writer, reader } = table(1);
  const first = writer.open("a-long-request-id", 1);
  for (const field of Object.values(INTEGER_FIELD)) writer.setInteger(first, field, 7);
  for (const field of Object.values(NUMBER_FIELD)) writer.setNumber(first, field, 7);
  writer.setUpstreamName(first, "a-model");
  writer.setFlag(first, FLAG.tokensEstimated);
  writer.close(first, "broken", 200, 5);
  reader.drain(() => {}, 1);
  const second = writer.open("b", 2);
  writer.close(second, "ok", 0, 0);
  reader.drain((record) => {
    assert.equal(record.requestId, "b");
    assert.equal(record.upstreamName, "");
    for (const field of Object.values(INTEGER_FIELD)) assert.equal(record.integer(field), 0);
    for (const field of Object.values(NUMBER_FIELD))
      assert.equal(record.number(field), field === NUMBER_FIELD.startedAt ? 2 : 0);
    assert.equal(record.flag(FLAG.tokensEstimated), false);
    assert.equal(record.outcome, "ok");
  }, 1);
});

test("a name for a `*` takes the place of the configuration's, of the last attempt, and cut between characters", () => {
  const names = new NameTable();
  const { writer, reader } = table(4);
  const upstreamModels = [["gpt-4o"], ["gpt-4o", ""], ["x", `${"y".repeat(127)}模`]].map((given) => {
    const slot = writer.open("a", 1);
    writer.setInteger(slot, INTEGER_FIELD.upstreamModel, names.id("vendor/*"));
    for (const name of given) writer.setUpstreamName(slot, name);
    writer.close(slot, "ok", 200, 1);
    writer.setUpstreamName(slot, "too late");
    let found = "";
    reader.drain((record) => {
      found = record.toEntry(names).upstreamModel;
    }, 1);
    return found;
  });
  assert.deepEqual(upstreamModels, ["gpt-4o", "vendor/*", "y".repeat(127)]);
});

test("every outcome is kept, and ids longer than a slot are cut", () => {
  const { writer, reader } = table(16);
  for (const outcome of OUTCOMES) writer.close(writer.open("y".repeat(500), 1), outcome, 200, 1);
  const seen: string[] = [];
  reader.drain((record) => {
    assert.equal(record.requestId, "y".repeat(128));
    seen.push(record.outcome);
  }, 100);
  assert.deepEqual(seen, OUTCOMES);
});

test("a full table refuses, counts it, and takes requests again as soon as one was read", () => {
  const { writer, reader } = table(2);
  const first = writer.open("1", 1);
  writer.open("2", 1);
  assert.equal(writer.open("3", 1), -1);
  writer.close(first, "ok", 200, 1);
  assert.equal(writer.open("4", 1), -1, "closed, but not read yet");
  assert.deepEqual(reader.state(), { inFlight: 1, slotsInUse: 2, slots: 2, rejected: 2 });
  assert.deepEqual(drainIds(reader), ["1"]);
  assert.notEqual(writer.open("5", 1), -1);
  assert.deepEqual(reader.state(), { inFlight: 2, slotsInUse: 2, slots: 2, rejected: 2 });
});

test("closing twice is an error and makes no second entry", () => {
  const { writer, reader } = table(2);
  const slot = writer.open("1", 1);
  writer.close(slot, "ok", 200, 1);
  assert.throws(() => writer.close(slot, "aborted", 499, 1), /closed/);
  assert.deepEqual(drainIds(reader), ["1"]);
  assert.throws(() => writer.close(slot, "aborted", 499, 1), /closed/);
  assert.deepEqual(drainIds(reader), []);
  assert.equal(writer.inFlight, 0);
});

test("what comes after the end of a request never reaches the request that has its slot now", () => {
  const { writer, reader } = table(1);
  const late = writer.open("first", 1);
  writer.close(late, "aborted", 499, 1);
  const write = (): void => {
    writer.setInteger(late, INTEGER_FIELD.consumer, 9);
    writer.setNumber(late, NUMBER_FIELD.completionTokens, 9);
    writer.setFlag(late, FLAG.tokensEstimated);
    assert.throws(() => writer.close(late, "ok", 200, 1), /closed/);
  };
  write();
  reader.drain((record) => assert.equal(record.number(NUMBER_FIELD.completionTokens), 0), 1);
  for (let index = 0; index < 1_000; index++) {
    writer.close(writer.open("between", 1), "ok", 200, 1);
    reader.drain(() => {}, 1);
  }
  const second = writer.open("second", 1);
  write();
  writer.close(second, "ok", 200, 1);
  reader.drain((record) => {
    assert.equal(record.requestId, "second");
    assert.equal(record.integer(INTEGER_FIELD.consumer), 0);
    assert.equal(record.number(NUMBER_FIELD.completionTokens), 0);
    assert.equal(record.flag(FLAG.tokensEstimated), false);
  }, 1);
});

test("drain stops at its limit and goes on in the order of closing", () => {
  const { writer, reader } = table(8);
  const slots = ["a", "b", "c", "d"].map((id) => writer.open(id, 1));
  for (const slot of slots.toReversed()) writer.close(slot, "ok", 200, 1);
  assert.deepEqual(drainIds(reader, 3), ["d", "c", "b"]);
  assert.deepEqual(drainIds(reader, 3), ["a"]);
});

test("a visit that throws loses no slot and hands no record out twice", () => {
  const { writer, reader } = table(2);
  writer.close(writer.open("1", 1), "ok", 200, 1);
  writer.close(writer.open("2", 1), "ok", 200, 1);
  const visit = (): void => {
    throw new Error("sink");
  };
  assert.throws(() => reader.drain(visit, 9), /sink/);
  assert.deepEqual(drainIds(reader), ["2"]);
  assert.ok(writer.open("3", 1) > 0 && writer.open("4", 1) > 0);
  assert.equal(writer.open("5", 1), -1);
});

test("few slots serve many requests in turn, so that memory stays warm and small", () => {
  const { writer, reader } = table(1024);
  const used = new Set<number>();
  for (let index = 0; index < 5_000; index++) {
    const slot = writer.open(String(index), 1);
    used.add(slot % 1024);
    writer.close(slot, "ok", 200, 1);
    if (index % 4 === 0) reader.drain(() => {}, 100);
  }
  assert.ok(used.size <= 8, `${used.size} slots were used`);
});

test("open requests can be looked at while they run", () => {
  const { writer, reader } = table(8);
  writer.close(writer.open("done", 1), "ok", 200, 1);
  const slot = writer.open("running", 1);
  writer.setNumber(slot, NUMBER_FIELD.completionTokens, 12);
  const seen: [string, number][] = [];
  reader.visitOpen((record) => seen.push([record.requestId, record.number(NUMBER_FIELD.completionTokens)]));
  assert.deepEqual(seen, [["running", 12]]);
});

test("what a dead worker left becomes entries, and its table serves the next worker", () => {
  const buffer = createUsageBuffer(8);
  const reader = new UsageReader(buffer);
  const dead = new UsageWriter(buffer);
  dead.close(dead.open("closed", 1_000), "ok", 200, 1);
  const open = dead.open("open", 1_000);
  dead.setNumber(open, NUMBER_FIELD.promptTokens, 9);
  const entries: UsageEntry[] = [];
  const lost = reader.recover((record) => entries.push(record.toEntry(new NameTable())), 1_750);
  assert.equal(lost, 1);
  assert.deepEqual(
    entries.map((entry) => [entry.requestId, entry.outcome, entry.totalMs, entry.promptTokens]),
    [
      ["closed", "ok", 1, 0],
      ["open", "worker_lost", 750, 9],
    ],
  );
  assert.deepEqual(reader.state(), { inFlight: 0, slotsInUse: 0, slots: 8, rejected: 0 });
  const successor = new UsageWriter(buffer);
  for (let index = 0; index < 8; index++) assert.notEqual(successor.open(`next${index}`, 1), -1);
  assert.equal(successor.open("too many", 1), -1);
  assert.equal(reader.state().inFlight, 8);
});

test("a request that was closed but not yet handed over when the worker died counts as it was closed", () => {
  const buffer = createUsageBuffer(4);
  const reader = new UsageReader(buffer);
  const slot = new UsageWriter(buffer).open("1", 1);
  // What `close` leaves behind if the thread ends right before the ring is told.
  new Int32Array(buffer, usageTableParts(4).slots)[(slot % 4) * SLOT_WORDS + STATE_WORD] = STATE_DONE;
  const outcomes: string[] = [];
  assert.equal(
    reader.recover((record) => outcomes.push(record.outcome), 2),
    0,
  );
  assert.deepEqual(outcomes, ["ok"]);
});
