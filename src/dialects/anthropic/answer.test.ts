import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../lib/json.ts";
import type { ChatAnswer } from "../form.ts";
import { decodeChatAnswer } from "./answer-decode.ts";
import { encodeChatAnswer } from "./answer-encode.ts";
import { ANSWERS } from "./corpus.test.ts";

const CONTEXT = { requestId: "req-1", model: "claude-opus-4-8", includeUsage: true };

for (const [name, body] of Object.entries(ANSWERS)) {
  test(`an answer comes back as it went: ${name}`, () => {
    const before = structuredClone(body);
    assert.deepEqual(encodeChatAnswer(decodeChatAnswer(body), CONTEXT), before);
    assert.deepEqual(body, before);
  });
}

test("usage counts the cache into the prompt", () => {
  const { usage } = decodeChatAnswer(ANSWERS["thinking, tools, full usage"] ?? {});
  assert.equal(usage?.promptTokens, 2095 + 2051 + 10_000);
  assert.equal(usage?.cachedTokens, 10_000);
  assert.equal(usage?.cacheWriteTokens, 2051);
  assert.equal(usage?.completionTokens, 503);
  assert.equal(usage?.reasoningTokens, 120);
});

test("an answer of another vendor", () => {
  const answer: ChatAnswer = {
    id: "chatcmpl-9:x",
    model: "gpt-4o",
    created: 1,
    extra: { dialect: "openai", fields: { system_fingerprint: "fp" } },
    choices: [
      {
        content: [
          { kind: "reasoning", text: "hm" },
          {
            kind: "text",
            text: "See.",
            citations: [{ type: "url_citation", url_citation: { url: "https://example.com" } }],
          },
          { kind: "refusal", text: "No." },
          { kind: "toolCall", id: "call_1", name: "f", arguments: '{"a":1}' },
          { kind: "toolCall", id: "call_2", name: "g", arguments: "" },
        ],
        finishReason: "stop",
      },
    ],
    usage: { promptTokens: 100, cachedTokens: 60, cacheWriteTokens: 0, completionTokens: 9, reasoningTokens: 4 },
  };
  assert.deepEqual(encodeChatAnswer(answer, CONTEXT), {
    id: "msg_chatcmpl-9_x",
    type: "message",
    role: "assistant",
    model: "claude-opus-4-8",
    content: [
      { type: "thinking", thinking: "hm", signature: "" },
      { type: "text", text: "See." },
      { type: "text", text: "No." },
      { type: "tool_use", id: "call_1", name: "f", input: { a: 1 } },
      { type: "tool_use", id: "call_2", name: "g", input: {} },
    ],
    stop_reason: "tool_use",
    stop_sequence: null,
    usage: {
      input_tokens: 40,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 60,
      output_tokens: 9,
      output_tokens_details: { thinking_tokens: 4 },
    },
  });
});

test("vendors that imitate Anthropic may leave things out", () => {
  const sparse: JsonObject = {
    content: [
      { type: "thinking", thinking: "hm" },
      { type: "tool_use", id: "a", name: "f", input: '{"x":1}' },
      { type: "tool_use", id: "b", name: "g" },
    ],
  };
  const { choices, usage } = decodeChatAnswer(sparse);
  assert.equal(usage, undefined);
  assert.deepEqual(choices[0], {
    content: [
      { kind: "reasoning", text: "hm" },
      { kind: "toolCall", id: "a", name: "f", arguments: '{"x":1}' },
      { kind: "toolCall", id: "b", name: "g", arguments: "{}" },
    ],
    finishReason: null,
  });
});

for (const body of [
  {},
  { content: "text" },
  { content: [7] },
  { content: [{ type: "text" }] },
] satisfies JsonObject[]) {
  test(`no message: ${JSON.stringify(body)}`, () => {
    assert.throws(() => decodeChatAnswer(body), { code: "upstream_invalid_answer" });
  });
}
