import assert from "node:assert/strict";
import { test } from "node:test";
import { NameTable } from "./name-table.ts";

test("ids are dense, stable and start behind the empty name", () => {
  const table = new NameTable();
  assert.equal(table.id(""), 0);
  assert.deepEqual([table.id("a"), table.id("b"), table.id("a")], [1, 2, 1]);
  assert.deepEqual(
    [table.name(0), table.name(1), table.name(2), table.name(3), table.name(-1)],
    ["", "a", "b", "", ""],
  );
  assert.equal(table.size, 3);
  assert.equal(table.find("b"), 2);
  assert.equal(table.find("c"), 0);
  assert.equal(table.size, 3, "find assigns nothing");
});

test("a copy follows by deltas, overlapping ones included", () => {
  const owner = new NameTable();
  const copy = new NameTable();
  owner.id("a");
  owner.id("b");
  copy.append(owner.since(0));
  owner.id("c");
  const late = owner.since(1);
  owner.id("d");
  copy.append(owner.since(copy.size));
  copy.append(late);
  assert.deepEqual(copy.names, owner.names);
  assert.equal(copy.find("d"), owner.find("d"));
});

test("a delta that leaves a hole is refused", () => {
  const copy = new NameTable();
  assert.throws(() => copy.append({ from: 2, names: ["x"] }), RangeError);
  assert.equal(copy.size, 1);
});

test("a full table gives further names the empty id", () => {
  const table = new NameTable(2);
  assert.equal(table.id("a"), 1);
  assert.equal(table.id("b"), 0);
  assert.equal(table.id("a"), 1);
});
