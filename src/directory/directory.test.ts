import assert from "node:assert/strict";
import { hash as digestOf } from "node:crypto";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { DirectoryReader } from "./reader.ts";
import type { DirectoryEntry, DirectoryHandle } from "./table.ts";
import { DirectoryWriter } from "./writer.ts";
import type { DirectoryWriterOptions } from "./writer.ts";

function entry(key: string, policy: number = 1, expiresAt: number = 0): DirectoryEntry {
  return { hash: digestOf("sha256", key), consumer: policy + 100, key: policy + 200, policy, expiresAt };
}

/** A writer with a reader that follows it. */
function directory(options: Omit<DirectoryWriterOptions, "onNewBuffer"> = {}): {
  writer: DirectoryWriter;
  reader: DirectoryReader;
} {
  const writer = new DirectoryWriter({ ...options, onNewBuffer: (handle) => reader.attach(handle) });
  const reader = new DirectoryReader(writer.handle);
  return { writer, reader };
}

/** The fields of a key, or undefined if it is unknown. */
function find(reader: DirectoryReader, key: string): Omit<DirectoryEntry, "hash"> | undefined {
  const record = reader.lookup(digestOf("sha256", key, "buffer"));
  assert.equal(reader.lookupLatin1(digestOf("sha256", key, "latin1")), record);
  if (record < 0) return undefined;
  return {
    consumer: reader.consumer(record),
    key: reader.keyId(record),
    policy: reader.policy(record),
    expiresAt: reader.expiresAt(record),
  };
}

function fields(key: string, policy?: number, expiresAt?: number): Omit<DirectoryEntry, "hash"> {
  const { hash: _, ...rest } = entry(key, policy, expiresAt);
  return rest;
}

test("a key is found with all its fields, an unknown one is not", async () => {
  const { writer, reader } = directory();
  assert.equal(find(reader, "a"), undefined);
  await writer.upsert(entry("a", 3, 1_900_000_000_000));
  assert.deepEqual(find(reader, "a"), fields("a", 3, 1_900_000_000_000));
  assert.equal(find(reader, "b"), undefined);
  assert.equal(writer.size, 1);
});

test("a change replaces all fields, a removed key is unknown and may come back", async () => {
  const { writer, reader } = directory();
  await writer.upsert(entry("a", 1));
  await writer.upsert(entry("a", 2, 5));
  assert.deepEqual(find(reader, "a"), fields("a", 2, 5));
  assert.equal(writer.size, 1);
  assert.equal(writer.remove(entry("a").hash), true);
  assert.equal(writer.remove(entry("a").hash), false);
  assert.equal(find(reader, "a"), undefined);
  await writer.upsert(entry("a", 4));
  assert.deepEqual(find(reader, "a"), fields("a", 4));
});

test("upper-case hashes are the same hash, and malformed ones are refused", async () => {
  const { writer, reader } = directory();
  await writer.upsert({ ...entry("a"), hash: entry("a").hash.toUpperCase() });
  assert.notEqual(find(reader, "a"), undefined);
  assert.equal(writer.remove(entry("a").hash), true);
  for (const bad of ["", "ab", entry("a").hash.slice(1), `${entry("a").hash}0`, entry("a").hash.replace(/./, "g")]) {
    await assert.rejects(writer.upsert({ ...entry("a"), hash: bad }), /64 hex digits/);
    assert.throws(() => writer.remove(bad), /64 hex digits/);
  }
});

test("replaceAll touches only what differs", async () => {
  const { writer, reader } = directory();
  const first = await writer.replaceAll([entry("a"), entry("b"), entry("c")]);
  assert.deepEqual(first, { added: 3, changed: 0, removed: 0, unchanged: 0, duplicates: 0, superseded: false });
  const records = writer.memory.records;
  const second = await writer.replaceAll([entry("a"), entry("b", 2), entry("d"), entry("d", 9)]);
  assert.deepEqual(second, { added: 1, changed: 1, removed: 1, unchanged: 1, duplicates: 1, superseded: false });
  assert.equal(writer.memory.records, records + 2);
  assert.deepEqual(find(reader, "b"), fields("b", 2));
  assert.equal(find(reader, "c"), undefined);
  assert.deepEqual(find(reader, "d"), fields("d"), "the first of two entries for a key counts");
});

test("the limit on keys is kept, and changing a known key is still possible", async () => {
  const { writer, reader } = directory({ maxKeys: 2 });
  await writer.replaceAll([entry("a"), entry("b")]);
  await assert.rejects(writer.upsert(entry("c")), /limit/);
  await writer.upsert(entry("b", 7));
  assert.deepEqual(find(reader, "b"), fields("b", 7));
  await assert.rejects(writer.replaceAll([entry("a"), entry("b"), entry("c")]), /limit/);
  assert.equal(writer.size, 2);
});

