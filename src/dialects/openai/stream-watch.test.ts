import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonObject } from "../../lib/json.ts";
import { WATCH } from "../contract.ts";
import { OpenaiStreamWatch } from "./stream-watch.ts";

const { content: CONTENT, usage: USAGE, complete: COMPLETE, error: ERROR, usageOnly: USAGE_ONLY } = WATCH;
const LAST = WATCH.complete | WATCH.end;

/** Masks of some events that lie one after another in one buffer. */
function masksOf(events: readonly string[], watch = new OpenaiStreamWatch()): number[] {
  const buffer = Buffer.from(events.join(""));
  let at = 0;
  return events.map((event) => {
    const start = at;
    at += Buffer.byteLength(event);
    return watch.event(buffer, start, at);
  });
}

const line = (value: JsonObject): string => `data: ${JSON.stringify(value)}\n\n`;

function chunk(delta: JsonObject, more: JsonObject = {}, index = 0, finish: string | null = null): string {
  return line({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1730000000,
    model: "m",
    choices: [{ index, delta, logprobs: null, finish_reason: finish }],
    ...more,
  });
}

const ROLE = chunk({ role: "assistant", content: "" });
const END = chunk({}, {}, 0, "stop");
const COUNTS = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };
const USAGE_CHUNK = line({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [],
  usage: COUNTS,
});
const DONE = "data: [DONE]\n\n";

test("the events of an ordinary stream", () => {
  const watch = new OpenaiStreamWatch();
  const words = ["He", "llo", ' "world"', " \\", "ünï", "."].map((content) => chunk({ content }));
  const masks = masksOf([ROLE, ...words, END, USAGE_CHUNK, DONE], watch);
  assert.deepEqual(masks.slice(0, -2), [0, ...words.map(() => CONTENT), COMPLETE]);
  assert.equal(masks.at(-2)! & (USAGE | USAGE_ONLY), USAGE | USAGE_ONLY);
  assert.equal(masks.at(-1), LAST);
  assert.equal(watch.contentEvents, words.length);
  assert.deepEqual([watch.usage?.promptTokens, watch.usage?.completionTokens], [9, 3]);
});

test("every kind of content ends the wait for the first token", () => {
  const deltas: readonly JsonObject[] = [
    { content: "a" },
    { reasoning_content: "a" },
    { reasoning: "a" },
    { reasoning_details: [{ type: "reasoning.text", text: "a" }] },
    { refusal: "a" },
    { tool_calls: [{ index: 0, id: "c", function: { name: "f", arguments: "" } }] },
    { function_call: { name: "f" } },
    { audio: { id: "a" } },
    { role: "assistant", content: "a" },
  ];
  for (const delta of deltas) assert.deepEqual(masksOf([ROLE, chunk(delta)]), [0, CONTENT], JSON.stringify(delta));
  assert.deepEqual(
    masksOf([line({ object: "text_completion", choices: [{ index: 0, text: "a", finish_reason: null }] })]),
    [CONTENT],
  );
  const nothing: readonly JsonObject[] = [
    {},
    { content: "" },
    { content: null },
    { role: "assistant", tool_calls: [], refusal: null },
  ];
  for (const delta of nothing) assert.deepEqual(masksOf([chunk(delta)]), [0], JSON.stringify(delta));
});

test("what matters is seen after any number of ordinary events", () => {
  const ordinary = Array.from({ length: 20 }, (_, index) => chunk({ content: `w${index}` }));
  const cases: readonly (readonly [event: string, mask: number])[] = [
    [END, COMPLETE],
    [chunk({ content: "a" }, {}, 0, "stop"), CONTENT | COMPLETE],
    [chunk({ content: "a" }, { usage: COUNTS }), CONTENT | USAGE],
    [chunk({ content: "a" }, { usage: null }), CONTENT],
    [chunk({ content: "a" }, {}, 0, ""), CONTENT],
    [line({ error: { message: "no" } }), ERROR],
    [`event: error\ndata: {"message":"no"}\n\n`, ERROR],
    [line({ object: "error", message: "no" }), ERROR],
    [chunk({ content: "a" }, { error: null }), CONTENT],
    [chunk({ content: "error" }), CONTENT],
    [chunk({ content: '"usage":{"prompt_tokens":1}' }), CONTENT],
    [chunk({ content: '","finish_reason":"stop","x":"' }), CONTENT],
    [chunk({ content: "[DONE]" }), CONTENT],
    [chunk({ content: "" }), 0],
    [DONE, LAST],
    ["data:[DONE]\n\n", LAST],
    ["data: [DONE]\r\n\r\n", LAST],
    [": ping\n\n", 0],
    [":\n\n", 0],
    ["\n", 0],
    ["\r\n", 0],
    [": ping\ndata: [DONE]\n\n", LAST],
    ["data: not json\n\n", 0],
    ["event: ping\ndata:\n\n", 0],
    ['data: {"choices":[],\ndata: "usage":{"prompt_tokens":9,"completion_tokens":3}}\n\n', USAGE | USAGE_ONLY],
    ['data:{"usage": {"prompt_tokens": 9, "completion_tokens": 3}, "choices": []}\r\n\r\n', USAGE | USAGE_ONLY],
    [
      'id: 7\ndata: {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n',
      CONTENT | COMPLETE,
    ],
  ];
  for (const [event, mask] of cases) {
    const watch = new OpenaiStreamWatch();
    assert.deepEqual(masksOf([...ordinary, event], watch).at(-1), mask, event);
    assert.equal(watch.contentEvents, ordinary.length + ((mask & CONTENT) === 0 ? 0 : 1), event);
  }
});

