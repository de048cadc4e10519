import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readBody } from "./json-body.ts";
import { scanObject } from "./json-scan.ts";
import { setMembers, splice } from "./json-splice.ts";

const keys = fc.constantFrom("model", "stream", "stream_options", "é", "x", '"');
const space = fc.constantFrom("", "", " ", "\n\t");

/** An object as JSON text with white space anywhere, and what it says. */
const documents = fc
  .tuple(fc.dictionary(keys, fc.jsonValue({ maxDepth: 2 })), fc.infiniteStream(space))
  .map(([object, spaces]) => {
    const gap = (): string => String(spaces.next().value);
    const members = Object.entries(object).map(
      ([key, value]) => `${gap()}${JSON.stringify(key)}${gap()}:${gap()}${JSON.stringify(value)}${gap()}`,
    );
    const inside = members.length === 0 ? gap() : members.join(",");
    return Buffer.from(`${gap()}{${inside}}${gap()}`);
  });

const changes = fc
  .dictionary(keys, fc.jsonValue({ maxDepth: 1 }))
  .map((object) => new Map(Object.entries(object).map(([key, value]) => [key, JSON.stringify(value)])));

test("sets members and leaves every other byte as it was", () => {
  fc.assert(
    fc.property(documents, changes, (body, wanted) => {
      const before = Buffer.from(body);
      const scan = scanObject(body, [...wanted.keys()]);
      const edits = setMembers(scan, wanted);
      const result = splice(body, edits);

      const expected = JSON.parse(body.toString()) as Record<string, unknown>;
      for (const [key, json] of wanted) expected[key] = JSON.parse(json);
      assert.deepEqual(JSON.parse(result.toString()), expected);
      assert.ok(body.equals(before));

      // taking the edits out again gives the body back
      let shift = 0;
      const inverse = edits.map(({ start, end, bytes }) => {
        const at = start + shift;
        shift += bytes.length - (end - start);
        return { start: at, end: at + bytes.length, bytes: body.subarray(start, end) };
      });
      assert.ok(splice(result, inverse).equals(body));
    }),
    { numRuns: 1000 },
  );
});

test("adds to an empty object, and several members at once", () => {
  for (const [text, expected] of [
    ["{}", '{"a":1,"b":2}'],
    [" { \n} ", ' { \n"a":1,"b":2} '],
    ['{"c":0 }', '{"c":0 ,"a":1,"b":2}'],
    ['{"b":0}', '{"b":2,"a":1}'],
  ] as const) {
    const { body, scan } = readBody(Buffer.from(text), ["a", "b"]);
    const added = new Map([
      ["a", "1"],
      ["b", "2"],
    ]);
    assert.equal(splice(body, setMembers(scan, added)).toString(), expected);
  }
});

test("splice applies any edits that are in order", () => {
  const body = Buffer.from("0123456789");
  const edit = (start: number, end: number, text: string) => ({ start, end, bytes: Buffer.from(text) });
  assert.equal(splice(body, []).toString(), "0123456789");
  assert.equal(splice(body, [edit(0, 1, "aé"), edit(1, 1, "b"), edit(9, 10, "")]).toString(), "aéb12345678");
  for (const bad of [
    [edit(3, 5, ""), edit(4, 6, "")],
    [edit(5, 6, ""), edit(1, 2, "")],
    [edit(3, 2, "")],
    [edit(8, 11, "")],
  ]) {
    assert.throws(() => splice(body, bad), RangeError);
  }
});
