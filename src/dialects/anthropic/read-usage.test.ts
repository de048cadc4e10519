import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isObject } from "./fields.ts";
import { ANSWERS } from "./corpus.test.ts";
import { readUsage } from "./read-usage.ts";
import { decodeUsage } from "./usage.ts";

const read = (value: unknown): unknown => readUsage(Buffer.from(JSON.stringify(value)));

for (const [name, body] of Object.entries(ANSWERS)) {
  test(`usage of an answer: ${name}`, () => {
    const { usage } = body;
    assert.ok(isObject(usage));
    assert.deepEqual(read(body), decodeUsage(usage));
    assert.deepEqual(readUsage(Buffer.from(JSON.stringify(body, null, 2))), decodeUsage(usage));
  });
}

test("cache writes of an hour are part of all cache writes, which are part of the prompt", () => {
  const cache_creation = { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 40 };
  const usage = { input_tokens: 7, cache_creation_input_tokens: 140, cache_creation, output_tokens: 1 };
  const { promptTokens, cacheWriteTokens, cacheWriteHourTokens } = decodeUsage(usage);
  assert.deepEqual([promptTokens, cacheWriteTokens, cacheWriteHourTokens], [147, 140, 40]);
  assert.ok(!("cacheWriteHourTokens" in decodeUsage({ input_tokens: 7, output_tokens: 1 })));
});

test("what only looks like the usage is not taken for it", () => {
  const usage = { input_tokens: 3, output_tokens: 4 };
  const decoy = { usage: { input_tokens: 900, output_tokens: 900 }, text: '"usage":{"input_tokens":901}' };
  const expected = decodeUsage(usage);
  assert.deepEqual(read({ content: [decoy], usage }), expected);
  assert.deepEqual(read({ usage, content: [decoy] }), expected);
  assert.deepEqual(read({ usage, content: ["usage"] }), expected);
  assert.deepEqual(read({ usage, tail: "}".repeat(20_000) }), expected);
  assert.equal(read({ content: [decoy] }), undefined);
  assert.equal(read({ input_tokens: 7 }), undefined);
  assert.equal(readUsage(Buffer.from('{"usage":{"input_tokens":1')), undefined);
  assert.equal(readUsage(Buffer.from("")), undefined);
});

test("it agrees with JSON.parse wherever the usage lies", () => {
  const key = fc.oneof(fc.constantFrom("usage", "content", 'a"b', "x\\"), fc.string());
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.constant("usage"), fc.constant('"usage":{'));
  const usage = fc.record({ input_tokens: fc.nat(), output_tokens: fc.nat() });
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      usage,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(key, tie("value"), { maxKeys: 3 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(key, value, { maxKeys: 5 }), fc.option(usage), (object, own) => {
      const whole: Record<string, unknown> = own === null ? object : { ...object, usage: own };
      const expected = JSON.parse(JSON.stringify(whole)) as Record<string, unknown>;
      const found = expected["usage"];
      const counts =
        isObject(found) && (typeof found["input_tokens"] === "number" || typeof found["output_tokens"] === "number");
      assert.deepEqual(read(whole), counts ? decodeUsage(found) : undefined);
    }),
    { numRuns: 500 },
  );
});
