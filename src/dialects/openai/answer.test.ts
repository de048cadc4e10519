import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../lib/json.ts";
import type { AnswerContext } from "../contract.ts";
import type { ChatAnswer, ContentPart, FinishReason } from "../form.ts";
import { decodeChatAnswer } from "./answer-decode.ts";
import { encodeChatAnswer } from "./answer-encode.ts";
import { ANSWERS } from "./corpus.test.ts";
import { decodeUsage, encodeUsage, readUsage } from "./usage.ts";

const CONTEXT: AnswerContext = { requestId: "req-1", model: "m", includeUsage: false };

for (const [name, body] of Object.entries(ANSWERS)) {
  test(`an answer comes back as it went: ${name}`, () => {
    assert.deepEqual(encodeChatAnswer(decodeChatAnswer(body), CONTEXT), body);
  });
}

function answerOf(message: JsonObject, choice: JsonObject = {}): ChatAnswer {
  return decodeChatAnswer({
    id: "x",
    created: 1,
    model: "m",
    choices: [{ index: 0, message, finish_reason: "stop", ...choice }],
  });
}

function withoutExtra(part: ContentPart): ContentPart {
  const bare = { ...part };
  delete bare.extra;
  return bare;
}

/** The content without what only this dialect says of it. */
function contentOf(message: JsonObject): ContentPart[] {
  return (answerOf(message).choices[0]?.content ?? []).map(withoutExtra);
}

test("answers of every kind of server are understood", () => {
  assert.deepEqual(contentOf({ content: "a", reasoning: "r" }), [
    { kind: "reasoning", text: "r" },
    { kind: "text", text: "a" },
  ]);
  assert.deepEqual(
    contentOf({
      content: [
        { type: "thinking", thinking: [{ type: "text", text: "r" }] },
        { type: "text", text: "a" },
      ],
    }),
    [
      { kind: "reasoning", text: "r" },
      { kind: "text", text: "a" },
    ],
  );
  assert.deepEqual(
    contentOf({ reasoning_content: "r", reasoning_details: [{ type: "reasoning.text", signature: "s" }] }),
    [{ kind: "reasoning", text: "r", signature: "s" }],
  );
  assert.deepEqual(
    contentOf({
      thinking_blocks: [
        { type: "thinking", thinking: "r", signature: "s" },
        { type: "redacted_thinking", data: "d" },
      ],
    }),
    [
      { kind: "reasoning", text: "r", signature: "s" },
      { kind: "reasoning", text: "", redacted: "d" },
    ],
  );
  assert.deepEqual(contentOf({ tool_calls: [{ id: "c", function: { name: "f", arguments: { a: 1 } } }] }), [
    { kind: "toolCall", id: "c", name: "f", arguments: '{"a":1}' },
  ]);
});

test("a tool call without an id gets one of its own", () => {
  const [first, second] = contentOf({
    tool_calls: [{ function: { name: "f" } }, { id: null, function: { name: "f" } }],
  });
  assert.ok(first?.kind === "toolCall" && second?.kind === "toolCall");
  assert.match(first.id, /^call_[0-9a-f]{24}$/);
  assert.notEqual(first.id, second.id);
});

test("candidates are put in order", () => {
  const answer = decodeChatAnswer({
    choices: [
      { index: 1, message: { content: "b" } },
      { index: 0, message: { content: "a" } },
    ],
  });
  assert.deepEqual(
    answer.choices.map(({ content: [part] }) => (part?.kind === "text" ? part.text : "")),
    ["a", "b"],
  );
});

test("an answer without candidates is none", () => {
  for (const body of [{}, { choices: [] }, { choices: null }, { choices: [7] }]) {
    assert.throws(() => decodeChatAnswer(body), { code: "upstream_invalid_answer" });
  }
});

test("why an answer ended is understood", () => {
  const cases: readonly (readonly [choice: JsonObject, FinishReason | null, string | undefined])[] = [
    [{ finish_reason: "length" }, "length", undefined],
    [{ finish_reason: "MAX_TOKENS" }, "length", undefined],
    [{ finish_reason: "content_filter" }, "content_filter", undefined],
    [{ finish_reason: "something new" }, "stop", undefined],
    [{ finish_reason: "" }, null, undefined],
    [{ finish_reason: null }, null, undefined],
    [{ finish_reason: "stop", stop_reason: "###" }, "stop_sequence", "###"],
    [{ finish_reason: "stop", matched_stop: "###" }, "stop_sequence", "###"],
    [{ finish_reason: "stop", stop_reason: 151645 }, "stop", undefined],
  ];
  for (const [choice, reason, sequence] of cases) {
    const [decoded] = answerOf({ content: "a" }, choice).choices;
    assert.deepEqual([decoded?.finishReason, decoded?.stopSequence], [reason, sequence], JSON.stringify(choice));
  }
  assert.equal(answerOf({ tool_calls: [{ id: "c", function: { name: "f" } }] }).choices[0]?.finishReason, "tool_calls");
});

