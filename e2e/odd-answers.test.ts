/** Whole answers that are odd or broken on the wire: what can be understood is, everything else is an error. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { Cleanups } from "./harness.ts";
import { RAW_CREDENTIALS, startRawWorld, type RawWorld } from "./raw-world.ts";
import { chunk, says, saysAndCloses, wholeAnswer } from "./raw-upstream.ts";
import { answer, testCases, untilClose, type WireCase } from "./wire-cases.ts";

let world: RawWorld;
const cleanups = new Cleanups();
before(async () => {
  world = await startRawWorld(cleanups);
});
after(async () => {
  await cleanups.run();
});

const SECRET_HEADERS = ["set-cookie: session=s3cr3t-cookie", "x-internal-node: 10.1.2.3:8000", "server: vllm/0.9"];

const lengthHead = (length: number | string): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
/** Up to a brace that closes something inside. */
const cutAtBrace = (json: string): string => json.slice(0, json.lastIndexOf("}", json.length - 2) + 1);
const coded = (coding: string, body: Buffer): Buffer => wholeAnswer(body, { headers: [`content-encoding: ${coding}`] });

const WHOLE: readonly WireCase[] = [
  { name: "plain", expected: "right", script: (target) => says(wholeAnswer(answer(target))) },
  {
    name: "byte by byte",
    expected: "right",
    script: (target) =>
      says(
        ...wholeAnswer(answer(target))
          .toString("latin1")
          .match(/[^]{1,40}/g)!
          .map((part) => Buffer.from(part, "latin1")),
      ),
  },
  {
    name: "chunked with extensions and trailers",
    expected: "right",
    script: (target) => {
      const body = Buffer.from(answer(target));
      const half = body.length >> 1;
      const first = `${half.toString(16)};name="va;lue"\r\n`;
      return says(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        first,
        body.subarray(0, half),
        "\r\n",
        chunk(body.subarray(half)),
        "0\r\nx-checksum: 1\r\n\r\n",
      );
    },
  },
  {
    name: "after interim responses",
    expected: "right",
    script: (target) =>
      says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", wholeAnswer(answer(target))),
  },
  {
    name: "HTTP/1.0, until close",
    expected: "right",
    script: (target) => saysAndCloses(`HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n${answer(target)}`),
  },
  {
    name: "with white space around",
    expected: "right",
    script: (target) => says(wholeAnswer(`\n  ${answer(target)} \r\n`)),
  },
  {
    name: "of another media type",
    expected: "right",
    script: (target) => says(wholeAnswer(answer(target), { type: "text/plain" })),
  },
  {
    name: "more than its content-length",
    expected: "right",
    script: (target) =>
      says(Buffer.concat([wholeAnswer(answer(target)), Buffer.from("HTTP/1.1 200 OK\r\n\r\nsmuggled")])),
  },
  { name: "gzip", expected: "right", script: (target) => says(coded("gzip", gzipSync(answer(target)))) },
  { name: "br", expected: "right", script: (target) => says(coded("br", brotliCompressSync(answer(target)))) },
  { name: "zstd", expected: "right", script: (target) => says(coded("zstd", zstdCompressSync(answer(target)))) },
  { name: "deflate", expected: "right", script: (target) => says(coded("deflate", deflateSync(answer(target)))) },
  {
    name: "raw deflate",
    expected: "right",
    script: (target) => says(coded("deflate", deflateRawSync(answer(target)))),
  },
  {
    name: "gzip that is none",
    expected: "upstream_invalid_answer",
    script: (target) => says(coded("gzip", Buffer.from(answer(target)))),
  },
  {
    name: "gzip cut off",
    expected: "upstream_invalid_answer",
    script: (target) => says(coded("gzip", gzipSync(answer(target)).subarray(0, -12))),
  },
  {
    name: "an unknown coding",
    expected: "upstream_invalid_answer",
    script: (target) => says(coded("compress", Buffer.from(answer(target)))),
  },
  {
    name: "a gzip bomb",
    expected: "upstream_invalid_answer",
    script: () => says(coded("gzip", gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20)))),
  },
  {
    name: "JSON cut at a brace, until close",
    expected: "upstream_invalid_answer",
    script: (target) => saysAndCloses(untilClose("application/json") + cutAtBrace(answer(target))),
  },
  {
    name: "JSON with an error in its middle",
    expected: "upstream_invalid_answer",
    script: (target) => says(wholeAnswer(answer(target).replace('"content":', '"content"'))),
  },
  {
    name: "no body at all",
    expected: "upstream_invalid_answer",
    script: () => says("HTTP/1.1 204 No Content\r\n\r\n"),
  },
  { name: "a list", expected: "upstream_invalid_answer", script: () => says(wholeAnswer("[]")) },
  {
    name: "a redirect to the inside",
    expected: "upstream_invalid_answer",
    script: () =>
      says(wholeAnswer("", { status: 302, headers: ["location: http://10.1.2.3:8000/v1", ...SECRET_HEADERS] })),
  },
  {
    name: "line ends without CR",
    expected: "upstream_error",
    script: (target) => saysAndCloses(`HTTP/1.1 200 OK\ncontent-type: application/json\n\n${answer(target)}`),
  },
  {
    name: "two lengths",
    expected: "upstream_error",
    script: (target) => says(lengthHead(`${Buffer.byteLength(answer(target))}\r\ncontent-length: 7`) + answer(target)),
  },
  {
    name: "a length that is none",
    expected: "upstream_error",
    script: (target) => says(lengthHead("+5") + answer(target)),
  },
  {
    name: "a chunk size that is none",
    expected: "upstream_error",
    script: () => says("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n"),
  },
  {
    name: "a chunk longer than its size",
    expected: "upstream_error",
    script: () => says("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}{}\r\n0\r\n\r\n"),
  },
  {
    name: "a header line without colon",
    expected: "upstream_error",
    script: () => says("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n{}"),
  },
  {
    name: "an endless head",
    expected: "upstream_error",
    script: () => says(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}`),
  },
  { name: "another protocol", expected: "upstream_error", script: () => says("SSH-2.0-OpenSSH_9.6\r\n") },
  {
    name: "a status below 100",
    expected: "upstream_error",
    script: () => says("HTTP/1.1 042 What\r\ncontent-length: 2\r\n\r\n{}"),
  },
  {
    name: "a status beyond 599",
    expected: "upstream_error",
    script: () => says("HTTP/1.1 999 What\r\ncontent-length: 2\r\n\r\n{}"),
  },
  {
    name: "no content, and some all the same",
    expected: "upstream_invalid_answer",
    script: () => says("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", "hello"),
  },
  {
    name: "a switch of protocols",
    expected: "upstream_error",
    script: () => says("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n"),
  },
  {
    name: "an error whose body never ends",
    expected: { status: 500 },
    script: () => saysAndCloses("HTTP/1.1 500 X\r\ncontent-length: 1000\r\n\r\n{"),
  },
  {
    name: "an error of megabytes",
    expected: { status: 500 },
    script: () => says(wholeAnswer("x".repeat(3_000_000), { status: 500, type: "text/html" })),
  },
];

testCases("whole", WHOLE, () => world);

test("the credentials reached their upstreams and nobody else (25)", () => {
  for (const dialect of ["openai", "anthropic"] as const) {
    const credential = RAW_CREDENTIALS[dialect];
    const { requests } = world.upstreams[dialect];
    assert.ok(requests.length > 0 && requests.every(({ head }) => head.includes(credential)));
    assert.ok(!world.gateway.log().includes(credential));
  }
});
