import { MessageStream } from "@anthropic-ai/sdk/lib/MessageStream";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../lib/json.ts";
import { parseSseEvent, SseSplitter } from "../../lib/sse.ts";
import { foldEvents } from "../fold.ts";
import type { ChatAnswer, ChatEvent } from "../form.ts";
import { isObject } from "./fields.ts";
import { decodeChatAnswer } from "./answer-decode.ts";
import { encodeChatAnswer } from "./answer-encode.ts";
import { MAX_OPAQUE_CHARACTERS, createStreamDecoder } from "./stream-decode.ts";
import { MAX_WAITING_CHARACTERS, createStreamEncoder } from "./stream-encode.ts";
import { STREAM_EVENTS, sseText } from "./stream-corpus.test.ts";

const CONTEXT = { requestId: "req-1", model: "claude-opus-4-8", includeUsage: true };

function decode(bytes: Buffer, chunkBytes = bytes.length): ChatEvent[] {
  const splitter = new SseSplitter(1_000_000);
  const decoder = createStreamDecoder();
  const events: ChatEvent[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    splitter.push(bytes.subarray(at, at + chunkBytes), (buffer, start, end) => {
      const { event, data } = parseSseEvent(buffer, start, end);
      decoder.decode(event, data, events);
    });
  }
  assert.equal(decoder.complete, true);
  return events;
}

function encode(events: readonly ChatEvent[]): string {
  const encoder = createStreamEncoder(CONTEXT);
  return events.map((event) => encoder.encode(event)).join("");
}

/** The data of each SSE event; checks that `event:` names its type. */
function dataOf(text: string): JsonObject[] {
  return text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => {
      const [name = "", data = "", ...more] = event.split("\n");
      assert.deepEqual(more, []);
      const value = JSON.parse(data.replace(/^data: /, "")) as JsonObject;
      assert.equal(name, `event: ${String(value["type"])}`);
      return value;
    });
}

/** What the official SDK makes of a stream. */
async function sdkMessage(events: readonly JsonObject[]): Promise<unknown> {
  const lines = events.map((event) => `${JSON.stringify(event)}\n`).join("");
  const stream = MessageStream.fromReadableStream(new Blob([lines]).stream() as never);
  const { parsed_output: _, ...message } = await stream.finalMessage();
  return JSON.parse(JSON.stringify(message));
}

function timeless(answer: ChatAnswer): ChatAnswer {
  return { ...answer, created: 0 };
}