test("another dialect's answer is put in this one's words", () => {
  const answer: ChatAnswer = {
    id: "",
    model: "claude",
    created: 5,
    choices: [
      {
        content: [
          { kind: "reasoning", text: "Look.", signature: "c2ln" },
          { kind: "reasoning", text: "", redacted: "cmVk" },
          { kind: "text", text: "Rome is " },
          {
            kind: "text",
            text: "old.",
            citations: [
              { type: "web_search_result_location", url: "https://example.com", title: "T" },
              { type: "char_location" },
            ],
          },
          { kind: "toolCall", id: "c", name: "f", arguments: "{}" },
        ],
        finishReason: "stop_sequence",
        stopSequence: "###",
      },
    ],
    usage: { promptTokens: 9, cachedTokens: 4, cacheWriteTokens: 2, completionTokens: 3, reasoningTokens: 1 },
    extra: { dialect: "anthropic", fields: { container: null } },
  };
  assert.deepEqual(encodeChatAnswer(answer, CONTEXT), {
    id: "chatcmpl-req-1",
    object: "chat.completion",
    created: 5,
    model: "m",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: "Rome is old.",
          refusal: null,
          reasoning_content: "Look.",
          reasoning_details: [
            { type: "reasoning.text", text: "Look.", signature: "c2ln", format: "anthropic-claude-v1", index: 0 },
            { type: "reasoning.encrypted", data: "cmVk", format: "anthropic-claude-v1", index: 1 },
          ],
          tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
          annotations: [
            {
              type: "url_citation",
              url_citation: { start_index: 8, end_index: 12, url: "https://example.com", title: "T" },
            },
          ],
          citations: [{ type: "char_location" }],
        },
        finish_reason: "stop",
        logprobs: null,
        stop_reason: "###",
      },
    ],
    usage: {
      prompt_tokens: 9,
      completion_tokens: 3,
      total_tokens: 12,
      prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 2 },
      completion_tokens_details: { reasoning_tokens: 1 },
    },
  });
});

test("every reason to end has a word", () => {
  const words: Record<FinishReason, string> = {
    stop: "stop",
    stop_sequence: "stop",
    length: "length",
    tool_calls: "tool_calls",
    content_filter: "content_filter",
    refusal: "content_filter",
    pause: "stop",
    context_overflow: "length",
  };
  for (const [reason, word] of Object.entries(words)) {
    const answer: ChatAnswer = {
      id: "x",
      model: "m",
      created: 1,
      choices: [{ content: [], finishReason: reason as FinishReason }],
    };
    const [choice] = encodeChatAnswer(answer, CONTEXT)["choices"] as JsonObject[];
    assert.equal(choice?.["finish_reason"], word);
  }
});

test("usage is understood whoever counted it", () => {
  const base = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 };
  const cases: readonly (readonly [usage: JsonObject, counts: readonly number[]])[] = [
    [base, [100, 0, 0, 10, 0]],
    [{ ...base, prompt_tokens_details: null }, [100, 0, 0, 10, 0]],
    [
      {
        ...base,
        prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 5 },
        completion_tokens_details: { reasoning_tokens: 4 },
      },
      [100, 60, 5, 10, 4],
    ],
    [{ ...base, prompt_cache_hit_tokens: 60 }, [100, 60, 0, 10, 0]],
    [{ ...base, cached_tokens: 60 }, [100, 60, 0, 10, 0]],
    [{ ...base, cache_read_input_tokens: 60, cache_creation_input_tokens: 7 }, [100, 60, 7, 10, 0]],
    [{ ...base, total_tokens: 114, completion_tokens_details: { reasoning_tokens: 4 } }, [100, 0, 0, 14, 4]],
    [{ prompt_tokens: 100, total_tokens: 100 }, [100, 0, 0, 0, 0]],
    [{ ...base, completion_tokens: -1 }, [100, 0, 0, 0, 0]],
  ];
  for (const [value, counts] of cases) {
    const usage = decodeUsage(value);
    assert.ok(usage !== undefined);
    const { promptTokens, cachedTokens, cacheWriteTokens, completionTokens, reasoningTokens } = usage;
    assert.deepEqual([promptTokens, cachedTokens, cacheWriteTokens, completionTokens, reasoningTokens], counts);
    assert.deepEqual(encodeUsage(usage), value);
  }
  for (const nothing of [undefined, null, {}, { prompt_tokens: "9" }, 7]) assert.equal(decodeUsage(nothing), undefined);
});

test("13: the usage of a whole answer is found without parsing the rest", () => {
  const usage = {
    prompt_tokens: 262_960,
    completion_tokens: 1744,
    total_tokens: 264_704,
    prompt_tokens_details: { cached_tokens: 257_955 },
  };
  const choices = [{ message: { content: 'a "usage": {"prompt_tokens": 1} \\', tool: '"usage"' } }];
  for (const body of [
    { usage, choices },
    { choices, usage },
    { choices, usage, x: "usage" },
    { choices, usage, late: { usage: null } },
  ]) {
    for (const indent of [0, 2]) {
      const found = readUsage(Buffer.from(JSON.stringify(body, null, indent)));
      assert.deepEqual([found?.promptTokens, found?.cachedTokens, found?.completionTokens], [262_960, 257_955, 1744]);
    }
  }
  for (const body of [
    "{}",
    "",
    '"usage"',
    '{"usage":',
    '{"usage":{',
    '{"usage":{"prompt_tokens":1',
    JSON.stringify({ choices }),
  ]) {
    assert.equal(readUsage(Buffer.from(body)), undefined, body);
  }
});

test("sound is part of the prompt and of the completion", () => {
  const usage = decodeUsage({
    prompt_tokens: 100,
    completion_tokens: 50,
    prompt_tokens_details: { cached_tokens: 10, audio_tokens: 60 },
    completion_tokens_details: { audio_tokens: 30 },
  });
  assert.deepEqual([usage?.promptTokens, usage?.audioPromptTokens], [100, 60]);
  assert.deepEqual([usage?.completionTokens, usage?.audioCompletionTokens], [50, 30]);
  assert.ok(!("audioPromptTokens" in (decodeUsage({ prompt_tokens: 1 }) ?? {})));
});
