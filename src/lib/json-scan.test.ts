import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { assembleJsonScan } from "../../scripts/assemble-json-scan.ts";
import { parseJson } from "./json-parse.ts";
import { JsonSyntaxError, MAX_DEPTH, scanPlainly } from "./json-scan-plain.ts";
import type { ObjectShape } from "./json-scan-plain.ts";
import { createWindowedScan, scanWithSimd } from "./json-scan-simd.ts";
import { JSON_SCAN_WASM } from "./json-scan-wasm.ts";
import { positionOf, scanObject } from "./json-scan.ts";

const WANTED = ["model", "stream", "a", "é", "__proto__", ""];

const space = fc.constantFrom("", "", "", "", " ", "\n", "\r\n", "\t", "  ".repeat(20));
const piece = fc.constantFrom(
  ..."aé人😀\u2028\u007f/'{}[]:,0",
  "plain words that are longer than sixteen bytes",
  ...String.raw`\n \" \\ \/ \b\f\r\t \u0041 \u00e9 \ud83d\ude00 \ud800`.split(" "),
);
const stringText = fc.array(piece, { maxLength: 12 }).map((pieces) => `"${pieces.join("")}"`);
const keyText = fc.oneof(
  fc.constantFrom('"model"', '"mod\\u0065l"', '"stream"', '"\\u0061"', '"é"', '"__proto__"', '""'),
  stringText,
);
const scalarText = fc.oneof(
  stringText,
  fc.constantFrom("true", "false", "null", "0", "-0", "-0.0e-0", "12", "3.25", "1e5", "1E+5", "9.9e-9"),
  fc.bigInt().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
);

function arrayText(values: readonly (readonly [string, string, string])[]): string {
  return `[${values.map((parts) => parts.join("")).join(",")}]`;
}

function objectText(members: readonly (readonly string[])[], rest: string): string {
  const inside = members.map(
    ([before, key, colon, value, after]) => `${before}${key}${colon}:${before}${value}${after}`,
  );
  return `{${inside.length === 0 ? rest : inside.join(",")}}`;
}

/** JSON text in every form that the grammar allows. */
const { object: objectJson } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4, withCrossShrink: true }, scalarText, tie("array"), tie("object")),
  array: fc.array(fc.tuple(space, tie("value"), space), { maxLength: 4 }).map((values) => arrayText(values)),
  object: fc
    .tuple(fc.array(fc.tuple(space, keyText, space, tie("value"), space), { maxLength: 5 }), space)
    .map(([members, rest]) => objectText(members, rest)),
}));
const document = fc.tuple(space, objectJson, space).map(([before, text, after]) => Buffer.from(before + text + after));

/** Bytes that are likely to break something. */
const byte = fc.oneof(
  fc.constantFrom(...Buffer.from('"\\{}[]:,-+.eE09tfnu/ \n\r\t\0\x1f\x7fxA')),
  fc.constantFrom(0x80, 0xbf, 0xc3, 0xe4, 0xf0, 0xff),
);
/** Where, how many bytes go, what comes instead. */
const damage = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(2), fc.array(byte, { maxLength: 2 }));

function damaged(body: Buffer, blows: readonly (readonly [number, number, number[]])[]): Buffer {
  let result = body;
  for (const [place, removed, added] of blows) {
    const at = Math.floor(place * result.length);
    result = Buffer.concat([result.subarray(0, at), Buffer.from(added), result.subarray(at + removed)]);
  }
  return result;
}

