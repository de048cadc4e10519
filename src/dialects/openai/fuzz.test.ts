/** Whatever comes: a client's nonsense is refused by name, a vendor's is borne or reported, nothing else is thrown. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SluiceError } from "../../lib/errors.ts";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { ChatEvent } from "../form.ts";
import { decodeChatAnswer } from "./answer-decode.ts";
import { encodeChatAnswer } from "./answer-encode.ts";
import { ANSWERS, REQUESTS } from "./corpus.test.ts";
import { decodeDisguisedError, decodeError } from "./errors.ts";
import { isObject } from "./fields.ts";
import { decodeChatRequest } from "./request-decode.ts";
import { encodeChatRequest } from "./request-encode.ts";
import { OpenaiStreamDecoder } from "./stream-decode.ts";
import { OpenaiStreamEncoder } from "./stream-encode.ts";
import { OpenaiStreamWatch } from "./stream-watch.ts";
import { readUsage } from "./usage.ts";

const CONTEXT = { requestId: "r", model: "m", includeUsage: true };
const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>;

/** One of the values, with one thing in it replaced by another, at random depth. */
function damaged(values: readonly JsonValue[]): fc.Arbitrary<JsonValue> {
  return fc
    .record({ value: fc.constantFrom(...values), way: fc.array(fc.nat(20), { maxLength: 7 }), by: json })
    .map(({ value, way, by }) => replaceAt(value, way, by));
}

function replaceAt(value: JsonValue, way: readonly number[], by: JsonValue): JsonValue {
  const [step, ...rest] = way;
  if (step === undefined) return by;
  if (Array.isArray(value) && value.length > 0) {
    const at = step % value.length;
    return value.map((element, index) => (index === at ? replaceAt(element, rest, by) : element));
  }
  if (!isObject(value) || Object.keys(value).length === 0) return by;
  const keys = Object.keys(value);
  const key = keys[step % keys.length] ?? "";
  return { ...value, [key]: replaceAt(value[key] ?? null, rest, by) };
}

function assertSluice(error: unknown, code: string): void {
  assert.ok(error instanceof SluiceError, String(error));
  assert.equal(error.code, code);
}

test("a request is read or refused by name, and what is read goes out again", () => {
  const requests = damaged(Object.values(REQUESTS)).filter(isObject);
  fc.assert(
    fc.property(requests, (body) => {
      let form;
      try {
        form = decodeChatRequest(body);
      } catch (error) {
        assertSluice(error, "invalid_request");
        assert.notEqual((error as SluiceError).param, undefined);
        return;
      }
      const { body: again } = encodeChatRequest(form, false);
      assert.equal(again["model"], body["model"]);
      const twice = encodeChatRequest(decodeChatRequest(again), false).body;
      assert.deepEqual(twice, again, "what went out once goes out the same again");
    }),
    { numRuns: 1500 },
  );
});

const CHUNKS: readonly JsonObject[] = Object.values(ANSWERS).map((answer) => ({
  ...answer,
  choices: (answer["choices"] as JsonObject[]).map(({ message, ...choice }) => ({ ...choice, delta: message ?? null })),
}));

test("an answer is read or reported", () => {
  fc.assert(
    fc.property(damaged(Object.values(ANSWERS)).filter(isObject), (body) => {
      const bytes = Buffer.from(JSON.stringify(body));
      readUsage(bytes);
      decodeDisguisedError(bytes);
      assert.equal(decodeError(500, bytes).status, 500);
      try {
        JSON.stringify(encodeChatAnswer(decodeChatAnswer(body), CONTEXT));
      } catch (error) {
        assertSluice(error, "upstream_invalid_answer");
      }
    }),
    { numRuns: 1000 },
  );
});

test("a stream is read or reported, and what is written is whole JSON", () => {
  fc.assert(
    fc.property(fc.array(damaged(CHUNKS), { maxLength: 5 }), (chunks) => {
      const decoder = new OpenaiStreamDecoder();
      const encoder = new OpenaiStreamEncoder(CONTEXT);
      const watch = new OpenaiStreamWatch();
      for (const data of [...chunks.map((chunk) => JSON.stringify(chunk)), "[DONE]"]) {
        const bytes = Buffer.from(`data: ${data}\n\n`);
        watch.event(bytes, 0, bytes.length);
        const events: ChatEvent[] = [];
        try {
          decoder.decode("", data, events);
        } catch (error) {
          assertSluice(error, "upstream_invalid_answer");
        }
        for (const event of events) checkSse(encoder.encode(event));
      }
    }),
    { numRuns: 500 },
  );
});

function checkSse(text: string): void {
  if (text === "") return;
  assert.ok(text.endsWith("\n\n"));
  for (const event of text.slice(0, -2).split("\n\n")) {
    const data = event.replace(/^data: /, "");
    assert.notEqual(data, event);
    if (data !== "[DONE]") JSON.parse(data);
  }
}

test("bytes that are no JSON at all are borne", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const body = Buffer.from(bytes);
      readUsage(body);
      decodeDisguisedError(body);
      assert.equal(decodeError(418, body).status, 418);
      new OpenaiStreamWatch().event(body, 0, body.length);
    }),
    { numRuns: 500 },
  );
});
