import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../lib/json.ts";
import { addSchema } from "./openapi-schemas.ts";

function added(schema: JsonObject): JsonObject {
  const schemas: JsonObject = {};
  addSchema(schemas, "Input", schema);
  return schemas;
}

test("definitions are components, and all that refers leads there", () => {
  const node = (target: string): JsonObject => ({ type: "object", properties: { child: { $ref: target } } });
  const schema = {
    $id: "https://example.com/x",
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $defs: { "a node": node("#/$defs/a node"), "a/b": { items: { $ref: "#" } }, a_node: { type: "string" } },
    properties: {
      first: { anyOf: [{ $ref: "#/$defs/a node" }, { $ref: "#/$defs/a~1b/items" }] },
      second: { $ref: "#/properties/first" },
      $ref: { type: "string", default: { $ref: "#/$defs/a node" } },
    },
    items: { prefixItems: [{ $ref: "#/$defs/a_node" }] },
  };
  const before = structuredClone(schema);
  assert.deepEqual(added(schema), {
    Input: {
      properties: {
        first: {
          anyOf: [{ $ref: "#/components/schemas/Input_a_node" }, { $ref: "#/components/schemas/Input_a_b/items" }],
        },
        second: { $ref: "#/components/schemas/Input/properties/first" },
        $ref: { type: "string", default: { $ref: "#/$defs/a node" } },
      },
      items: { prefixItems: [{ $ref: "#/components/schemas/Input_a_node_2" }] },
    },
    Input_a_node: node("#/components/schemas/Input_a_node"),
    Input_a_b: { items: { $ref: "#/components/schemas/Input" } },
    Input_a_node_2: { type: "string" },
  });
  assert.deepEqual(schema, before, "the schema itself is not changed");
});

test("a schema without references stays what it is", () => {
  const schema = { type: "object", properties: { a: true, b: { enum: [1] } }, additionalProperties: false };
  assert.deepEqual(added(schema), { Input: schema });
});