/** What JSON.parse says, for a body that must be an object in valid UTF-8. */
function parsed(body: Buffer): Record<string, unknown> | undefined {
  if (!isUtf8(body)) return undefined;
  try {
    const value = parseJson(body.toString());
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function scanned<Result>(scan: () => Result): Result | undefined {
  try {
    return scan();
  } catch (error) {
    assert.ok(error instanceof JsonSyntaxError, String(error));
    return undefined;
  }
}

/** Copies what the SIMD scanner would overwrite. */
function plainShape(shape: ObjectShape | undefined): unknown {
  if (shape === undefined) return undefined;
  return { ...shape, members: Array.from(shape.members).slice(0, 4 * shape.count) };
}

function checkAgainstParse(body: Buffer): void {
  const expected = parsed(body);
  const scan = scanned(() => scanObject(body, WANTED));
  assert.equal(scan !== undefined, expected !== undefined, body.toString());
  if (expected === undefined || scan === undefined) return;
  assert.equal(scan.empty, Object.keys(expected).length === 0);
  assert.equal(body.toString("utf8", scan.closingBrace).trim(), "}");
  for (const key of WANTED) {
    const span = scan.members.get(key);
    assert.equal(span !== undefined, Object.hasOwn(expected, key), key);
    if (span === undefined) continue;
    const value = parseJson(body.toString("utf8", span.valueStart, span.valueEnd));
    assert.deepEqual(value, expected[key]);
    const member = parseJson(`{${body.toString("utf8", span.keyStart, span.valueEnd)}}`);
    assert.deepEqual(Object.entries(member as object), [[key, expected[key]]]);
  }
}

test("accepts what JSON.parse accepts and finds the same members", () => {
  fc.assert(fc.property(document, checkAgainstParse), { numRuns: 2000 });
});

test("rejects what JSON.parse rejects", () => {
  fc.assert(
    fc.property(document, fc.array(damage, { minLength: 1, maxLength: 3 }), (body, blows) => {
      checkAgainstParse(damaged(body, blows));
    }),
    { numRuns: 4000 },
  );
});

test("the SIMD scanner agrees with the plain one, wherever windows end", () => {
  fc.assert(
    fc.property(
      document,
      fc.array(damage, { maxLength: 1 }),
      fc.integer({ min: 65, max: 400 }),
      (intact, blows, windowBytes) => {
        const body = damaged(intact, blows);
        if (!isUtf8(body)) return;
        const plain = plainShape(scanned(() => scanPlainly(body)));
        assert.deepEqual(plainShape(scanWithSimd(body)), plain);
        const windowed = plainShape(createWindowedScan(windowBytes)?.(body));
        // at a window's end it may leave the decision to the plain scanner, but never say something else
        if (windowed !== undefined) assert.deepEqual(windowed, plain);
      },
    ),
    { numRuns: 2000 },
  );
});

test("long strings and many messages pass the window's end without the plain scanner", () => {
  const text = `He said "no":\n\té 人 😀 \\ and ${"went on and on ".repeat(5)}`;
  const messages = Array.from({ length: 40 }, (_, index) => ({ role: "user", content: text, index }));
  const body = Buffer.from(JSON.stringify({ model: "m", messages, image: "A".repeat(5000) }));
  const expected = plainShape(scanPlainly(body));
  let decided = 0;
  for (let windowBytes = 100; windowBytes < 600; windowBytes++) {
    const shape = plainShape(createWindowedScan(windowBytes)?.(body));
    if (shape === undefined) continue;
    assert.deepEqual(shape, expected);
    decided++;
  }
  assert.ok(decided > 490, `${decided} of 500 window sizes`);
});

test("every prefix of a document is rejected, at an offset inside it", () => {
  const body = Buffer.from('{"a":[1,-2.5e+3,true,null,"é\\n\\u00e9"],"b":{"c":{}},"d":""}');
  for (let length = 0; length < body.length; length++) {
    const prefix = body.subarray(0, length);
    assert.throws(
      () => scanObject(prefix, []),
      (error: unknown) => error instanceof JsonSyntaxError && error.offset <= length,
      prefix.toString(),
    );
  }
});

test("names the offset of the error", () => {
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ["", 0, /Ends where an object should follow/],
    ["  [1]", 2, /Unexpected "\[", expected an object/],
    ["[1,]", 3, /expected a value/],
    ["\ufeff{}", 0, /expected a value/],
    ['{"a":1}}', 7, /expected nothing after the object/],
    ['{"a":1} x', 8, /expected nothing after the object/],
    ['{"a":1,}', 7, /expected a key/],
    ["{'a':1}", 1, /expected a key/],
    ['{"a" 1}', 5, /expected ':'/],
    ['{"a":tru}', 8, /expected 'true'/],
    ['{"a":01}', 6, /expected ',' or '}'/],
    ['{"a":[1 2]}', 8, /expected ',' or ']'/],
    ['{"a":1.}', 7, /expected a digit/],
    ['{"a":-}', 6, /expected a digit/],
    ['{"a":"\n"}', 6, /control character/],
    ['{"a":"\\x"}', 6, /Unknown escape/],
    ['{"a":"\\u12g4"}', 6, /four hexadecimal digits/],
    ['{"a":"b', 7, /not closed/],
    ['{"a":NaN}', 5, /Unexpected "N"/],
    ['{"a":😀}', 5, /Unexpected "😀"/],
  ];
  for (const [text, offset, message] of cases) {
    assert.throws(
      () => scanObject(Buffer.from(text), []),
      (error: unknown) => error instanceof JsonSyntaxError && error.offset === offset && message.test(error.message),
      text,
    );
  }
});

test("names the offset of the first byte that is not UTF-8", () => {
  for (const bad of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xc0, 0x80]]) {
    for (const start of ['{"a":"', '{"é人😀":"']) {
      const before = Buffer.from(start);
      const body = Buffer.concat([before, Buffer.from(bad), Buffer.from('"}')]);
      assert.throws(
        () => scanObject(body, []),
        (error: unknown) => error instanceof JsonSyntaxError && error.offset === before.length,
      );
    }
  }
});

