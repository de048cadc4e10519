import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import { parseSseEvent, SseSplitter } from "../../lib/sse.ts";
import type { AnswerContext } from "../contract.ts";
import { foldEvents } from "../fold.ts";
import type { ChatAnswer, ChatEvent, ContentPart } from "../form.ts";
import { decodeChatAnswer } from "./answer-decode.ts";
import { encodeChatAnswer } from "./answer-encode.ts";
import { OpenaiStreamDecoder } from "./stream-decode.ts";
import { OpenaiStreamEncoder } from "./stream-encode.ts";

const CONTEXT: AnswerContext = { requestId: "req-1", model: "m", includeUsage: true };

function decodeText(text: string): ChatEvent[] {
  const decoder = new OpenaiStreamDecoder();
  const events: ChatEvent[] = [];
  new SseSplitter(1_000_000).push(Buffer.from(text), (buffer, start, end) => {
    const { event, data } = parseSseEvent(buffer, start, end);
    decoder.decode(event, data, events);
  });
  return events;
}

/** The events of a stream of one candidate's deltas. */
function decodeDeltas(deltas: readonly JsonObject[], finish: string | null = "stop"): ChatEvent[] {
  const chunks = deltas.map((delta) => ({
    id: "x",
    created: 1,
    model: "m",
    choices: [{ index: 0, delta, finish_reason: null }],
  }));
  const last = { id: "x", created: 1, model: "m", choices: [{ index: 0, delta: {}, finish_reason: finish }] };
  return decodeText(
    [...chunks, last].map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("") + "data: [DONE]\n\n",
  );
}

function withoutExtra(part: ContentPart): ContentPart {
  const bare = { ...part };
  delete bare.extra;
  return bare;
}

/** Content without what only this dialect says of it. */
function contentOf(events: readonly ChatEvent[]): ContentPart[] {
  return (foldEvents(events).choices[0]?.content ?? []).map(withoutExtra);
}

function encodeAll(events: readonly ChatEvent[], context = CONTEXT): string {
  const encoder = new OpenaiStreamEncoder(context);
  return events.map((event) => encoder.encode(event)).join("");
}

/** The chunks of a stream's text. */
function chunksOf(text: string): JsonValue[] {
  return text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => (event === "data: [DONE]" ? "[DONE]" : (JSON.parse(event.replace(/^data: /, "")) as JsonValue)));
}

const call = (
  index: number | undefined,
  id: string | undefined,
  name: string | undefined,
  text: JsonValue,
): JsonObject => {
  const value: JsonObject = {
    type: "function",
    function: { ...(name === undefined ? {} : { name }), arguments: text },
  };
  if (index !== undefined) value["index"] = index;
  if (id !== undefined) value["id"] = id;
  return { tool_calls: [value] };
};

const TWO_CALLS: readonly ContentPart[] = [
  { kind: "toolCall", id: "a", name: "f", arguments: '{"x":1}' },
  { kind: "toolCall", id: "b", name: "g", arguments: '{"y":2}' },
];

const CALL_STREAMS: Readonly<Record<string, readonly JsonObject[]>> = {
  "as OpenAI sends them": [
    call(0, "a", "f", ""),
    call(0, undefined, undefined, '{"x"'),
    call(0, undefined, undefined, ":1}"),
    call(1, "b", "g", ""),
    call(1, undefined, undefined, '{"y":2}'),
  ],
  interleaved: [
    call(0, "a", "f", '{"x"'),
    call(1, "b", "g", '{"y"'),
    call(0, undefined, undefined, ":1}"),
    call(1, undefined, undefined, ":2}"),
  ],
  "whole, in one chunk each": [call(0, "a", "f", '{"x":1}'), call(1, "b", "g", '{"y":2}')],
  "whole, all in one chunk": [
    {
      tool_calls: [
        ...(call(0, "a", "f", '{"x":1}')["tool_calls"] as JsonValue[]),
        ...(call(1, "b", "g", '{"y":2}')["tool_calls"] as JsonValue[]),
      ],
    },
  ],
  "without an index": [
    call(undefined, "a", "f", '{"x"'),
    call(undefined, "a", undefined, ":1}"),
    call(undefined, "b", "g", '{"y":2}'),
  ],
  "all with index 0": [call(0, "a", "f", '{"x":1}'), call(0, "b", "g", '{"y":2}')],
  "with id and name in every chunk": [
    call(0, "a", "f", '{"x"'),
    call(0, "a", "f", ":1}"),
    call(1, "b", "g", '{"y"'),
    call(1, "b", "g", ":2}"),
  ],
  "with an empty id later": [call(0, "a", "f", '{"x"'), call(0, "", "", ":1}"), call(1, "b", "g", '{"y":2}')],
  "with the name after the id": [
    call(0, "a", undefined, ""),
    call(0, undefined, "f", '{"x":1}'),
    call(1, "b", "g", '{"y":2}'),
  ],
  "with arguments as an object": [call(0, "a", "f", { x: 1 }), call(1, "b", "g", { y: 2 })],
};

