import assert from "node:assert/strict";
import { test } from "node:test";
import { SseSplitter } from "../../lib/sse.ts";
import { WATCH, type StreamWatch } from "../contract.ts";
import { STREAM_EVENTS, sseText } from "./stream-corpus.test.ts";
import { createStreamWatch } from "./stream-watch.ts";

function watch(text: string): { masks: number[]; watch: StreamWatch } {
  const watcher = createStreamWatch();
  const masks: number[] = [];
  const splitter = new SseSplitter(1_000_000);
  splitter.push(Buffer.from(text), (buffer, start, end) => masks.push(watcher.event(buffer, start, end)));
  return { masks, watch: watcher };
}

const { content, usage, error } = WATCH;
const complete = WATCH.complete | WATCH.end;
const EXPECTED: Readonly<Record<string, readonly number[]>> = {
  "text in several scripts": [usage, 0, 0, content, content, 0, usage, complete],
  "thinking, then two tool calls": [
    ...[usage, 0, 0, content, content, content, 0], // thinking
    ...[0, 0], // redacted thinking, after the first content
    ...[0, content, 0],
    ...[0, content, content, content, 0],
    ...[0, 0],
    ...[usage, complete],
  ],
  "server tools with citations": [
    usage,
    0,
    content,
    content,
    content,
    0,
    0,
    0,
    0,
    content,
    content,
    0,
    usage,
    complete,
  ],
  refused: [usage, 0, usage, complete],
};

for (const [name, masks] of Object.entries(EXPECTED)) {
  const text = sseText(STREAM_EVENTS[name] ?? []);

  test(`what each event means: ${name}`, () => {
    assert.deepEqual(watch(text).masks, masks);
    assert.equal(watch(text).watch.contentEvents, masks.filter((mask) => mask === content).length);
  });

  test(`the same in other spellings of SSE: ${name}`, () => {
    assert.deepEqual(watch(text.replaceAll("\n", "\r\n")).masks, masks);
    assert.deepEqual(watch(text.replaceAll("event: ", "event:").replaceAll("data: ", "data:")).masks, masks);
    assert.deepEqual(watch(text.replace(/^event: .*\n/gm, "")).masks, masks, "without event lines");
    assert.deepEqual(watch(text.replace(/^(event: .*)\n(data: .*)\n/gm, "$2\n$1\n")).masks, masks, "data first");
    assert.deepEqual(watch(text.replace(/^event/gm, ": hm\nid: 7\nevent")).masks, masks, "with comments and ids");
  });
}

test("usage is that of the start and the end together", () => {
  const { watch: watcher } = watch(sseText(STREAM_EVENTS["thinking, then two tool calls"] ?? []));
  assert.ok(watcher.usage !== undefined);
  const { extra, ...counts } = watcher.usage;
  assert.deepEqual(counts, {
    promptTokens: 1482,
    cachedTokens: 1000,
    cacheWriteTokens: 10,
    completionTokens: 120,
    reasoningTokens: 40,
  });
  assert.equal(extra?.fields["service_tier"], "standard");
});

test("nothing that shows nothing ends the time in which a retry is invisible", () => {
  const delta = (more: string): string =>
    `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{${more}}}\n\n`;
  const start = (more: string): string =>
    `event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{${more}}}\n\n`;
  const masks = (text: string): number[] => watch(text).masks;
  assert.deepEqual(masks(start('"type":"text","text":""') + delta('"type":"text_delta","text":""')), [0, 0]);
  assert.deepEqual(
    masks(start('"type":"thinking","thinking":""') + delta('"type":"input_json_delta","partial_json":""')),
    [0, 0],
  );
  assert.deepEqual(masks(start('"type":"tool_use","id":"a","name":"f"')), [content]);
  assert.deepEqual(masks(delta('"type":"signature_delta","signature":"E"')), [content]);
});

test("an error inside the stream", () => {
  const { masks, watch: watcher } = watch(
    'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
  );
  assert.deepEqual(masks, [error]);
  assert.deepEqual(watcher.error, {
    status: 529,
    type: "overloaded_error",
    message: "Overloaded",
    code: null,
    param: null,
  });
  assert.deepEqual(watch('data: {"error":{"message":"x"}}\n\n').masks, [error]);
});

test("what is no event of Anthropic's means nothing", () => {
  const noise = [
    "\n\n",
    ": hi\n\n",
    "data: [DONE]\n\n",
    "data: {\n\n",
    "event: message_start\ndata: {\n\n",
    "event: x\ndata: 7\n\n",
    "event: ping\n\n",
  ];
  for (const text of noise)
    assert.ok(
      watch(text).masks.every((mask) => mask === 0),
      text,
    );
});
