import assert from "node:assert/strict";
import { test } from "node:test";
import { foldEvents } from "./fold.ts";
import type { ChatEvent } from "./form.ts";

test("parts keep the order of their first appearance while their pieces interleave", () => {
  const events: ChatEvent[] = [
    { kind: "start", id: "a", model: "m", created: 7 },
    { kind: "reasoning", choice: 0, part: 0, text: "hm" },
    { kind: "signature", choice: 0, part: 0, signature: "s1" },
    { kind: "partEnd", choice: 0, part: 0 },
    { kind: "text", choice: 0, part: 1, text: "Hel" },
    { kind: "text", choice: 0, part: 1, text: "lo" },
    { kind: "toolCallStart", choice: 0, part: 2, id: "c1", name: "f" },
    { kind: "toolCallStart", choice: 0, part: 3, id: "c2", name: "g" },
    { kind: "toolCallArguments", choice: 0, part: 3, text: "{}" },
    { kind: "toolCallArguments", choice: 0, part: 2, text: '{"a":1}' },
    { kind: "text", choice: 1, part: 0, text: "other" },
    { kind: "finish", choice: 0, finishReason: "tool_calls" },
    { kind: "ping" },
    { kind: "end" },
  ];
  assert.deepEqual(foldEvents(events), {
    id: "a",
    model: "m",
    created: 7,
    choices: [
      {
        content: [
          { kind: "reasoning", text: "hm", signature: "s1" },
          { kind: "text", text: "Hello" },
          { kind: "toolCall", id: "c1", name: "f", arguments: '{"a":1}' },
          { kind: "toolCall", id: "c2", name: "g", arguments: "{}" },
        ],
        finishReason: "tool_calls",
      },
      { content: [{ kind: "text", text: "other" }], finishReason: null },
    ],
  });
});

test("a stream that reports an error has no answer", () => {
  const events: ChatEvent[] = [{ kind: "error", status: 529, type: "overloaded_error", message: "Overloaded" }];
  assert.throws(() => foldEvents(events), { code: "upstream_stream_broken", message: "Overloaded" });
});