test("a malformed hash in a replacement removes nothing", async () => {
  const { writer, reader } = directory();
  await writer.replaceAll([entry("a"), entry("b")]);
  await assert.rejects(writer.replaceAll([entry("a"), { ...entry("b"), hash: "?" }]), /64 hex digits/);
  assert.notEqual(find(reader, "b"), undefined);
});

test("changes during a replacement win over it, and so does a later replacement", async () => {
  const { writer, reader } = directory({ sliceMs: 0 });
  const many = Array.from({ length: 2_000 }, (_, index) => entry(`key${index}`));
  await writer.replaceAll(many);
  const running = writer.replaceAll(many.map((known) => ({ ...known, policy: 50 })));
  await setImmediate();
  await writer.upsert(entry("key1999", 77));
  writer.remove(entry("key1998").hash);
  await writer.upsert(entry("new", 78));
  const changes = await running;
  assert.equal(changes.superseded, false);
  assert.equal(find(reader, "key1999")?.policy, 77);
  assert.equal(find(reader, "key1998"), undefined);
  assert.equal(find(reader, "new")?.policy, 78);
  assert.equal(find(reader, "key0")?.policy, 50);
  assert.equal(writer.size, 2_000);

  const older = writer.replaceAll(many);
  await setImmediate();
  const newer = writer.replaceAll([entry("only")]);
  assert.equal((await older).superseded, true);
  assert.equal((await newer).superseded, false);
  assert.equal(writer.size, 1);
  assert.notEqual(find(reader, "only"), undefined);
});

test("a directory that outgrows its buffer moves to a larger one, and readers miss nothing meanwhile", async () => {
  const handles: DirectoryHandle[] = [];
  const writer = new DirectoryWriter({
    sliceMs: 0,
    onNewBuffer: (handle) => {
      handles.push(handle);
      reader.attach(handle);
    },
  });
  const reader = new DirectoryReader(writer.handle);
  const first = writer.handle;
  for (let index = 0; index < 40_000; index++) {
    await writer.upsert(entry(`key${index}`, index));
    if (index % 16 === 0) await setImmediate();
    const probe = Math.floor(Math.random() * (index + 1));
    assert.equal(find(reader, `key${probe}`)?.policy, probe);
  }
  assert.ok(handles.length >= 2, `${handles.length} new buffers`);
  assert.deepEqual(
    handles.map((handle) => handle.generation),
    handles.map((_, index) => index + 2),
  );
  reader.attach(first);
  assert.equal(find(reader, "key39999")?.policy, 39_999, "an older buffer that arrives late is ignored");
});

test("churn on few keys does not use up memory", async () => {
  const { writer, reader } = directory();
  for (let round = 0; round < 60_000; round++) await writer.upsert(entry("rotating", round));
  assert.equal(find(reader, "rotating")?.policy, 59_999);
  assert.ok(writer.memory.reservedBytes < 2_000_000, `${writer.memory.reservedBytes} bytes`);
});

test("agrees with a map over any changes, replacements and pauses", async () => {
  const key = fc.integer({ min: 0, max: 30 }).map((number) => `key${number}`);
  const value = fc.tuple(key, fc.integer({ min: 0, max: 3 }));
  const command = fc.oneof(
    fc.record({ kind: fc.constant("upsert" as const), value }),
    fc.record({ kind: fc.constant("remove" as const), key }),
    fc.record({
      kind: fc.constant("replace" as const),
      values: fc.uniqueArray(value, { selector: ([name]) => name, maxLength: 30, size: "max" }),
    }),
    fc.record({ kind: fc.constant("pause" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 60, size: "max" }), async (commands) => {
      const { writer, reader } = directory({ sliceMs: 0, minCapacity: 8 });
      const model = new Map<string, number>();
      const replacements: Promise<unknown>[] = [];
      for (const step of commands) {
        if (step.kind === "upsert") {
          model.set(...step.value);
          await writer.upsert(entry(...step.value));
        } else if (step.kind === "remove") {
          assert.equal(typeof writer.remove(entry(step.key).hash), "boolean");
          model.delete(step.key);
        } else if (step.kind === "replace") {
          model.clear();
          for (const pair of step.values) model.set(...pair);
          replacements.push(writer.replaceAll(step.values.map(([name, policy]) => entry(name, policy))));
        } else {
          await setImmediate();
        }
      }
      await Promise.all(replacements);
      for (let number = 0; number <= 30; number++)
        assert.equal(find(reader, `key${number}`)?.policy, model.get(`key${number}`));
      assert.equal(writer.size, model.size);
    }),
    { numRuns: 300 },
  );
});