for (const [name, events] of Object.entries(STREAM_EVENTS)) {
  const bytes = Buffer.from(sseText(events));

  test(`a stream comes back as it went, as the official SDK sees it: ${name}`, async () => {
    const before = await sdkMessage(events);
    const after = await sdkMessage(dataOf(encode(decode(bytes))).filter((event) => event["type"] !== "ping"));
    assert.deepEqual(after, before);
  });

  test(`the folded stream is the whole answer: ${name}`, async () => {
    const whole = (await sdkMessage(events)) as JsonObject;
    const answer = foldEvents(decode(bytes));
    assert.deepEqual(encodeChatAnswer(answer, CONTEXT), encodeChatAnswer(decodeChatAnswer(whole), CONTEXT));
  });

  test(`acceptance 12: split at every byte, LF, CRLF, with comments: ${name}`, () => {
    const expected = timeless(foldEvents(decode(bytes)));
    const text = bytes.toString();
    for (const variant of [
      text,
      text.replaceAll("\n", "\r\n"),
      text.replaceAll("\nevent", "\n: hm\nevent").replace(/data: \{/g, "data: {\ndata: "),
    ]) {
      const variantBytes = Buffer.from(variant);
      assert.deepEqual(timeless(foldEvents(decode(variantBytes, 1))), expected);
      assert.deepEqual(timeless(foldEvents(decode(variantBytes, 7))), expected);
    }
  });

  test(`blocks follow one another with indexes that count up: ${name}`, () => {
    checkBlocks(dataOf(encode(decode(bytes))));
  });
}

/** Exactly one block is open at a time, and the frame is right. */
function checkBlocks(events: readonly JsonObject[]): void {
  let index = -1;
  let open = false;
  for (const event of events) {
    const type = String(event["type"]);
    if (type === "content_block_start") {
      assert.equal(open, false, "the block before is closed");
      assert.equal(event["index"], ++index);
      open = true;
    } else if (type.startsWith("content_block_")) {
      assert.equal(open, true, type);
      assert.equal(event["index"], index);
      if (type === "content_block_stop") open = false;
    } else if (type === "message_delta") {
      assert.equal(open, false);
    }
  }
  const types = events.map((event) => String(event["type"])).filter((type) => type !== "ping");
  assert.equal(types[0], "message_start");
  assert.deepEqual(types.slice(-2), ["message_delta", "message_stop"]);
  assert.equal(types.filter((type) => type === "message_start").length, 1);
}

const START: ChatEvent = { kind: "start", id: "chatcmpl-1", model: "gpt-4o", created: 1 };
const USAGE = { promptTokens: 20, cachedTokens: 5, cacheWriteTokens: 0, completionTokens: 7, reasoningTokens: 2 };

function text(part: number, words: string): ChatEvent {
  return { kind: "text", choice: 0, part, text: words };
}
function call(part: number, id: string): ChatEvent {
  return { kind: "toolCallStart", choice: 0, part, id, name: `f${id}` };
}
function args(part: number, words: string): ChatEvent {
  return { kind: "toolCallArguments", choice: 0, part, text: words };
}
function partEnd(part: number): ChatEvent {
  return { kind: "partEnd", choice: 0, part };
}
const finish = (finishReason: "stop" | "tool_calls" | "length"): ChatEvent => ({
  kind: "finish",
  choice: 0,
  finishReason,
});
const END: ChatEvent = { kind: "end" };

test("acceptance 17: interleaved tool calls are put in a row and keep their arguments", async () => {
  const events: ChatEvent[] = [
    START,
    { kind: "reasoning", choice: 0, part: 0, text: "hm" },
    text(1, "I call."),
    call(2, "a"),
    args(2, '{"x"'),
    call(3, "b"),
    args(3, '{"y":'),
    args(2, ":1}"),
    call(4, "c"),
    args(3, "2}"),
    partEnd(2),
    args(4, "{}"),
    partEnd(4),
    partEnd(3),
    text(5, "Done."),
    finish("tool_calls"),
    { kind: "usage", usage: USAGE },
    END,
  ];
  const data = dataOf(encode(events));
  checkBlocks(data);
  assert.deepEqual(await sdkMessage(data), encodeChatAnswer(foldEvents(events), CONTEXT));
});

test("the first of parallel tool calls does not wait", () => {
  const encoder = createStreamEncoder(CONTEXT);
  encoder.encode(START);
  assert.notEqual(encoder.encode(call(0, "a")), "");
  assert.match(encoder.encode(args(0, "{")), /"partial_json":"\{"/);
  assert.equal(encoder.encode(call(1, "b")), "");
  assert.match(encoder.encode(args(0, "}")), /"index":0,.*"partial_json":"\}"/);
  assert.match(
    encoder.encode(partEnd(0)),
    /content_block_stop[^]*"index":1,"content_block":\{"type":"tool_use","id":"b"/,
  );
  assert.match(encoder.encode(args(1, "{}")), /"index":1,.*"partial_json":"\{\}"/);
});

test("a stream of another vendor: text alone, usage at the end", () => {
  const data = dataOf(
    encode([START, text(0, ""), text(0, 'Say "hi"\n\u2028'), { kind: "usage", usage: USAGE }, finish("stop"), END]),
  );
  const zero = { input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 0 };
  assert.deepEqual(data, [
    {
      type: "message_start",
      message: {
        id: "msg_chatcmpl-1",
        type: "message",
        role: "assistant",
        model: "claude-opus-4-8",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: zero,
      },
    },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: 'Say "hi"\n\u2028' } },
    { type: "content_block_stop", index: 0 },
    {
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: {
        input_tokens: 15,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 5,
        output_tokens: 7,
        output_tokens_details: { thinking_tokens: 2 },
      },
    },
    { type: "message_stop" },
  ]);
});

test("a plain stop after tool calls is tool_use; other candidates and foreign blocks are left out", () => {
  const data = dataOf(
    encode([
      START,
      { kind: "text", choice: 1, part: 0, text: "other" },
      { kind: "opaque", choice: 0, part: 0, dialect: "openai", value: { x: 1 } },
      { kind: "citation", choice: 0, part: 1, citation: { type: "url_citation" } },
      call(2, "a"),
      finish("stop"),
      END,
    ]),
  );
  checkBlocks(data);
  assert.equal(data.length, 5);
  assert.deepEqual(data[3]?.["delta"], { stop_reason: "tool_use", stop_sequence: null });
});

