import assert from "node:assert/strict";
import test from "node:test";
import { z } from "zod";
import type { JsonValue } from "../lib/json.ts";
import { asObject } from "./read.ts";
import { schemaInstance } from "./schema-instance.ts";

const leaf = z.object({ name: z.string(), size: z.number().int().min(3).max(9) });
interface Tree {
  value: string;
  children: Tree[];
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ value: z.string(), children: z.array(tree) }));

const SCHEMAS: readonly (readonly [string, z.ZodType])[] = [
  ["nested objects", z.object({ a: leaf, b: z.array(leaf).min(1), c: z.boolean() })],
  ["enum, const, null", z.object({ e: z.enum(["x", "y"]), c: z.literal(7), n: z.null() })],
  [
    "unions and optional",
    z.object({ u: z.union([z.number(), z.string()]), o: z.string().optional(), n: z.string().nullable() }),
  ],
  ["formats", z.object({ d: z.iso.datetime(), m: z.email(), u: z.uuid(), w: z.url() })],
  ["lengths", z.object({ s: z.string().min(40).max(60), t: z.string().max(3), l: z.array(z.number()).max(1) })],
  [
    "numbers",
    z.object({ a: z.number().gt(10), b: z.number().lt(0), c: z.number().multipleOf(5), d: z.int().positive() }),
  ],
  ["recursion", z.object({ root: tree })],
];

for (const [what, schema] of SCHEMAS) {
  test(`schemaInstance satisfies ${what}`, () => {
    const json = JSON.parse(JSON.stringify(z.toJSONSchema(schema))) as JsonValue;
    const value = schemaInstance(asObject(json) ?? {}, "text");
    assert.equal(schema.safeParse(value).error?.message, undefined);
  });
}

test("schemaInstance follows allOf and references of draft 7", () => {
  const value = schemaInstance(
    {
      allOf: [{ $ref: "#/definitions/base" }, { properties: { b: { type: "integer" } }, required: ["b"] }],
      definitions: { base: { type: "object", properties: { a: { type: "string" } }, required: ["a"] } },
    },
    "t",
  );
  assert.deepEqual(value, { a: "a: t", b: 1 });
});
