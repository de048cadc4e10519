import assert from "node:assert/strict";
import { test } from "node:test";
import { SluiceError } from "../../lib/errors.ts";
import type { JsonObject } from "../../lib/json.ts";
import { REQUESTS } from "./corpus.test.ts";
import { decodeChatRequest } from "./request-decode.ts";
import { encodeChatRequest, encodeTokenCountRequest } from "./request-encode.ts";

for (const [name, body] of Object.entries(REQUESTS)) {
  test(`a request comes back as it went: ${name}`, () => {
    const before = structuredClone(body);
    const { body: after, dropped } = encodeChatRequest(decodeChatRequest(body), false);
    assert.deepEqual(after, before);
    assert.deepEqual(dropped, []);
    assert.deepEqual(body, before, "decoding changes nothing in the client's body");
  });
}

test("the former output_format goes on under its present name", () => {
  const format = { type: "json_schema", schema: { type: "object" } };
  const { body } = encodeChatRequest(decodeChatRequest({ ...minimal(), output_format: format }), false);
  assert.deepEqual(body["output_config"], { format });
  assert.equal(body["output_format"], undefined);
});

test("a count takes only what counting takes", () => {
  const form = decodeChatRequest({ ...minimal(), system: "s", metadata: { user_id: "u" }, stop_sequences: ["x"] });
  const { body } = encodeTokenCountRequest(form, false);
  assert.deepEqual(body, { model: "m", system: "s", messages: [{ role: "user", content: "Hi" }] });
});

function minimal(): JsonObject {
  return { model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] };
}

function withBlock(block: JsonObject): JsonObject {
  return { ...minimal(), messages: [{ role: "user", content: [block] }] };
}

const REFUSED: readonly (readonly [body: JsonObject, field: string])[] = [
  [{ ...minimal(), model: 7 }, "model"],
  [{ ...minimal(), model: "" }, "model"],
  [{ model: "m", max_tokens: 9 }, "messages"],
  [{ ...minimal(), messages: [] }, "messages"],
  [{ ...minimal(), messages: ["x"] }, "messages.0"],
  [{ ...minimal(), messages: [{ role: "tool", content: "x" }] }, "messages.0.role"],
  [{ ...minimal(), messages: [{ role: "system", content: "x" }] }, "messages.0"],
  [{ ...minimal(), messages: [{ role: "user" }] }, "messages.0.content"],
  [{ ...minimal(), messages: [{ role: "user", content: 7 }] }, "messages.0.content"],
  [{ ...minimal(), max_tokens: "9" }, "max_tokens"],
  [{ ...minimal(), max_tokens: -1 }, "max_tokens"],
  [{ ...minimal(), max_tokens: 1.5 }, "max_tokens"],
  [{ ...minimal(), stream: "yes" }, "stream"],
  [{ ...minimal(), temperature: "hot" }, "temperature"],
  [{ ...minimal(), top_k: 0.5 }, "top_k"],
  [{ ...minimal(), system: 7 }, "system"],
  [{ ...minimal(), system: [{ type: "text" }] }, "system.0.text"],
  [{ ...minimal(), stop_sequences: ["a", 7] }, "stop_sequences.1"],
  [{ ...minimal(), metadata: { user_id: 7 } }, "metadata.user_id"],
  [{ ...minimal(), thinking: { type: "enabled" } }, "thinking.budget_tokens"],
  [{ ...minimal(), thinking: { budget_tokens: 7 } }, "thinking.type"],
  [{ ...minimal(), output_config: { effort: 3 } }, "output_config.effort"],
  [{ ...minimal(), output_config: { format: { type: "json" } } }, "output_config.format.type"],
  [{ ...minimal(), output_config: { format: { type: "json_schema" } } }, "output_config.format.schema"],
  [{ ...minimal(), cache_control: { type: "forever" } }, "cache_control.type"],
  [{ ...minimal(), tools: {} }, "tools"],
  [{ ...minimal(), tools: [{ name: "a b", input_schema: {} }] }, "tools.0.name"],
  [{ ...minimal(), tools: [{ name: "a" }] }, "tools.0.input_schema"],
  [{ ...minimal(), tools: [{ name: "a", input_schema: {}, strict: 1 }] }, "tools.0.strict"],
  [{ ...minimal(), tool_choice: { type: "some" } }, "tool_choice.type"],
  [{ ...minimal(), tool_choice: { type: "tool" } }, "tool_choice.name"],
  [withBlock({ text: "x" }), "messages.0.content.0.type"],
  [withBlock({ type: "text", text: 7 }), "messages.0.content.0.text"],
  [
    withBlock({ type: "text", text: "x", cache_control: { type: "ephemeral", ttl: "2h" } }),
    "messages.0.content.0.cache_control.ttl",
  ],
  [withBlock({ type: "image" }), "messages.0.content.0.source"],
  [withBlock({ type: "image", source: { type: "base64", data: "x" } }), "messages.0.content.0.source.media_type"],
  [withBlock({ type: "tool_use", id: "a", name: "b", input: "{}" }), "messages.0.content.0.input"],
  [withBlock({ type: "tool_result", content: "x" }), "messages.0.content.0.tool_use_id"],
  [
    withBlock({ type: "tool_result", tool_use_id: "x", content: [{ type: "text" }] }),
    "messages.0.content.0.content.0.text",
  ],
  [withBlock({ type: "redacted_thinking" }), "messages.0.content.0.data"],
];

for (const [body, field] of REFUSED) {
  test(`refuses ${JSON.stringify(body).slice(0, 90)} naming ${field}`, () => {
    assert.throws(
      () => decodeChatRequest(body),
      (error) => {
        assert.ok(error instanceof SluiceError);
        assert.equal(error.code, "invalid_request");
        assert.equal(error.param, field);
        assert.ok(error.message.startsWith(`${field}: `), error.message);
        return true;
      },
    );
  });
}

test("a block named like a member of every object is not taken for a known one", () => {
  const { messages } = decodeChatRequest(withBlock({ type: "constructor" }));
  assert.equal(messages[0]?.content[0]?.kind, "opaque");
});
