import assert from "node:assert/strict";
import { test } from "node:test";
import { compileInputSchema, compileJsonSchema } from "./input-schema.ts";

test("a value of hostile size is refused before all of it is looked at", () => {
  const check = compileInputSchema({
    type: "object",
    properties: { a: { type: "array", items: { anyOf: [{ type: "string" }, { type: "number" }] } } },
  });
  const wide = { a: Array.from({ length: 1_000_000 }, () => ({})) };
  const startedAt = performance.now();
  assert.throws(() => check(wide), { code: "invalid_request", param: "(input)", message: /too large to be checked/ });
  assert.ok(performance.now() - startedAt < 2_000);
  assert.deepEqual(check({ a: Array.from({ length: 49_998 }, () => 1) })["a"]?.toString().length, 99_995);
});

test("messages name five fields at most, and where they are", () => {
  const check = compileJsonSchema({ type: "array", items: { type: "object", properties: { n: { type: "integer" } } } });
  const result = check(Array.from({ length: 8 }, () => ({ n: "x" })));
  assert.ok(!result.ok);
  assert.equal(result.field, "[0].n");
  assert.match(result.message, /\[4\]\.n: expected integer, received string, and 3 more$/);
});
