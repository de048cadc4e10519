import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonValue } from "./json.ts";
import { parseExactJson, parseJson, parseWithEscapedKeys, stringifyExactJson } from "./json-parse.ts";

/** Makes V8 guess keys that begin with a backslash, as another client's request could. */
function spoil(): void {
  for (const key of ["\\", "\\u", "\\u0", "mod\\u", "x\\"]) {
    for (const before of ["m", "a", "type"]) JSON.parse(JSON.stringify({ [before]: 1, [key]: 1 }));
  }
}

/** JSON text with every character of keys, and every quote in values, written as an escape. */
function withEscapedKeys(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map((item) => withEscapedKeys(item)).join(" ,\n")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => {
    const units = Array.from({ length: key.length }, (_, index) => key.charCodeAt(index));
    const escaped = units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
    return `"${escaped}" : ${withEscapedKeys(member ?? null)}`;
  });
  return `{${members.join(",")}}`;
}

const values = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.array(fc.dictionary(fc.string({ unit: fc.constantFrom(...'\\"u06a:\n ') }), fc.string()), {
    maxLength: 4,
  }),
);
const jsonValues = values.map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);

test("keys are what they mean, whatever was parsed before", () => {
  spoil();
  assert.deepEqual(parseJson('{"m":1,"\\u0061":1}'), { m: 1, a: 1 });
  assert.deepEqual(parseJson('{"a":1,"mod\\u0065l":1}'), { a: 1, model: 1 });
  assert.deepEqual(parseJson('{"type":1,"\\u540d\\u79f0" : [{"m":1,"\\n":2}]}'), {
    type: 1,
    名称: [{ m: 1, "\n": 2 }],
  });
});

test("gives back any value, with or without escaped keys", () => {
  fc.assert(
    fc.property(jsonValues, (value) => {
      // -0 apart, which JSON.stringify writes as 0
      assert.deepEqual(parseJson(JSON.stringify(value)), value);
      assert.deepEqual(parseJson(withEscapedKeys(value)), value);
      assert.deepEqual(parseWithEscapedKeys(JSON.stringify(value)), value);
    }),
    { numRuns: 1000 },
  );
});

test("of a key that occurs twice the last counts, escaped or not", () => {
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(parseJson('{"\\u0061":12,"\\u0061":39.5,"\\\\":1}'), { a: 39.5, "\\": 1 });
    assert.deepEqual(parseJson('{"a":12,"\\u0061":39.5}'), { a: 39.5 });
    assert.deepEqual(parseJson('{"\\u0061":12,"a":39.5}'), { a: 39.5 });
    assert.deepEqual(parseJson('{"a":1,"\\u0061":2,"a":3}'), { a: 3 });
  }
});

test("__proto__ is a key like others", () => {
  const value = parseJson('{"__pro\\u0074o__":{"polluted":true}}') as object;
  assert.deepEqual(Object.keys(value), ["__proto__"]);
  assert.equal("polluted" in value, false);
});

test("refuses what JSON.parse refuses", () => {
  const texts = ['{"\\u0061"}', '{\\"a":1}', '{"\\u00":1}', '{"a\\', '"\\":', '{"\\u0061":1,}', "\\", ""];
  for (const text of texts) {
    assert.throws(() => parseJson(text), SyntaxError, text);
  }
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[]":,\\u0061 ') }), (text) => {
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      if (valid) parseJson(text);
      else assert.throws(() => parseJson(text), SyntaxError);
    }),
    { numRuns: 1000 },
  );
});

test("bounds the depth where it recurses", () => {
  const nested = (depth: number) => `{"\\n":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
  assert.ok(parseJson(nested(1000)));
  assert.throws(() => parseJson(nested(1001)), /nests deeper than 1000/);
  assert.throws(() => parseJson(nested(100_000)), /nests deeper than 1000/);
});

test("parseExactJson keeps integers that a number cannot hold, and they go out as they came in", () => {
  const text =
    '{"id":9007199254740993,"list":[-9223372036854775808,9007199254740991,1.5,1e21],"\\u0061":"1234567890123456789"}';
  const value = parseExactJson(text);
  assert.deepEqual(value, {
    id: 9_007_199_254_740_993n,
    list: [-(2n ** 63n), 9_007_199_254_740_991, 1.5, 1e21],
    a: "1234567890123456789",
  });
  assert.equal(stringifyExactJson(value), text.replace("\\u0061", "a").replace("1e21", "1e+21"));
  assert.deepEqual(parseExactJson('{"a":[1,"x",null]}'), { a: [1, "x", null] });
  assert.throws(() => parseExactJson('{"id":9007199254740993,}'), SyntaxError);
});