for (const [name, deltas] of Object.entries(CALL_STREAMS)) {
  test(`17: parallel tool calls ${name} are the same calls`, () => {
    const events = decodeDeltas([{ role: "assistant", content: null }, ...deltas], "tool_calls");
    assert.deepEqual(contentOf(events), TWO_CALLS);
    const again = decodeText(encodeAll(events));
    assert.deepEqual(contentOf(again), TWO_CALLS);
  });
}

test("a tool call without any id gets one, and only one", () => {
  const events = decodeDeltas([call(0, undefined, "f", "{"), call(0, undefined, undefined, "}")], "tool_calls");
  const [part] = contentOf(events);
  assert.ok(part?.kind === "toolCall");
  assert.match(part.id, /^call_[0-9a-f]{24}$/);
  assert.equal(part.arguments, "{}");
});

test("parts follow from the order of the deltas", () => {
  const deltas = [
    { role: "assistant", content: "" },
    { reasoning_content: "Lo" },
    { reasoning_content: "ok.", content: null },
    { content: "He" },
    { content: "llo", reasoning_content: "" },
    { refusal: "No." },
  ];
  assert.deepEqual(contentOf(decodeDeltas(deltas)), [
    { kind: "reasoning", text: "Look." },
    { kind: "text", text: "Hello" },
    { kind: "refusal", text: "No." },
  ]);
});

test("reasoning is read in every word, and no text twice", () => {
  const signed = [
    { kind: "reasoning", text: "Look.", signature: "c2ln" },
    { kind: "text", text: "Hi" },
  ];
  const streams: readonly (readonly JsonObject[])[] = [
    // OpenRouter: the text in both, the signature on its own
    [
      { reasoning: "Lo", reasoning_details: [{ type: "reasoning.text", text: "Lo", index: 0 }] },
      { reasoning: "ok.", reasoning_details: [{ type: "reasoning.text", text: "ok.", index: 0 }] },
      { reasoning_details: [{ type: "reasoning.text", signature: "c2ln", index: 0 }] },
    ],
    // another Sluice: the whole text again beside the signature
    [
      { reasoning_content: "Lo" },
      { reasoning_content: "ok." },
      { reasoning_details: [{ type: "reasoning.text", text: "Look.", signature: "c2ln", index: 0 }] },
    ],
    // LiteLLM
    [
      { reasoning_content: "Look.", thinking_blocks: [{ type: "thinking", thinking: "Look." }] },
      { thinking_blocks: [{ type: "thinking", thinking: "", signature: "c2ln" }] },
    ],
    // both names of one text
    [
      { reasoning_content: "Look.", reasoning: "Look." },
      { reasoning_details: [{ type: "reasoning.text", signature: "c2ln" }] },
    ],
  ];
  for (const deltas of streams) {
    const events = decodeDeltas([{ role: "assistant" }, ...deltas, { content: "Hi" }]);
    assert.deepEqual(contentOf(events), signed);
    assert.deepEqual(contentOf(decodeText(encodeAll(events))), signed);
  }
});

test("16: signed and redacted thinking goes through a stream byte for byte", () => {
  const events: ChatEvent[] = [
    { kind: "start", id: "msg_1", model: "claude", created: 5 },
    { kind: "reasoning", choice: 0, part: 0, text: "One" },
    { kind: "signature", choice: 0, part: 0, signature: "c2lnMQ==" },
    { kind: "partEnd", choice: 0, part: 0 },
    { kind: "redactedReasoning", choice: 0, part: 1, data: "cmVk" },
    { kind: "partEnd", choice: 0, part: 1 },
    { kind: "text", choice: 0, part: 2, text: "Hm" },
    { kind: "partEnd", choice: 0, part: 2 },
    { kind: "reasoning", choice: 0, part: 3, text: "Two" },
    { kind: "signature", choice: 0, part: 3, signature: "c2lnMg==" },
    { kind: "partEnd", choice: 0, part: 3 },
    { kind: "toolCallStart", choice: 0, part: 4, id: "c", name: "f" },
    { kind: "toolCallArguments", choice: 0, part: 4, text: "{}" },
    { kind: "partEnd", choice: 0, part: 4 },
    { kind: "finish", choice: 0, finishReason: "tool_calls" },
    { kind: "end" },
  ];
  const text = encodeAll(events);
  const again = contentOf(decodeText(text));
  assert.deepEqual(again, foldEvents(events).choices[0]?.content);
  const lists = chunksOf(text).flatMap((chunk) => {
    const { reasoning_details: details } = deltaOf(chunk);
    return Array.isArray(details) ? [details] : [];
  });
  // an SDK that keeps only the last list of a field has all of a run all the same
  assert.deepEqual(
    lists.map((list) => list.map((entry) => (entry as JsonObject)["index"])),
    [[0, 1], [3]],
  );
});

