import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isSluiceError } from "./errors.ts";
import { parseSseEvent, SseSplitter } from "./sse.ts";
import type { SseEvent } from "./sse.ts";

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** The standard's algorithm on the whole text, written for clearness: what the splitter must agree with. */
function reference(bytes: Buffer): SseEvent[] {
  // TextDecoder takes a byte order mark off, as "UTF-8 decode" does
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\n|\r/);
  lines.pop(); // what follows the last line end is no line yet
  const events: SseEvent[] = [];
  let fields: { event: string; data: string[]; id?: string } = { event: "", data: [] };
  for (const line of lines) {
    if (line === "") {
      const { data, ...rest } = fields;
      if (data.length > 0) events.push({ ...rest, data: data.join("\n") });
      fields = { event: "", data: [] };
      continue;
    }
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/su.exec(line) ?? [];
    if (name === "data") fields.data.push(value);
    if (name === "event") fields.event = value;
    if (name === "id" && !value.includes("\0")) fields.id = value;
  }
  return events.filter(({ data }) => data !== "");
}

interface Split {
  readonly ranges: readonly Buffer[];
  readonly events: readonly SseEvent[];
  readonly pending: Buffer;
  readonly endsBetweenEvents: boolean;
}

function split(chunks: readonly Buffer[], maxEventBytes = 10_000): Split {
  const splitter = new SseSplitter(maxEventBytes);
  const ranges: Buffer[] = [];
  const events: SseEvent[] = [];
  for (const chunk of chunks) {
    splitter.push(chunk, (buffer, start, end) => {
      ranges.push(buffer.subarray(start, end));
      events.push(parseSseEvent(buffer, start, end));
    });
  }
  const { pending, endsBetweenEvents } = splitter;
  return { ranges, events: events.filter(({ data }) => data !== ""), pending, endsBetweenEvents };
}

function withoutByteOrderMark(bytes: Buffer): Buffer {
  return bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? bytes.subarray(3) : bytes;
}

function check(bytes: Buffer, chunks: readonly Buffer[]): void {
  const { ranges, events, pending, endsBetweenEvents } = split(chunks);
  const expected = reference(bytes);
  assert.deepEqual(events, expected);
  const passed = Buffer.concat([...ranges, pending]);
  assert.ok(passed.equals(withoutByteOrderMark(bytes)) || isPartOfMark(bytes));
  assert.equal(endsBetweenEvents, pending.length === 0);
  for (const range of ranges) {
    assert.match(range.toString("latin1"), /(^|[\r\n])(\r\n|\n|\r)$/, "ends with a blank line");
  }
}

/** So short a stream may still become a byte order mark. */
function isPartOfMark(bytes: Buffer): boolean {
  return bytes.length < 3 && BYTE_ORDER_MARK.subarray(0, bytes.length).equals(bytes);
}

const STREAMS: readonly string[] = [
  'data: {"a":1}\n\ndata: [DONE]\n\n',
  "event: message_start\ndata: {}\n\n: comment\n\nevent: ping\ndata: x\n\n",
  "event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n",
  "data: 1\r\rdata: 2\r\revent: b\rdata: 3\r\r",
  "data: mixed\r\n\ndata: ends\n\r\ndata: here\r\n\rdata: too\r\r\ndata: x\n\n",
  "data: first\ndata:second\ndata\ndata:  two spaces\n\n",
  "\n\n\r\n\rdata: after blank lines\n\n\n\n\n",
  "\ufeffdata: mark\n\ndata: \ufeffkept\n\n",
  "\ufeff\ufeffdata: second mark makes an unknown field\n\ndata: y\n\n",
  "id: 7\nretry: 10\nunknown: z\ndata: é人😀\nid\n\nid: a\0b\ndata: nul\n\n",
  "datax: no\ndat: no\nevents: no\nid:\n:data: no\nevent\ndata:x\n\n",
  "data: an event that does not end\n",
  "data: nor this",
  "data: 1\n\ndata: 2\r",
  "",
];

test("agrees with the standard's algorithm wherever the stream is split", () => {
  for (const stream of STREAMS) {
    const bytes = Buffer.from(stream);
    check(bytes, [bytes]);
    check(
      bytes,
      Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)),
    );
    for (let first = 0; first <= bytes.length; first++) {
      check(bytes, [bytes.subarray(0, first), bytes.subarray(first)]);
      for (let second = first; second <= bytes.length; second++) {
        const chunks = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
        check(bytes, chunks);
      }
    }
  }
});

