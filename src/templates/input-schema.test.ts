import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "../lib/json.ts";
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

/** The longest of a few runs, the first left out: it compiles. */
function worstMs(work: () => void): number {
  work();
  return Math.max(
    ...Array.from({ length: 3 }, () => {
      const startedAt = performance.now();
      work();
      return performance.now() - startedAt;
    }),
  );
}

test("no value makes a pattern hold the thread, wherever the pattern stands", () => {
  const hostile = `${"a".repeat(100_000)}!`;
  const evil = { type: "string", pattern: "(a+)+$" };
  const cases: [schema: JsonObject, value: JsonValue][] = [
    [evil, hostile],
    [{ anyOf: [evil, { type: "null" }] }, hostile],
    [{ $defs: { evil }, type: "object", properties: { x: { $ref: "#/$defs/evil" } } }, { x: hostile }],
    [{ type: "object", patternProperties: { "^(a+)+$": {} } }, { [hostile]: 1 }],
    [{ type: "object", patternProperties: { "^(a+)+$": {} }, additionalProperties: false }, { [hostile]: 1 }],
    [{ type: "object", propertyNames: { pattern: "^(a|a)+$" } }, { [hostile]: 1 }],
    [{ type: "string", pattern: "\\s+$" }, `${" ".repeat(100_000)}x`],
    [{ type: "array", items: evil }, Array.from({ length: 100 }, () => hostile)],
  ];
  for (const [schema, value] of cases) {
    const check = compileJsonSchema(schema);
    let result;
    const ms = worstMs(() => (result = check(value)));
    // some 15 to 35 ms; other work of the machine is in it
    assert.ok(ms < 1_000, `${JSON.stringify(schema)}: ${ms} ms`);
    assert.equal(typeof result, "object");
  }
  const many = compileJsonSchema({ type: "array", items: evil })(Array.from({ length: 100 }, () => hostile));
  assert.ok(!many.ok);
  assert.match(many.message, /too large to be checked/);
  const allowance = compileJsonSchema(evil);
  for (let count = 0; count < 3; count++)
    assert.equal(allowance("a".repeat(50_000)).ok, true, "each value has its own");
});

test("patterns mean what they say", () => {
  const check = compileJsonSchema({
    type: "object",
    properties: { id: { type: "string", pattern: "^\\p{L}{2}[0-9]+$" }, at: { type: "string", format: "date-time" } },
    patternProperties: { "^x-": { type: "number" } },
    additionalProperties: false,
  });
  assert.equal(check({ id: "éé7", at: "2026-11-26T00:00:00Z", "x-a": 1 }).ok, true);
  const wrong = check({ id: "e7" });
  assert.ok(!wrong.ok && wrong.message.startsWith("id: must match"), JSON.stringify(wrong));
  for (const value of [{ "x-a": "1" }, { y: 1 }, { at: "now" }]) assert.equal(check(value).ok, false);
});

test("a pattern that needs a way back refuses the schema, by name; what only looks like one does not", () => {
  assert.throws(() => compileJsonSchema({ type: "string", pattern: "^(?!x).*$" }), {
    message: '#: pattern "(?!x).*$" cannot be used: look-around, back references and flags are not supported',
  });
  assert.throws(() => compileJsonSchema({ type: "string", pattern: "(" }), /Invalid regular expression/);
  const property = compileJsonSchema({
    type: "object",
    properties: { pattern: { type: "string", default: "(?!x)" } },
    default: { pattern: "(" },
  });
  assert.deepEqual(property({}), { ok: true, value: { pattern: "(?!x)" } });
});

test("what is nested too deep for a schema that refers to itself is refused", () => {
  const check = compileJsonSchema({
    $defs: { node: { type: "object", properties: { child: { $ref: "#/$defs/node" } } } },
    $ref: "#/$defs/node",
  });
  let value: JsonObject = {};
  for (let depth = 0; depth < 20_000; depth++) value = { child: value };
  const result = check(value);
  assert.ok(!result.ok && /nests too deep/.test(result.message));
});

test("large objects are checked in time in proportion to their size, and no message repeats them", () => {
  const members = (count: number): JsonObject =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
  const number = { type: "object", additionalProperties: { type: "number" } };
  const joined: JsonObject[] = [
    { allOf: [number, { type: "object" }] },
    { type: "object", patternProperties: { "^k": {}, "1$": {} } },
  ];
  for (const schema of joined) {
    const check = compileJsonSchema(schema);
    assert.equal(check(members(40_000)).ok, true);
    assert.ok(worstMs(() => check(members(40_000))) < 1_000, JSON.stringify(schema));
  }
  assert.equal(compileJsonSchema(number)(members(40_000)).ok, true);
  const closed = compileJsonSchema({ type: "object", additionalProperties: false })(members(40_000));
  assert.ok(!closed.ok && closed.message.length < 400, "not all of them are named");
});