test("nesting is bounded, the outermost object included", () => {
  const nested = (depth: number) => Buffer.from(`{"a":${"[".repeat(depth - 1)}1${"]".repeat(depth - 1)}}`);
  assert.equal(scanObject(nested(MAX_DEPTH), ["a"]).members.size, 1);
  assert.equal(scanWithSimd(nested(MAX_DEPTH))?.count, 1);
  assert.throws(() => scanObject(nested(MAX_DEPTH + 1), ["a"]), /Nested deeper than 1000/);
  assert.throws(() => scanObject(Buffer.from(`{"a":${"[".repeat(100_000)}`), []), /Nested deeper/);
});

test("more members than the SIMD scanner has room for", () => {
  for (const count of [127, 128, 129, 1000]) {
    const value = Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
    const scan = scanObject(Buffer.from(JSON.stringify(value)), [`k${count - 1}`]);
    assert.equal(scan.members.size, 1);
  }
});

test("of members that occur several times, reports the last and that there are several", () => {
  const spelling = fc.constantFrom('"model"', '"mod\\u0065l"', '"x"', '"\\u0078"', '"y"', '"Model"');
  fc.assert(
    fc.property(fc.array(fc.tuple(spelling, scalarText), { maxLength: 8 }), (members) => {
      const body = Buffer.from(`{${members.map((member) => member.join(":")).join(",")}}`);
      const scan = scanObject(body, ["model", "x"]);
      for (const key of ["model", "x"]) {
        const values = members.filter(([spelt]) => JSON.parse(spelt) === key).map(([, value]) => value);
        const span = scan.members.get(key);
        const text = span && body.toString("utf8", span.valueStart, span.valueEnd);
        assert.equal(text, values.at(-1));
        assert.equal(scan.duplicates.includes(key), values.length > 1);
      }
    }),
    { numRuns: 500 },
  );
});

test("reports wanted keys that occur twice, however they are spelt", () => {
  const body = Buffer.from('{"model":1,"x":{"model":2},"mod\\u0065l":3,"y":"\\"model\\":","b":1,"b":2}');
  const scan = scanObject(body, ["model", "x"]);
  assert.deepEqual(scan.duplicates, ["model"]);
  const span = scan.members.get("model")!;
  assert.equal(body.toString("utf8", span.valueStart, span.valueEnd), "3");
});

test("position of an offset: lines and characters from 1", () => {
  const body = Buffer.from('{\n "é人😀": x');
  assert.deepEqual(positionOf(body, 0), { line: 1, column: 1 });
  assert.deepEqual(positionOf(body, body.indexOf("x")), { line: 2, column: 9 });
  assert.deepEqual(positionOf(body, 1000), { line: 2, column: 10 });
});

test("the committed module is what json-scan.wat says", async () => {
  const assembled = await assembleJsonScan();
  assert.ok(assembled.equals(JSON_SCAN_WASM), "run: node scripts/assemble-json-scan.ts");
});