test("agrees with the standard's algorithm on any bytes", () => {
  const piece = fc.constantFrom(
    ...["\n", "\n\n", "\r", "\r\n", "\r\n\r\n", "data", "event", "id", ":", ": ", " ", "x", "é人😀", "\0", "\ufeff"],
  );
  const text = fc.array(piece, { maxLength: 30 }).map((pieces) => Buffer.from(pieces.join("")));
  const raw = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes));
  const lengths = fc.array(fc.nat(12), { maxLength: 30 });
  fc.assert(
    fc.property(fc.oneof({ weight: 4, arbitrary: text }, raw), lengths, (bytes, sizes) => {
      const chunks: Buffer[] = [];
      let at = 0;
      for (const size of sizes) {
        chunks.push(bytes.subarray(at, at + size));
        at += size;
      }
      chunks.push(bytes.subarray(at));
      check(bytes, chunks);
    }),
    { numRuns: 3000 },
  );
});

test("hands an event over as soon as its blank line has begun to end", () => {
  for (const end of ["\n\n", "\r\r", "\r\n\r"]) {
    const { ranges, endsBetweenEvents } = split([Buffer.from(`data: x${end}`)]);
    assert.equal(ranges.length, 1, JSON.stringify(end));
    assert.ok(endsBetweenEvents);
  }
});

test("copies nothing of events that lie in one chunk", () => {
  const chunk = Buffer.from("data: 1\n\nevent: a\ndata: 2\n\n: c\n\nda");
  const splitter = new SseSplitter(100);
  const seen: (readonly [number, number])[] = [];
  splitter.push(chunk, (buffer, start, end) => {
    assert.equal(buffer, chunk);
    seen.push([start, end]);
  });
  assert.deepEqual(seen, [
    [0, 9],
    [9, 27],
    [27, 32],
  ]);
  assert.equal(splitter.pending.toString(), "da");
  assert.equal(splitter.endsBetweenEvents, false);
});

test("what was handed over is never written again", () => {
  const stream = Buffer.from(Array.from({ length: 50 }, (_, n) => `data: ${"x".repeat(n)}${n}\n\n`).join(""));
  for (const size of [1, 3, 7, 64]) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
    assert.ok(Buffer.concat(split(chunks).ranges).equals(stream));
  }
});

test("bounds an event, in one chunk or in many", () => {
  const fits = Buffer.from(`data: ${"x".repeat(92)}\n\n`);
  const tooLong = Buffer.from(`data: ${"x".repeat(93)}\n\n`);
  for (const size of [1, 10, 1000]) {
    const pieces = (bytes: Buffer) =>
      Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));
    assert.equal(split([...pieces(fits), ...pieces(fits)], 100).events.length, 2);
    assert.throws(
      () => split(pieces(Buffer.concat([fits, tooLong])), 100),
      (error: unknown) => isSluiceError(error) && error.code === "upstream_invalid_answer",
    );
  }
  assert.throws(() => split([Buffer.alloc(101, "x")], 100), /more than 100 bytes/);
});

test("a large event that comes byte by byte is put together in linear time", () => {
  const splitter = new SseSplitter(2_000_000);
  const byte = Buffer.from("x");
  const start = performance.now();
  const none = () => assert.fail("no event has ended yet");
  splitter.push(Buffer.from("data: "), none);
  for (let n = 0; n < 1_000_000; n++) splitter.push(byte, none);
  let length = 0;
  splitter.push(Buffer.from("\n\n"), (_buffer, from, end) => {
    length = end - from;
  });
  assert.equal(length, 1_000_008);
  // copying all that is held for each byte would take minutes
  assert.ok(performance.now() - start < 5_000);
});

test("decodes invalid UTF-8 to U+FFFD", () => {
  const bytes = Buffer.concat([Buffer.from("data: a"), Buffer.from([0xff, 0xc3]), Buffer.from("\n\n")]);
  assert.equal(parseSseEvent(bytes, 0, bytes.length).data, "a\ufffd\ufffd");
});