test("the error of a stream is told", () => {
  const watch = new OpenaiStreamWatch();
  masksOf([ROLE, line({ error: { message: "at 10.0.0.1:80", type: "server_error", code: 500 } })], watch);
  assert.deepEqual(watch.error, {
    status: 500,
    message: "at [address]",
    type: "server_error",
    code: null,
    param: null,
  });
});

test("[DONE] alone is no answer", () => {
  assert.deepEqual(masksOf([DONE]), [0]);
  assert.deepEqual(masksOf([": hello\n\n", DONE]), [0, 0]);
  assert.deepEqual(masksOf([ROLE, DONE]), [0, LAST]);
});

test("without [DONE], all candidates must have ended", () => {
  const events = [0, 1, 0, 1].map((index) => chunk({ content: "a" }, {}, index));
  const masks = masksOf([...events, chunk({}, {}, 0, "stop"), chunk({}, {}, 1, "length")]);
  assert.deepEqual(masks, [CONTENT, CONTENT, CONTENT, CONTENT, 0, COMPLETE]);
});

/** The watch that parses everything. */
function slowMask(event: string): number {
  const data = event
    .split(/\r?\n/)
    .filter((field) => field.startsWith("data:"))
    .map((field) => field.slice(5).replace(/^ /, ""))
    .join("\n");
  if (data === "[DONE]") return LAST;
  if (data === "") return 0;
  const value = JSON.parse(data) as {
    choices?: { delta: JsonObject; finish_reason: string | null }[];
    usage?: JsonObject | null;
  };
  let mask = 0;
  for (const choice of value.choices ?? []) {
    if (Object.entries(choice.delta).some(([key, part]) => key !== "role" && part !== "" && part !== null))
      mask |= CONTENT;
    if (choice.finish_reason !== null) mask |= COMPLETE;
  }
  if (value.usage !== undefined && value.usage !== null) {
    mask |= USAGE | ((value.choices ?? []).length === 0 ? USAGE_ONLY : 0);
  }
  return mask;
}

const word = fc.oneof(
  fc.string({ maxLength: 8, unit: "binary" }).filter((value) => value.isWellFormed()),
  fc.constantFrom(
    '"usage":{',
    '"finish_reason":"stop"',
    "error",
    "[DONE]",
    "\n\ndata: x",
    "",
    '\\"',
    '"},"finish_reason":"stop","x":{"a":"',
  ),
);
const delta = fc.oneof(
  word.map((content) => ({ content })),
  word.map((reasoning) => ({ reasoning_content: reasoning })),
  word.map((reasoning) => ({ reasoning, reasoning_content: reasoning })),
  word.map((content) => ({ role: "assistant", content })),
  word.map((text) => ({ tool_calls: [{ index: 1, function: { arguments: text } }] })),
);
const events = fc.record({
  delta,
  finish: fc.option(fc.constantFrom("stop", "length"), { freq: 9 }),
  usage: fc.option(fc.constantFrom({ prompt_tokens: 9, completion_tokens: 3 }), { freq: 5 }),
  padding: fc.option(fc.string({ maxLength: 5, unit: fc.constantFrom("a", "b") })),
  frame: fc.constantFrom("data: ", "data:", ": note\ndata: ", "id: 1\nevent: message\ndata: "),
  lineEnd: fc.constantFrom("\n", "\r\n"),
  indent: fc.constantFrom(0, 1),
});

test("12: comparing, searching and parsing give the same as parsing alone", () => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 30 }), fc.boolean(), (list, sameFrame) => {
      const texts = list.map((one) => {
        const { frame, lineEnd, indent } = sameFrame ? (list[0] ?? one) : one;
        const value = {
          id: "x",
          choices: [{ index: 0, delta: one.delta, finish_reason: one.finish }],
          usage: one.usage,
          ...(one.padding === null ? {} : { obfuscation: one.padding }),
        };
        const json = indent === 0 ? JSON.stringify(value) : spaced(JSON.stringify(value, null, 1));
        return `${frame}${json}`.replaceAll("\n", lineEnd) + lineEnd + lineEnd;
      });
      const masks = masksOf(texts);
      let ended = false;
      texts.forEach((text, index) => {
        const expected = slowMask(text);
        ended ||= (expected & COMPLETE) !== 0;
        const late = ended ? COMPLETE : 0;
        // once the end was seen it may be told again
        assert.equal((masks[index] ?? 0) | late, expected | late, text);
      });
    }),
    { numRuns: 150 },
  );
});

/** JSON in one line with a space after each colon and comma, as some servers write it. */
function spaced(json: string): string {
  return json.replaceAll(/\n +/g, " ").replaceAll("\n", "");
}
