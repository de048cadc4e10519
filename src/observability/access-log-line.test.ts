import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OUTCOMES } from "../ledger/entry.ts";
import type { UsageEntry } from "../ledger/entry.ts";
import { createUsageBuffer, FLAG, INTEGER_FIELD, NUMBER_FIELD } from "../ledger/usage-layout.ts";
import { UsageReader } from "../ledger/usage-reader.ts";
import type { UsageRecord } from "../ledger/usage-record.ts";
import { UsageWriter } from "../ledger/usage-writer.ts";
import { NameTable } from "../lib/name-table.ts";
import { AccessLogLine } from "./access-log-line.ts";

const buffer = createUsageBuffer(4);
const writer = new UsageWriter(buffer);
const reader = new UsageReader(buffer);
const names = new NameTable();
const line = new AccessLogLine(names);

/** Writes one record through `fill`; returns the parsed line and the entry. */
function write(
  requestId: string,
  startedAt: number,
  fill: (slot: number) => void,
): { logged: Record<string, unknown>; entry: UsageEntry } {
  const slot = writer.open(requestId, startedAt);
  fill(slot);
  let text = "";
  const entries: UsageEntry[] = [];
  reader.drain((record: UsageRecord) => {
    const length = line.write(record);
    text = Buffer.from(line.bytes).toString("utf8", 0, length);
    entries.push(record.toEntry(names));
  }, 1);
  assert.match(text, /^[^\n]+\n$/);
  const [entry] = entries;
  assert.ok(entry !== undefined);
  return { logged: JSON.parse(text) as Record<string, unknown>, entry };
}

/** What a line should hold for an entry. */
function expected(entry: UsageEntry): Record<string, unknown> {
  const { startedAt, ...rest } = entry;
  const all: Record<string, unknown> = { time: new Date(Math.floor(startedAt)).toISOString(), ...rest };
  for (const key of ["dispatchMs", "firstTokenMs", "totalMs"]) all[key] = Math.round(Number(all[key]) * 1000) / 1000;
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

test("a line says what the entry says, whatever the names and numbers", () => {
  const name = fc.oneof(fc.constantFrom("", "main", 'a"b\\c\n', "模型"), fc.string({ maxLength: 300, unit: "binary" }));
  const count = fc.oneof(fc.nat(), fc.constantFrom(0, 9, 10, 99, 100, 999_999_999, 10 ** 15, Number.MAX_SAFE_INTEGER));
  const time = fc.double({ min: 0, max: 4e6, noNaN: true });
  fc.assert(
    fc.property(
      fc.stringMatching(/^[A-Za-z0-9._:-]{0,128}$/),
      fc.integer({ min: 0, max: 4_102_444_800_000 }),
      fc.array(name, { minLength: 17, maxLength: 17 }),
      fc.array(count, { minLength: 7, maxLength: 7 }),
      fc.array(time, { minLength: 3, maxLength: 3 }),
      fc.record({
        outcome: fc.constantFrom(...OUTCOMES),
        status: fc.integer({ min: 0, max: 599 }),
        stream: fc.boolean(),
        estimated: fc.boolean(),
      }),
      (requestId, startedAt, fieldNames, counts, times, { outcome, status, stream, estimated }) => {
        const { logged, entry } = write(requestId, startedAt, (slot) => {
          for (const [index, field] of Object.values(INTEGER_FIELD).entries())
            writer.setInteger(slot, field, names.id(fieldNames[index] ?? ""));
          writer.setInteger(slot, INTEGER_FIELD.attempts, counts[0] === undefined ? 0 : counts[0] % 10);
          const { promptTokens, cachedTokens, cacheWriteTokens, completionTokens, reasoningTokens } = NUMBER_FIELD;
          const { costNanoUsd, bytesIn, bytesOut } = NUMBER_FIELD;
          const countFields = [
            promptTokens,
            cachedTokens,
            cacheWriteTokens,
            completionTokens,
            reasoningTokens,
            costNanoUsd,
            bytesIn,
            bytesOut,
          ];
          for (const [index, field] of countFields.entries()) writer.setNumber(slot, field, counts[index] ?? 0);
          writer.setNumber(slot, NUMBER_FIELD.dispatchMs, times[0] ?? 0);
          writer.setNumber(slot, NUMBER_FIELD.firstTokenMs, times[1] ?? 0);
          if (stream) writer.setFlag(slot, FLAG.stream);
          if (estimated) writer.setFlag(slot, FLAG.tokensEstimated);
          writer.close(slot, outcome, status, times[2] ?? 0);
        });
        const wanted = expected(entry);
        if (requestId === "") wanted["requestId"] = "";
        assert.deepEqual(logged, wanted);
      },
    ),
    { numRuns: 150 },
  );
});

test("a line stays JSON whatever a broken record holds", () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, -0, 1e300]) {
    const { logged } = write('a"b\\c\u0001\u007fé', bad, (slot) => {
      writer.setNumber(slot, NUMBER_FIELD.promptTokens, bad);
      writer.setNumber(slot, NUMBER_FIELD.firstTokenMs, bad);
      writer.close(slot, "ok", 200, bad);
    });
    assert.deepEqual(
      [logged["requestId"], logged["promptTokens"], logged["firstTokenMs"], logged["totalMs"]],
      ["a?b?c???", 0, 0, 0],
    );
    assert.equal(logged["time"], "1970-01-01T00:00:00.000Z");
  }
});

test("more combinations than are kept at once are written as well", () => {
  for (let index = 0; index < 9_000; index++) {
    const { logged } = write("r", 1, (slot) => {
      writer.setInteger(slot, INTEGER_FIELD.consumer, names.id(`consumer${index % 5_000}`));
      writer.close(slot, "ok", 200, 1);
    });
    assert.equal(logged["consumer"], `consumer${index % 5_000}`);
  }
});

test("the upstream model is what a client's name made of its `*`, whatever is in it", () => {
  for (const name of ["gpt-4o", 'a"b\\c\n\u0000', "\u0001".repeat(200), "\ud800", "模型"]) {
    const { logged, entry } = write("r", 1, (slot) => {
      writer.setInteger(slot, INTEGER_FIELD.upstreamModel, names.id("vendor/*"));
      writer.setUpstreamName(slot, name);
      writer.close(slot, "ok", 200, 1);
    });
    assert.deepEqual([logged["upstreamModel"], logged["totalMs"]], [entry.upstreamModel, 1]);
    assert.ok(name.toWellFormed().startsWith(entry.upstreamModel));
  }
});
