import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TupleIndex } from "./tuple-index.ts";

test("agrees with a map over any tuples, growth included", () => {
  const tuple = fc.tuple(fc.integer({ min: -3, max: 12 }), fc.integer(), fc.constantFrom(0, 1));
  fc.assert(
    fc.property(fc.array(tuple, { maxLength: 400 }), (tuples) => {
      const index = new TupleIndex(3);
      const model = new Map<string, number>();
      for (const values of tuples) {
        const words = Int32Array.from(values);
        const known = model.get(values.join());
        assert.equal(index.find(words), known ?? -1);
        if (known === undefined) model.set(values.join(), index.add(words));
      }
      assert.equal(index.size, model.size);
      for (const [key, number] of model) {
        assert.equal([0, 1, 2].map((column) => index.value(number, column)).join(), key);
        assert.equal(index.find(Int32Array.from(key.split(",").map(Number))), number);
      }
    }),
    { numRuns: 60 },
  );
});
