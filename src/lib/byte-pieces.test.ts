import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BytePieces } from "./byte-pieces.ts";

test("pieces of any size are their bytes in order", () => {
  const sizes = fc.array(fc.oneof(fc.nat(3), fc.integer({ min: 1_000, max: 1_050 }), fc.constant(5_000)), {
    maxLength: 700,
  });
  fc.assert(
    fc.property(sizes, (lengths) => {
      const pieces = new BytePieces();
      const sent = lengths.map((length, index) => Buffer.alloc(length, index % 251));
      for (const piece of sent) pieces.push(piece);
      const whole = Buffer.concat(sent);
      assert.equal(pieces.length, whole.length);
      assert.ok(pieces.take().equals(whole));
      assert.equal(pieces.length, 0);
    }),
    { numRuns: 200 },
  );
});

test("what came in one piece is not copied", () => {
  for (const only of [Buffer.alloc(10), Buffer.alloc(100_000)]) {
    const pieces = new BytePieces();
    pieces.push(only);
    assert.equal(pieces.take(), only);
  }
});

test("a great many small pieces take little more memory than their bytes", () => {
  const before = process.memoryUsage();
  const pieces = new BytePieces();
  const chunk = Buffer.alloc(64 * 1024, 1);
  for (let count = 0; count < 4_000_000; count++) pieces.push(chunk.subarray(count % 1_000, (count % 1_000) + 1));
  const after = process.memoryUsage();
  assert.equal(pieces.length, 4_000_000);
  const growth = after.heapUsed + after.external - before.heapUsed - before.external;
  assert.ok(growth < 150_000_000, `${growth} bytes`);
});