function deltaOf(chunk: JsonValue): JsonObject {
  if (typeof chunk !== "object" || chunk === null || Array.isArray(chunk)) return {};
  const [choice] = (chunk["choices"] ?? []) as JsonObject[];
  return (choice?.["delta"] ?? {}) as JsonObject;
}

test("a stream in this dialect's words", () => {
  const events: ChatEvent[] = [
    {
      kind: "start",
      id: "msg_1",
      model: "claude",
      created: 5,
      usage: { promptTokens: 9, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 1, reasoningTokens: 0 },
    },
    { kind: "ping" },
    { kind: "text", choice: 0, part: 0, text: "Hi" },
    { kind: "partEnd", choice: 0, part: 0 },
    { kind: "finish", choice: 0, finishReason: "stop" },
    {
      kind: "usage",
      usage: { promptTokens: 9, cachedTokens: 4, cacheWriteTokens: 0, completionTokens: 2, reasoningTokens: 0 },
    },
    { kind: "end" },
    { kind: "end" },
  ];
  const head = { id: "msg_1", object: "chat.completion.chunk", created: 5, model: "m" };
  const chunk = (delta: JsonObject, finish: string | null): JsonObject => ({
    ...head,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    usage: null,
  });
  const expected = [
    chunk({ role: "assistant", content: "", refusal: null }, null),
    chunk({ content: "Hi" }, null),
    chunk({}, "stop"),
    {
      ...head,
      choices: [],
      usage: {
        prompt_tokens: 9,
        completion_tokens: 2,
        total_tokens: 11,
        prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0 },
      },
    },
    "[DONE]",
  ];
  assert.deepEqual(chunksOf(encodeAll(events)), expected);
  const unasked = chunksOf(encodeAll(events, { ...CONTEXT, includeUsage: false }));
  assert.deepEqual(
    unasked,
    [...expected.slice(0, 3), "[DONE]"].map((value) => {
      if (typeof value === "string") return value;
      const { usage: _, ...rest } = value;
      return rest;
    }),
  );
});

test("1: nothing is written before there is something to say; an error ends the stream without [DONE]", () => {
  const encoder = new OpenaiStreamEncoder(CONTEXT);
  assert.equal(encoder.encode({ kind: "start", id: "x", model: "y", created: 1 }), "");
  assert.equal(encoder.encode({ kind: "ping" }), "");
  const text = encoder.encode({ kind: "error", status: 529, type: "overloaded_error", message: "Overloaded" });
  assert.deepEqual(chunksOf(text), [
    { error: { message: "Overloaded", type: "server_error", param: null, code: null } },
  ]);
  assert.equal(encoder.encode({ kind: "end" }), "");
});

test("citations come at the end of their candidate", () => {
  const events: ChatEvent[] = [
    { kind: "start", id: "x", model: "y", created: 1 },
    { kind: "text", choice: 0, part: 0, text: "Rome is " },
    { kind: "partEnd", choice: 0, part: 0 },
    {
      kind: "citation",
      choice: 0,
      part: 1,
      citation: { type: "web_search_result_location", url: "https://example.com", title: "T" },
    },
    { kind: "text", choice: 0, part: 1, text: "old." },
    { kind: "citation", choice: 0, part: 1, citation: { type: "page_location" } },
    { kind: "partEnd", choice: 0, part: 1 },
    { kind: "finish", choice: 0, finishReason: "stop" },
  ];
  assert.deepEqual(deltaOf(chunksOf(encodeAll(events)).at(-2) ?? null), {
    annotations: [
      { type: "url_citation", url_citation: { start_index: 8, end_index: 12, url: "https://example.com", title: "T" } },
    ],
    citations: [{ type: "page_location" }],
  });
});

