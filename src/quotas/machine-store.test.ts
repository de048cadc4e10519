import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { MachineStore, StoreError } from "./machine-store.ts";
import type { LimitOverride } from "./overrides/override.ts";

function storePath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-store-"));
  t.after(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return join(directory, "sluice.db");
}

function entry(subject: string, rpm: number | null, version: number | null): LimitOverride {
  return { subject, limits: rpm === null ? null : { rpm }, setAt: 1, by: "ops", from: "127.0.0.1", on: "m", version };
}

test("limits that were set are there again when the store is opened again, the newest of each subject", (t) => {
  const path = storePath(t);
  const first = new MachineStore(path);
  assert.deepEqual(first.overrides(), []);
  first.writeOverrides([entry("a", 1, null), entry("b", 1, 5), entry("c", 1, 6)], []);
  first.writeOverrides([entry("a", 2, 1_800_000_000_000), entry("b", null, null)], ["c", "unknown"]);
  first.close();
  const second = new MachineStore(path);
  assert.deepEqual(second.overrides(), [entry("a", 2, 1_800_000_000_000), entry("b", null, null)]);
  second.close();
});

test("all or none: what cannot be written leaves what was there", (t) => {
  const store = new MachineStore(storePath(t));
  store.writeOverrides([entry("a", 1, 1)], []);
  const wrong = { ...entry("b", 1, 1), subject: null as unknown as string };
  // a primary key of a table without row ids is never null
  assert.throws(
    () => store.writeOverrides([entry("a", 2, 2), wrong], ["a"]),
    (error) => {
      return error instanceof StoreError && /limits cannot be written/.test(error.message);
    },
  );
  assert.deepEqual(store.overrides(), [entry("a", 1, 1)]);
  store.close();
});

test("it counts how often it is opened", (t) => {
  const path = storePath(t);
  for (const run of [1, 2, 3]) {
    const store = new MachineStore(path);
    assert.equal(store.run, run);
    store.close();
  }
});

test("a store of an earlier version gets the table; a row that is none is passed over", (t) => {
  const path = storePath(t);
  const old = new DatabaseSync(path);
  old.exec("CREATE TABLE machine (id TEXT NOT NULL); INSERT INTO machine (id) VALUES ('m1')");
  old.close();
  const store = new MachineStore(path);
  assert.equal(store.machineId, "m1");
  store.writeOverrides([entry("a", 1, 1)], []);
  store.close();
  const other = new DatabaseSync(path);
  other.exec("INSERT INTO limit_overrides (subject, version, content) VALUES ('b', 1, 'nonsense')");
  other.close();
  const again = new MachineStore(path);
  assert.deepEqual(again.overrides(), [entry("a", 1, 1)]);
  again.close();
});
