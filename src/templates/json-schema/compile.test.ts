import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExactJson, JsonObject } from "../../lib/json.ts";
import { compileJsonSchema } from "../input-schema.ts";

type Case = [schema: JsonObject, good: ExactJson[], bad: ExactJson[]];

const string = { type: "string" };
const integer = { type: "integer" };

function assertAll(cases: readonly Case[]): void {
  for (const [schema, good, bad] of cases) {
    const check = compileJsonSchema(schema);
    for (const value of good) assert.ok(check(value).ok, `${text(value)} satisfies ${text(schema)}`);
    for (const value of bad) assert.ok(!check(value).ok, `${text(value)} does not satisfy ${text(schema)}`);
  }
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => (typeof member === "bigint" ? `${member}n` : member));
}

test("types, equality, numbers and texts", () => {
  assertAll([
    [{ type: ["integer", "null"] }, [1, 1.0, null, 2n ** 60n], [1.5, "1", true, [], {}]],
    [{ type: "number" }, [1.5, 7], ["7", null]],
    [{ enum: [1, { a: [1, 2] }, "x"] }, [1, { a: [1, 2] }, "x"], [true, { a: [2, 1] }, "y", {}]],
    [{ type: "string", enum: ["a", 1] }, ["a"], [1, "b"]],
    [{ const: { a: 1, b: null } }, [{ b: null, a: 1 }], [{ a: 1 }, null]],
    [{ minimum: 1, exclusiveMaximum: 5 }, [1, 4.9, "x"], [0.9, 5, 2n ** 60n]],
    [{ exclusiveMinimum: 1, maximum: 5 }, [1.1, 5], [1, 5.1]],
    [{ multipleOf: 0.0001 }, [0.0075, 3], [0.00751]],
    [{ multipleOf: 3 }, [9, 9_007_199_254_740_993n], [8, 9_007_199_254_740_994n]],
    [{ minLength: 2, maxLength: 3 }, ["ab", "💩💩💩", 1], ["a", "💩", "abcd"]],
    [{ pattern: "^\\p{Letter}$" }, ["é", 7], ["1"]],
    [{ pattern: "^a\\_$" }, ["a_"], ["a"]],
    [{ type: "string", pattern: "b" }, ["abc"], ["ac"]],
    [{ format: "date" }, ["2026-02-28", 1], ["2026-02-30", "x"]],
    [{ format: "whatever" }, ["x"], []],
  ]);
});

test("what a schema says of objects and lists holds without a type beside it", () => {
  assertAll([
    [{ required: ["a", "toString"] }, [{ a: 1, toString: 1 }, "x"], [{ a: 1 }, {}]],
    [{ type: "object", required: ["a"] }, [{ a: null }], [{}]],
    [{ type: "object", required: ["a"], properties: { a: {} } }, [{ a: 1 }], [{}]],
    [{ properties: { a: string } }, [{ a: "x", b: 1 }, []], [{ a: 1 }]],
    [
      { properties: { a: {} }, patternProperties: { "^x": integer }, additionalProperties: string },
      [{ a: 1, x: 1, y: "z" }],
      [{ x: "1" }, { y: 1 }],
    ],
    [{ additionalProperties: false }, [{}], [{ a: 1 }, JSON.parse('{"__proto__":1}') as JsonObject]],
    [{ additionalProperties: string }, [{ a: "x" }], [JSON.parse('{"__proto__":1}') as JsonObject]],
    [{ propertyNames: { maxLength: 2 } }, [{ ab: 1 }], [{ abc: 1 }]],
    [{ minProperties: 1, maxProperties: 2 }, [{ a: 1 }], [{}, { a: 1, b: 1, c: 1 }]],
    [{ dependentRequired: { a: ["b"] } }, [{ b: 1 }, { a: 1, b: 1 }], [{ a: 1 }]],
    [{ dependentSchemas: { a: { required: ["b"] } } }, [{}], [{ a: 1 }]],
    [{ items: integer, minItems: 1, maxItems: 2 }, [[1], {}], [[], [1, 2, 3], ["x"]]],
    [{ prefixItems: [string], items: integer }, [["a", 1], []], [[1], ["a", "b"]]],
    [
      { uniqueItems: true },
      [[1, "1", true, { a: 1 }]],
      [
        [
          { a: 1, b: 2 },
          { b: 2, a: 1 },
        ],
      ],
    ],
    [{ contains: string, minContains: 2, maxContains: 3 }, [["a", 1, "b"]], [["a"], ["a", "b", "c", "d"]]],
  ]);
});