test("what the form has no event for comes through", () => {
  const head = {
    id: "x",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    system_fingerprint: "fp",
    provider: "P",
  };
  const logprob = (token: string): JsonObject => ({
    content: [{ token, logprob: -0.1, bytes: null, top_logprobs: [] }],
    refusal: null,
  });
  const chunks: JsonObject[] = [
    {
      ...head,
      choices: [{ index: 0, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }],
    },
    {
      ...head,
      choices: [{ index: 0, delta: { content: "a" }, logprobs: logprob("a"), finish_reason: null, token_ids: [1] }],
      obfuscation: "zzz",
    },
    {
      ...head,
      choices: [{ index: 0, delta: { content: "b" }, logprobs: logprob("b"), finish_reason: null, token_ids: [2, 3] }],
    },
    { ...head, choices: [{ index: 0, delta: { audio: { id: "au", transcript: "He" } }, finish_reason: null }] },
    { ...head, choices: [{ index: 0, delta: { audio: { transcript: "llo", data: "AA" } }, finish_reason: null }] },
    {
      ...head,
      choices: [{ index: 0, delta: {}, finish_reason: "insufficient_system_resource", native_finish_reason: "x" }],
      service_tier: "flex",
    },
    { ...head, choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3, cost: 0.1 } },
  ];
  const text = `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("")}data: [DONE]\n\n`;
  const expected = {
    ...head,
    object: "chat.completion",
    service_tier: "flex",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "ab", audio: { id: "au", transcript: "Hello", data: "AA" } },
        logprobs: {
          content: [...(logprob("a")["content"] as JsonValue[]), ...(logprob("b")["content"] as JsonValue[])],
          refusal: null,
        },
        finish_reason: "insufficient_system_resource",
        native_finish_reason: "x",
        token_ids: [1, 2, 3],
      },
    ],
    usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3, cost: 0.1 },
  };
  const events = decodeText(text);
  assert.deepEqual(encodeChatAnswer(foldEvents(events), CONTEXT), expected);
  assert.deepEqual(encodeChatAnswer(foldEvents(decodeText(encodeAll(events))), CONTEXT), expected);
});

test("several candidates are told apart", () => {
  const chunk = (index: number, delta: JsonObject, finish: string | null): string =>
    `data: ${JSON.stringify({ id: "x", created: 1, model: "m", choices: [{ index, delta, finish_reason: finish }] })}\n\n`;
  const text =
    chunk(0, { content: "a" }, null) +
    chunk(1, { content: "x" }, null) +
    chunk(0, { content: "b" }, "stop") +
    chunk(1, { content: "y" }, "length");
  const decoder = new OpenaiStreamDecoder();
  const events: ChatEvent[] = [];
  const completeAfter: boolean[] = [];
  for (const event of text.split("\n\n").slice(0, -1)) {
    decoder.decode("", event.replace(/^data: /, ""), events);
    completeAfter.push(decoder.complete);
  }
  assert.deepEqual(completeAfter, [false, false, false, true]);
  const { choices } = foldEvents(events);
  assert.deepEqual(
    choices.map(({ content: [part], finishReason }) => [part?.kind === "text" ? part.text : "", finishReason]),
    [
      ["ab", "stop"],
      ["xy", "length"],
    ],
  );
});

test("a stream may end in several ways", () => {
  const done = decodeDeltas([{ content: "a" }], "");
  assert.deepEqual(
    done.slice(-3).map(({ kind }) => kind),
    ["partEnd", "finish", "end"],
  );
  assert.equal(foldEvents(done).choices[0]?.finishReason, "stop");
  const decoder = new OpenaiStreamDecoder();
  const events: ChatEvent[] = [];
  decoder.decode("", '{"id":"x","choices":[{"index":0,"delta":{"content":"a"}}]}', events);
  assert.equal(decoder.complete, false);
  decoder.decode("", '{"error":{"message":"out of memory","code":500}}', events);
  assert.deepEqual(events.at(-1), { kind: "error", status: 500, type: "server_error", message: "out of memory" });
  decoder.decode("", '{"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', events);
  assert.equal(decoder.complete, false, "an answer that failed is not complete");
});

test("Azure's first chunk, which names no answer, does not start one", () => {
  const events = decodeText(
    'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}\n\n' +
      'data: {"choices":[{"delta":{"content":"a"},"index":0,"finish_reason":null}],"created":7,"id":"x","model":"m"}\n\n',
  );
  assert.deepEqual(events[0], {
    kind: "start",
    id: "x",
    model: "m",
    created: 7,
    extra: { dialect: "openai", fields: { prompt_filter_results: [{ prompt_index: 0 }] } },
  });
});

