import assert from "node:assert/strict";
import { test } from "node:test";
import { OverrideBook, REMEMBERED_MS } from "./override-book.ts";
import { decodeOverride, encodeOverride, type LimitOverride } from "./override.ts";

const NOW = 1_800_000_000_000;

function entry(subject: string, rpm: number | null, version: number | null, setAt = 1): LimitOverride {
  return { subject, limits: rpm === null ? null : { rpm }, setAt, by: "ops", from: "127.0.0.1", on: "m", version };
}

function bookOf(...entries: LimitOverride[]): OverrideBook {
  const book = new OverrideBook();
  book.put(entries);
  return book;
}

test("of each subject the newest word counts; what Redis lacks or has older is told again", () => {
  const [a, b, c, d] = [entry("a", 1, 10), entry("b", 1, 20), entry("c", 1, 30), entry("d", 1, 40)];
  const book = bookOf(a, b, c, d);
  const newer = entry("a", 2, 11);
  const { newer: taken, lacking } = book.compare([newer, entry("b", 2, 19), c, entry("e", 5, 50)], NOW);
  assert.deepEqual(taken, [newer, entry("e", 5, 50)]);
  assert.deepEqual(lacking, [b, d]);
});

test("what Redis has not heard yet is the newest here, until Redis has it", () => {
  const mine = entry("a", 7, null);
  const book = bookOf(mine);
  assert.deepEqual(book.unshared(), [mine]);
  assert.deepEqual(book.compare([entry("a", 2, 99)], NOW), { newer: [], lacking: [] });
  assert.deepEqual(book.compare([], NOW), { newer: [], lacking: [] });
  const heard = { ...mine, version: 100 };
  assert.deepEqual(book.compare([heard], NOW).newer, [heard]);
  book.put([heard]);
  assert.deepEqual(book.unshared(), []);
});

test("a removal is a word like any other, and is forgotten after its time", () => {
  const removal = entry("a", null, NOW - 1);
  const book = bookOf(entry("a", 1, NOW - 2));
  assert.equal(book.size, 1);
  assert.deepEqual(book.compare([removal], NOW).newer, [removal]);
  book.put([removal]);
  assert.equal(book.size, 0);
  assert.deepEqual(book.compare([], NOW).lacking, [removal]);
  const later = NOW + REMEMBERED_MS;
  assert.deepEqual(book.outdated(later), ["a"]);
  assert.deepEqual(book.compare([], later).lacking, []);
  book.forget("a");
  assert.deepEqual(book.compare([removal], later).newer, []);
});

test("two words in one place of the order: that of Redis counts", () => {
  const there = entry("a", 2, 10, 5);
  const { newer, lacking } = bookOf(entry("a", 1, 10)).compare([there], NOW);
  assert.deepEqual([newer, lacking], [[there], []]);
});

test("the text of a word can be read again, and anything else is none", () => {
  const { subject: _subject, version: _version, ...content } = entry("a", 1, 10);
  assert.deepEqual(decodeOverride(encodeOverride(entry("a", 1, 10))), content);
  for (const text of [
    "",
    "1",
    "null",
    "[]",
    "{}",
    '{"limits":1,"setAt":1,"by":"","from":"","on":""}',
    '{"limits":[]}',
  ]) {
    assert.equal(decodeOverride(text), undefined, text);
  }
});
