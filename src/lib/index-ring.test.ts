import assert from "node:assert/strict";
import { test } from "node:test";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { IndexRing, indexRingBytes } from "./index-ring.ts";

const CAPACITY = 8;
const COUNT = 100_000;

function ring(): IndexRing {
  return new IndexRing(new SharedArrayBuffer(indexRingBytes(CAPACITY)), 0, CAPACITY);
}

if (isMainThread) {
  test("first in, first out, and full at its capacity", () => {
    const values = ring();
    for (let round = 0; round < 3; round++) {
      for (let value = 0; value < CAPACITY; value++) assert.equal(values.push(value), true);
      assert.equal(values.push(99), false);
      assert.equal(values.size, CAPACITY);
      for (let value = 0; value < CAPACITY; value++) assert.equal(values.shift(), value);
      assert.equal(values.shift(), -1);
    }
  });

  test("a new view goes on where the old one stopped", () => {
    const buffer = new SharedArrayBuffer(indexRingBytes(CAPACITY));
    const producer = new IndexRing(buffer, 0, CAPACITY);
    producer.push(1);
    producer.push(2);
    assert.equal(new IndexRing(buffer, 0, CAPACITY).shift(), 1);
    assert.equal(new IndexRing(buffer, 0, CAPACITY).shift(), 2);
    assert.equal(new IndexRing(buffer, 0, CAPACITY).shift(), -1);
  });

  test("counts on when its 32-bit positions wrap around", () => {
    const buffer = new SharedArrayBuffer(indexRingBytes(CAPACITY));
    const words = new Int32Array(buffer);
    // Head and tail a little before the wrap from the largest positive to the smallest negative number.
    words[0] = 0x7fffffff - 2;
    words[16] = 0x7fffffff - 2;
    const values = new IndexRing(buffer, 0, CAPACITY);
    for (let value = 0; value < CAPACITY; value++) assert.equal(values.push(value), true);
    assert.equal(values.push(9), false);
    assert.equal(values.size, CAPACITY);
    for (let value = 0; value < CAPACITY; value++) assert.equal(values.shift(), value);
  });

  test("takes only powers of two", () => {
    assert.throws(() => new IndexRing(new SharedArrayBuffer(1024), 0, 6), RangeError);
  });

  test("loses and doubles nothing between two threads", async () => {
    const buffer = new SharedArrayBuffer(indexRingBytes(CAPACITY));
    const worker = new Worker(new URL(import.meta.url), { workerData: buffer });
    const values = new IndexRing(buffer, 0, CAPACITY);
    const deadline = Date.now() + 20_000;
    let expected = 0;
    while (expected < COUNT && Date.now() < deadline) {
      const value = values.shift();
      if (value < 0) await new Promise((resolve) => setImmediate(resolve));
      else assert.equal(value, expected++);
    }
    await worker.terminate();
    assert.equal(expected, COUNT);
  });
} else {
  const values = new IndexRing(workerData as SharedArrayBuffer, 0, CAPACITY);
  for (let value = 0; value < COUNT;) if (values.push(value)) value++;
}