test("an event that is no chunk is refused", () => {
  for (const data of ["hello", "[1]", "7", '{"id":']) {
    assert.throws(() => new OpenaiStreamDecoder().decode("", data, []), { code: "upstream_invalid_answer" });
  }
});

const text = fc.string({ minLength: 1, maxLength: 20, unit: "binary" }).filter((value) => value.isWellFormed());
const reasoning = fc.record(
  { kind: fc.constant("reasoning" as const), text, signature: fc.base64String({ minLength: 4, maxLength: 12 }) },
  { requiredKeys: ["kind", "text"], noNullPrototype: true },
);
const toolCall = fc.record(
  {
    kind: fc.constant("toolCall" as const),
    id: fc.uuid(),
    name: fc.stringMatching(/^[a-z]{1,8}$/),
    arguments: fc.json({ maxDepth: 2 }),
  },
  { noNullPrototype: true },
);
const answers = fc.record({
  reasoning: fc.option(reasoning),
  text: fc.option(text),
  calls: fc.array(toolCall, { maxLength: 3 }),
});

/** The answer's events, its texts cut into pieces and its tool calls interleaved. */
function eventsOf(content: readonly ContentPart[], pieceLength: number): ChatEvent[] {
  const events: ChatEvent[] = [{ kind: "start", id: "x", model: "m", created: 1 }];
  const waiting: ChatEvent[][] = [];
  content.forEach((part, index) => {
    const at = { choice: 0, part: index };
    const pieces =
      "arguments" in part ? cut(part.arguments, pieceLength) : "text" in part ? cut(part.text, pieceLength) : [];
    if (part.kind === "toolCall") {
      events.push({ kind: "toolCallStart", ...at, id: part.id, name: part.name });
      waiting.push(pieces.map((piece) => ({ kind: "toolCallArguments", ...at, text: piece })));
    } else if (part.kind === "reasoning" || part.kind === "text") {
      const { kind } = part;
      for (const piece of pieces) events.push({ kind, ...at, text: piece });
      if (part.kind === "reasoning" && part.signature !== undefined) {
        events.push({ kind: "signature", ...at, signature: part.signature });
      }
      events.push({ kind: "partEnd", ...at });
    }
  });
  const longest = Math.max(0, ...waiting.map((pieces) => pieces.length));
  for (let step = 0; step < longest; step++) for (const pieces of waiting) if (pieces[step]) events.push(pieces[step]!);
  events.push({ kind: "finish", choice: 0, finishReason: waiting.length > 0 ? "tool_calls" : "stop" }, { kind: "end" });
  return events;
}

function cut(value: string, length: number): string[] {
  const points = [...value];
  const pieces: string[] = [];
  for (let at = 0; at < points.length; at += length) pieces.push(points.slice(at, at + length).join(""));
  return pieces;
}

test("12: a streamed answer is the same as the whole one, wherever the bytes are split", () => {
  fc.assert(
    fc.property(
      answers,
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 40 }),
      (parts, pieceLength, chunkBytes) => {
        const content: ContentPart[] = [];
        if (parts.reasoning !== null) content.push(parts.reasoning);
        if (parts.text !== null) content.push({ kind: "text", text: parts.text });
        content.push(...parts.calls);
        const finishReason = parts.calls.length > 0 ? "tool_calls" : "stop";
        const whole: ChatAnswer = { id: "x", model: "m", created: 1, choices: [{ content, finishReason }] };
        const stream = Buffer.from(encodeAll(eventsOf(content, pieceLength)));
        const decoder = new OpenaiStreamDecoder();
        const splitter = new SseSplitter(1_000_000);
        const events: ChatEvent[] = [];
        for (let at = 0; at < stream.length; at += chunkBytes) {
          splitter.push(stream.subarray(at, at + chunkBytes), (buffer, start, end) => {
            const { event, data } = parseSseEvent(buffer, start, end);
            decoder.decode(event, data, events);
          });
        }
        assert.ok(decoder.complete);
        const streamed = encodeChatAnswer(foldEvents(events), CONTEXT);
        const direct = encodeChatAnswer(decodeChatAnswer(encodeChatAnswer(whole, CONTEXT)), CONTEXT);
        assert.deepEqual(messageOf(streamed), messageOf(direct));
        assert.deepEqual(contentOf(events), content);
      },
    ),
    { numRuns: 80 },
  );
});

/** The message of the first candidate, apart from nulls that only a whole answer writes. */
function messageOf(body: JsonObject): JsonObject {
  const [choice] = body["choices"] as JsonObject[];
  const message = choice?.["message"] as JsonObject;
  return Object.fromEntries(Object.entries(message).filter(([key, value]) => value !== null || key === "content"));
}
