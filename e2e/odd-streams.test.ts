/** Streams that are odd or broken on the wire: what can be understood is, everything else is an error, and none looks whole. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { Cleanups, until } from "./harness.ts";
import { PAIRS, startRawWorld, type Pair, type RawWorld } from "./raw-world.ts";
import {
  chunk,
  LAST_CHUNK,
  says,
  saysAndCloses,
  streamHead,
  wholeAnswer,
  wholeStream,
  type Script,
} from "./raw-upstream.ts";
import { answer, events, parts, testCases, untilClose, type WireCase } from "./wire-cases.ts";

let world: RawWorld;
const cleanups = new Cleanups();
before(async () => {
  world = await startRawWorld(cleanups, { timeouts: { firstToken: "2s", idle: "2s", total: "5s" } });
});
after(async () => {
  await cleanups.run();
});

const STREAMS: readonly WireCase[] = [
  { name: "plain", expected: "right", script: (target) => says(wholeStream(events(target))) },
  {
    name: "of a media type in capitals",
    expected: "right",
    script: (target) =>
      says(wholeStream(events(target)).toString().replace("text/event-stream", "Text/Event-Stream; Charset=UTF-8")),
  },
  {
    name: "with comments, a byte order mark and fields of no meaning",
    expected: "right",
    script: (target) => {
      const body = `\uFEFF: hello\n\n${events(target).replaceAll("data:", "retry: 100\nid: 7\n: between\ndata:").replaceAll("\n\n", "\n\n\n: after\n\n")}`;
      return says(wholeStream(body));
    },
  },
  {
    name: "with CR as line end",
    expected: "right",
    script: (target) => says(wholeStream(events(target).replaceAll("\n", "\r"))),
  },
  {
    name: "with data in several lines",
    expected: "right",
    script: (target) => says(wholeStream(events(target).replaceAll("data: {", "data: {\ndata:  "))),
  },
  {
    name: "without spaces after the colon",
    expected: "right",
    script: (target) => says(wholeStream(events(target).replaceAll(": {", ":{").replace(": [DONE]", ":[DONE]"))),
  },
  {
    name: "without the last blank line",
    expected: "right",
    script: (target) => says(wholeStream(events(target).trimEnd())),
  },
  {
    name: "with one more line end only",
    expected: "right",
    script: (target) => says(wholeStream(`${events(target).trimEnd()}\n`)),
  },
  {
    name: "with garbage after its end",
    expected: "right",
    script: (target) => says(wholeStream(`${events(target)}data: {"garbage\n\n`)),
  },
  {
    name: "reset after its end",
    expected: "right",
    script:
      (target) =>
      async ({ socket }) => {
        await new Promise((resolve) => socket.write(streamHead() + chunk(events(target)).toString(), resolve));
        setTimeout(() => socket.resetAndDestroy(), 20);
      },
  },
  { name: "open after its end", expected: "right", script: (target) => says(streamHead(), chunk(events(target))) },
  {
    name: "gzip, each event flushed",
    expected: "right",
    script: (target) => says(wholeStream(gzipSync(events(target)), ["content-encoding: gzip"])),
  },
  {
    name: "br",
    expected: "right",
    script: (target) => says(wholeStream(brotliCompressSync(events(target)), ["content-encoding: br"])),
  },
  {
    name: "as HTTP/1.0, until close",
    expected: "right",
    script: (target) => saysAndCloses(untilClose("text/event-stream").replace("1.1", "1.0") + events(target)),
  },
  {
    name: "half an event",
    expected: { brokenBy: "upstream_stream_broken" },
    script: (target) => {
      const { opening, pieces } = parts(target);
      return says(wholeStream(opening + pieces[0]! + pieces[1]!.slice(0, 30)));
    },
  },
  {
    name: "cut within a character",
    expected: { brokenBy: "upstream_stream_broken" },
    script: (target) => {
      const { opening, pieces } = parts(target);
      const second = Buffer.from(pieces[1]!);
      return says(
        wholeStream(Buffer.concat([Buffer.from(opening + pieces[0]!), second.subarray(0, second.indexOf("世") + 1)])),
      );
    },
  },
  {
    name: "until close, cut between events",
    expected: { brokenBy: "upstream_stream_broken" },
    script: (target) => {
      const { opening, pieces } = parts(target);
      return saysAndCloses(untilClose("text/event-stream") + opening + pieces[0]!);
    },
  },
  {
    name: "a chunk cut off",
    expected: { brokenBy: "upstream_stream_broken" },
    script: (target) => {
      const { opening, pieces } = parts(target);
      return saysAndCloses(streamHead(), chunk(opening + pieces[0]!), "ff\r\ndata: ");
    },
  },
  {
    name: "bad framing in its middle",
    expected: { brokenBy: "upstream_stream_broken" },
    script: (target) => {
      const { opening, pieces } = parts(target);
      return says(streamHead(), chunk(opening + pieces[0]!), "nonsense\r\n");
    },
  },
  { name: "only comments", expected: "upstream_error", script: () => says(wholeStream(": one\n\n: two\n\n")) },
  { name: "nothing", expected: "upstream_error", script: () => says(wholeStream("")) },
  {
    name: "[DONE] and nothing before",
    expected: "upstream_error",
    script: () => says(wholeStream("data: [DONE]\n\n")),
  },
  {
    name: "a whole answer instead",
    expected: "upstream_invalid_answer",
    script: (target) => says(wholeAnswer(answer(target))),
  },
  {
    name: "an error whose body never comes",
    expected: { status: 503 },
    script: () => says("HTTP/1.1 503 X\r\ncontent-length: 1000\r\n\r\n{"),
  },
];

testCases("stream", STREAMS, () => world);

test("a connection whose answer ends late is used again, one whose answer never ends is closed", async () => {
  const checkPair = async (pair: Pair): Promise<void> => {
    const { target } = pair;
    const sockets: Socket[] = [];
    const late: Script = async ({ socket }) => {
      sockets.push(socket);
      socket.write(streamHead() + chunk(events(target)).toString());
      await sleep(700);
      socket.write(LAST_CHUNK);
    };
    const never: Script = ({ socket }) => {
      sockets.push(socket);
      socket.write(streamHead() + chunk(events(target)).toString());
    };
    for (const script of [late, late, never]) {
      const { reading } = await world.call(pair, true, script);
      assert.deepEqual([reading.complete, reading.cut], [true, false]);
      assert.ok(reading.ms < 600, `the client does not wait for it, but ${reading.ms} ms`);
      await sleep(900);
    }
    assert.equal(new Set(sockets).size, 1, "one connection carried all three");
    await until("it is given up after a while", () => (sockets[0]?.closed === true ? true : undefined), 2000);
  };
  // one that passes through and one that is converted, to different upstreams
  await Promise.all(PAIRS.filter(({ client }) => client === "openai").map(checkPair));
});
