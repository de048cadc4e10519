import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../lib/json.ts";
import { compileJsonSchema } from "../input-schema.ts";

function filled(schema: JsonObject, value: JsonObject): unknown {
  const result = compileJsonSchema(schema)(value);
  return result.ok ? result.value : result.message;
}

test("defaults are filled in wherever it is certain that they are meant, and count as given", () => {
  const schema = {
    $defs: { size: { properties: { unit: { default: "cm" } } } },
    required: ["colour"],
    properties: {
      colour: { type: "string", default: "red" },
      size: { $ref: "#/$defs/size", default: {} },
      list: { prefixItems: [{ properties: { a: { default: 1 } } }], items: { $ref: "#/$defs/size" } },
    },
    allOf: [{ properties: { more: { default: null } } }],
    anyOf: [{ properties: { never: { default: 1 } } }],
  };
  assert.deepEqual(filled(schema, {}), { colour: "red", size: {}, more: null });
  const given = { colour: "blue", size: { unit: "m" }, list: [{}, {}], more: 7 };
  assert.deepEqual(filled(schema, given), { ...given, list: [{ a: 1 }, { unit: "cm" }] });
  assert.deepEqual(given.list, [{}, {}], "what was given is not changed");
});

test("two defaults for one member are no contradiction: that of `allOf` counts", () => {
  const schema = { properties: { a: { default: 1 } }, allOf: [{ properties: { a: { default: 2 } } }] };
  assert.deepEqual(filled(schema, {}), { a: 2 });
});

test("where nothing is missing the value is the same", () => {
  const value = { a: { b: [{ c: 1 }] } };
  const schema = {
    properties: { a: { properties: { b: { items: { properties: { c: { default: 7 } } } } } }, c: { default: 1 } },
  };
  assert.equal((filled(schema, { ...value, c: 2 }) as typeof value).a, value.a);
  assert.equal(filled({ properties: { a: { type: "object" } } }, value), value);
});

test("a default that is wrong is a mistake like any other", () => {
  assert.match(String(filled({ properties: { a: { type: "string", default: 1 } } }, {})), /^a: expected string/);
});
