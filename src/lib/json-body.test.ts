import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SluiceError } from "./errors.ts";
import { readBody } from "./json-body.ts";

const WANTED = ["model", "stream", "stream_options", "max_tokens", "stop", "__proto__"];

function read(text: string) {
  return readBody(Buffer.from(text), WANTED);
}

function refusal(body: Buffer): SluiceError {
  try {
    readBody(body, WANTED);
  } catch (error) {
    assert.ok(error instanceof SluiceError);
    assert.equal(error.status, 400);
    return error;
  }
  return assert.fail("was not refused");
}

test("gives the parsed values of wanted members", () => {
  const body = read(
    `{ "model" : "gpt-é\\u0041\\n" , "stream":true, "max_tokens": 1.5e2,
       "stream_options":{"include_usage":false}, "stop":["a"], "n":1 }`,
  );
  assert.equal(body.get("model"), "gpt-éA\n");
  assert.equal(body.get("stream"), true);
  assert.equal(body.get("max_tokens"), 150);
  assert.deepEqual(body.get("stream_options"), { include_usage: false });
  assert.deepEqual(body.get("stop"), ["a"]);
  assert.equal(body.get("n"), undefined, "not wanted");
  assert.equal(body.get("__proto__"), undefined, "absent");
  assert.deepEqual(Object.keys(body.parse()).length, 6);
  assert.notEqual(body.parse(), body.parse());
});

test("values of every kind come out as JSON.parse gives them", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ maxLength: 200 }), (stop, model) => {
      const text = JSON.stringify({ model, stop });
      const body = read(text);
      const expected = JSON.parse(text) as object;
      assert.deepEqual({ model: body.get("model"), stop: body.get("stop") }, expected);
      assert.deepEqual(body.parse(), expected);
    }),
  );
});

test("only top-level members count", () => {
  const body = read(
    '{"messages":[{"model":"no"}],"a":{"model":"no","stream":true},"b":"\\"model\\":\\"no\\"","model":"yes"}',
  );
  assert.equal(body.get("model"), "yes");
  assert.equal(body.get("stream"), undefined);
});

test("escaped keys are found, and other clients' keys cannot confuse them", () => {
  JSON.parse('{"n":1,"mod\\\\u":1}');
  const body = read('{"n":1,"mod\\u0065l":"m"}');
  assert.equal(body.get("model"), "m");
  assert.deepEqual(body.parse(), { n: 1, model: "m" });
});

test("a __proto__ key is data", () => {
  const body = read('{"model":"m","__proto__":{"stream":true}}');
  assert.equal(body.get("stream"), undefined);
  assert.deepEqual(body.get("__proto__"), { stream: true });
  assert.equal(body.parse()["stream"], undefined);
  assert.ok(Object.hasOwn(body.parse(), "__proto__"));
});

test("malformed bodies are refused with the place", () => {
  const cases: readonly (readonly [string | Buffer, RegExp])[] = [
    ["", /line 1, column 1, byte 0/],
    ["{", /line 1, column 2, byte 1/],
    ['{"é":1,\n "model": tru}', /Unexpected "}".*line 2, column 14, byte 22/],
    ['{"model":"m"} {}', /nothing after the object.*byte 14/],
    ['\ufeff{"model":"m"}', /byte 0/],
    ['{"model":"m\n"}', /control character/],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), /Not valid UTF-8.*byte 2/],
    [Buffer.from('{"model":"m"}', "utf16le"), /byte 1/],
    [`{"a":${"[".repeat(2000)}${"]".repeat(2000)}}`, /Nested deeper/],
  ];
  for (const [body, message] of cases) {
    const error = refusal(Buffer.from(body as Buffer));
    assert.equal(error.code, "invalid_json");
    assert.match(error.message, message);
  }
});

test("JSON that is no object is refused", () => {
  for (const text of ["[]", '[{"model":"m"}]', '"model"', "null", "1"]) {
    assert.match(refusal(Buffer.from(text)).message, /expected an object/);
  }
});

test("a wanted key that occurs twice is refused by name, other keys may", () => {
  for (const twice of ['"model":"b"', '"mod\\u0065l":"b"']) {
    const error = refusal(Buffer.from(`{"model":"a","x":{},${twice}}`));
    assert.equal(error.code, "invalid_request");
    assert.equal(error.param, "model");
  }
  assert.equal(refusal(Buffer.from('{"__proto__":1,"__proto__":2}')).param, "__proto__");
  assert.equal(read('{"model":"a","x":1,"x":2}').get("model"), "a");
});

test("a wanted member is looked at without being parsed, or parsed with exact integers", () => {
  const body = readBody(Buffer.from('{"a": "x", "b": ["x"], "id": [9007199254740993, 1]}'), ["a", "b", "c", "id"]);
  assert.deepEqual(
    ["a", "b", "c"].map((key) => body.isText(key)),
    [true, false, false],
  );
  assert.deepEqual(body.getExact("id"), [9_007_199_254_740_993n, 1]);
  assert.equal(body.getExact("c"), undefined);
  assert.deepEqual(body.exact()["id"], [9_007_199_254_740_993n, 1]);
});