test("applicators hold beside each other and beside everything else", () => {
  const conditional = JSON.parse(
    '{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}',
  ) as JsonObject;
  const tree: JsonObject = {
    $defs: { node: { type: "object", properties: { child: { $ref: "#/$defs/node" }, n: integer }, required: ["n"] } },
    $ref: "#/$defs/node",
    maxProperties: 2,
  };
  assertAll([
    [
      { properties: { a: integer }, anyOf: [{ required: ["a"] }, { required: ["b"] }] },
      [{ a: 1 }, { b: 1 }],
      [{}, { a: "x" }],
    ],
    [{ oneOf: [integer, { minimum: 5 }] }, [1, 5.5], [6, 1.5]],
    [{ oneOf: [{ required: ["a"] }, { required: ["b"] }] }, [{ a: 1 }, { b: 1 }], [{}, { a: 1, b: 1 }]],
    [{ allOf: [{ minimum: 1 }, { maximum: 3 }], multipleOf: 2 }, [2], [0, 3, 4]],
    [{ not: { type: "null" } }, [1], [null]],
    [conditional, [{ a: 1, b: 1 }, { c: 1 }], [{ a: 1 }, {}]],
    [
      tree,
      [{ n: 1, child: { n: 2 } }],
      [
        { n: 1, child: {} },
        { n: 1, child: { n: 1, child: { n: "x" } } },
        { n: 1, a: 1, b: 1 },
      ],
    ],
    [{ properties: { a: integer, b: { $ref: "#/properties/a" } } }, [{ b: 1 }], [{ b: "x" }]],
    [{ properties: { "a/b~c": integer, d: { $ref: "#/properties/a~1b~0c" } } }, [{ d: 1 }], [{ d: "x" }]],
    [{ properties: { a: true, b: false } }, [{ a: 1 }], [{ b: 1 }]],
  ]);
});

test("what cannot be held is refused, with its place; annotations are not", () => {
  const cases: [schema: JsonObject, message: RegExp][] = [
    [{ type: "text" }, /^#: type must be of null, boolean/],
    [{ properties: { a: { required: true } } }, /^#\/properties\/a: required must be a list of names/],
    [{ items: [{}] }, /^#: items must be one schema.*prefixItems/],
    [{ properties: [] }, /^#: properties must be an object/],
    [{ anyOf: [{ minimum: "1" }] }, /^#\/anyOf\/0: minimum must be a number/],
    [{ $ref: "#/$defs/none" }, /leads to nothing: #\/\$defs\/none/],
    [{ $ref: "https://example.com/x" }, /must begin with #/],
    [{ items: { $id: "x" } }, /^#\/items: \$id cannot be used/],
    [{ unevaluatedProperties: false }, /additionalProperties/],
    [{ dependencies: {} }, /dependentRequired/],
    [{ type: "string", nullable: true }, /null/],
    [{ pattern: "(" }, /^#: pattern .*regular expression/i],
    [{ properties: { a: 1 } }, /^#\/properties\/a: must be a schema/],
  ];
  for (const [schema, message] of cases) {
    assert.throws(() => compileJsonSchema(schema), { message }, JSON.stringify(schema));
  }
  const annotated = { $schema: "x", $id: "y", title: "t", examples: [1], "x-own": 1, deprecated: true, $comment: "c" };
  assert.ok(compileJsonSchema(annotated)(1).ok);
});

test("a mistake says where it is and what was expected", () => {
  const check = compileJsonSchema({
    required: ["b"],
    properties: {
      a: { anyOf: [string, { type: "null" }] },
      list: { items: { properties: { n: { minimum: 1 } } } },
      only: { additionalProperties: false },
    },
  });
  const value = { a: 7, list: [{ n: 1 }, { n: 0 }], only: { ["x".repeat(5_000)]: 1 } };
  const result = check(value);
  assert.ok(!result.ok);
  assert.match(
    result.message,
    /^b: is missing; a: fits none of the alternatives: expected string, received number, or expected null/,
  );
  assert.match(result.message, /; list\[1\]\.n: must be at least 1; only\.x+: must not be here$/);
  assert.ok(result.message.length < 500, "names of the caller's are shortened");
  assert.equal(result.field, "b");
});

test("checks are bounded, whatever the schema", () => {
  const branch = { properties: { c: { $ref: "#" } } };
  const twice = compileJsonSchema({ oneOf: [branch, branch] });
  let deep: JsonObject = {};
  for (let depth = 0; depth < 60; depth++) deep = { c: deep };
  const startedAt = performance.now();
  const result = twice(deep);
  assert.match(result.ok ? "" : result.message, /too large to be checked/);
  assert.ok(performance.now() - startedAt < 5_000);
  for (const endless of [compileJsonSchema({ $ref: "#" }), compileJsonSchema({ allOf: [{ $ref: "#" }] })]) {
    const found = endless({});
    assert.match(found.ok ? "" : found.message, /nests too deeply/);
  }
});