test("after an error nothing more goes out", () => {
  const encoder = createStreamEncoder(CONTEXT);
  encoder.encode(START);
  encoder.encode(text(0, "x"));
  const error: ChatEvent = { kind: "error", status: 529, type: "overloaded_error", message: "Overloaded" };
  assert.deepEqual(dataOf(encoder.encode(error)), [
    { type: "error", error: { type: "overloaded_error", message: "Overloaded" }, request_id: "req-1" },
  ]);
  assert.equal(encoder.encode(END), "");
  assert.equal(encoder.encode(text(0, "y")), "");
});

test("what waits behind an open tool call has a limit", () => {
  const encoder = createStreamEncoder(CONTEXT);
  encoder.encode(START);
  encoder.encode(call(0, "a"));
  encoder.encode(call(1, "b"));
  assert.throws(() => encoder.encode(args(1, "x".repeat(MAX_WAITING_CHARACTERS))), { code: "upstream_invalid_answer" });
});

test("a stream without a start, or without a finish, is framed all the same", () => {
  const data = dataOf(encode([text(0, "x"), END]));
  checkBlocks(data);
  const message = data[0]?.["message"];
  assert.ok(isObject(message));
  assert.equal(message["id"], "msg_req-1");
});

function decodeData(...events: (JsonObject | string)[]): ChatEvent[] {
  const decoder = createStreamDecoder();
  const out: ChatEvent[] = [];
  for (const event of events) decoder.decode("", typeof event === "string" ? event : JSON.stringify(event), out);
  return out;
}

test("a tool call's input in its start, as some vendors send it", () => {
  const start = {
    type: "content_block_start",
    index: 0,
    content_block: { type: "tool_use", id: "a", name: "f", input: { x: 1 } },
  };
  const stop = { type: "content_block_stop", index: 0 };
  const delta = { type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json: '{"y":2}' } };
  assert.deepEqual(decodeData(start, stop).slice(1), [args(0, '{"x":1}'), partEnd(0)]);
  assert.deepEqual(decodeData(start, delta, stop).slice(1), [args(0, '{"y":2}'), partEnd(0)]);
});

test("errors inside the stream, [DONE], unknown events, deltas of a kind that is not known yet", () => {
  const error = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
  assert.deepEqual(decodeData(error), [
    { kind: "error", status: 529, type: "overloaded_error", message: "Overloaded" },
  ]);
  assert.deepEqual(decodeData({ error: { message: "x", type: "server_error", code: "c" } }), [
    { kind: "error", status: 502, type: "server_error", message: "x", code: "c" },
  ]);
  assert.deepEqual(decodeData("[DONE]", "", { type: "weather" }), []);
  const start = { type: "content_block_start", index: 0, content_block: { type: "text", text: "a" } };
  const delta = { type: "content_block_delta", index: 0, delta: { type: "mood_delta", mood: "good" } };
  const events = decodeData(start, delta);
  assert.deepEqual(dataOf(encode(events)).slice(-1), [delta]);
  assert.deepEqual(foldEvents(events).choices[0]?.content, [{ kind: "text", text: "a" }]);
});

for (const [name, data] of Object.entries({
  "no JSON": "{",
  "no object": "7",
  "no message": '{"type":"message_start"}',
  "no block": '{"type":"content_block_start","index":0}',
  "no delta": '{"type":"content_block_delta","index":0}',
  "no index": '{"type":"content_block_stop"}',
  "an error that says nothing": '{"type":"error"}',
})) {
  test(`a broken stream: ${name}`, () => {
    assert.throws(() => decodeData(data), { code: "upstream_invalid_answer" });
  });
}

test("results of server tools have a limit", () => {
  const big = "x".repeat(MAX_OPAQUE_CHARACTERS);
  const start = {
    type: "content_block_start",
    index: 0,
    content_block: { type: "web_search_tool_result", content: big },
  };
  assert.throws(() => decodeData(start), { code: "upstream_invalid_answer" });
});

test("an empty delta is no event", () => {
  const empty = (type: string, key: string): JsonObject => ({
    type: "content_block_delta",
    index: 0,
    delta: { type, [key]: "" },
  });
  assert.deepEqual(
    decodeData(
      empty("text_delta", "text"),
      empty("thinking_delta", "thinking"),
      empty("input_json_delta", "partial_json"),
    ),
    [],
  );
});

test("the protocol's end is message_stop; a stop reason is as good, its absence is not", () => {
  const decoder = createStreamDecoder();
  const out: ChatEvent[] = [];
  decoder.decode("", '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}', out);
  assert.equal(decoder.complete, false);
  decoder.decode("", '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}', out);
  assert.equal(decoder.complete, true);
});
