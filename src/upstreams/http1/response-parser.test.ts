import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HttpSyntaxError } from "../../lib/http1/http-syntax-error.ts";
import { ResponseParser } from "./response-parser.ts";

interface Parsed {
  status: number;
  headers: Record<string, unknown>;
  body: string;
  ended: boolean;
  reusable: boolean;
}

/** Feeds `bytes` in pieces that end at `cuts`, then closes if asked. */
function parse(bytes: Buffer, cuts: readonly number[] = [], closes: "close" | "open" = "open"): Parsed {
  const parsed: Parsed = { status: 0, headers: {}, body: "", ended: false, reusable: false };
  const parser = new ResponseParser({
    onHead(status, headers) {
      parsed.status = status;
      parsed.headers = { ...headers };
    },
    onData(chunk) {
      parsed.body += chunk.toString("latin1");
    },
    onEnd(reusable) {
      assert.equal(parsed.ended, false, "a response ends once");
      parsed.ended = true;
      parsed.reusable = reusable;
    },
  });
  let start = 0;
  for (const cut of [...cuts, bytes.length]) {
    parser.push(Buffer.from(bytes.subarray(start, cut)));
    start = cut;
  }
  if (closes === "close") {
    parser.closed();
  }
  return parsed;
}

const CHUNKED = Buffer.from(
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nx-a: 2\r\n\r\n" +
    "5\r\nhello\r\n1A;ext=1\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: x\r\n\r\n",
  "latin1",
);
const LENGTH = Buffer.from("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 11\r\nRetry-After: 2\r\n\r\nhello world");

test("a chunked response reads the same however it is split", () => {
  const whole = parse(CHUNKED);
  assert.deepEqual(whole, {
    status: 200,
    headers: { "transfer-encoding": "chunked", "x-a": "1, 2" },
    body: "helloabcdefghijklmnopqrstuvwxyz",
    ended: true,
    reusable: true,
  });
  for (let first = 1; first < CHUNKED.length; first++) {
    assert.deepEqual(parse(CHUNKED, [first]), whole);
    for (let second = first + 1; second < CHUNKED.length; second += 7) {
      assert.deepEqual(parse(CHUNKED, [first, second]), whole);
    }
  }
});

test("a response with a length reads the same however it is split", () => {
  for (let cut = 1; cut < LENGTH.length; cut++) {
    const parsed = parse(LENGTH, [cut]);
    assert.equal(parsed.body, "hello world");
    assert.equal(parsed.reusable, true);
    assert.equal(parsed.headers["retry-after"], "2");
  }
});

test("random bodies in random chunks and random pieces arrive whole", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 300, unit: "binary-ascii" }), { maxLength: 12 }),
      fc.array(fc.nat(2_000), { maxLength: 20 }),
      (chunks, cuts) => {
        const wire = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
        const bytes = Buffer.from(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${wire}0\r\n\r\n`, "latin1");
        const places = [...new Set(cuts.filter((cut) => cut > 0 && cut < bytes.length))].toSorted((a, b) => a - b);
        const parsed = parse(bytes, places);
        assert.equal(parsed.body, chunks.join(""));
        assert.equal(parsed.ended, true);
      },
    ),
    { numRuns: 300 },
  );
});

test("a body without length or chunks ends with the connection, which is then not reused", () => {
  const bytes = Buffer.from("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nabc");
  assert.deepEqual(parse(bytes, [], "open").ended, false);
  const parsed = parse(bytes, [], "close");
  assert.equal(parsed.body, "abc");
  assert.equal(parsed.ended, true);
  assert.equal(parsed.reusable, false);
});

test("`connection: close`, HTTP/1.0 and bytes after the end forbid reuse", () => {
  assert.equal(parse(Buffer.from("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")).reusable, false);
  assert.equal(parse(Buffer.from("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n")).reusable, false);
  assert.equal(parse(Buffer.from("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n")).reusable, false);
  assert.equal(parse(Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabHTTP/1.1")).reusable, false);
  assert.equal(parse(Buffer.from("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nx")).reusable, false);
});

test("what could be read in two ways is refused", () => {
  const malformed = [
    "garbage",
    "SSH-2.0-OpenSSH\r\n\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 101 Switching\r\n\r\n",
    "HTTP/1.1 099 Early\r\n\r\n",
    "HTTP/1.1 600 Late\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(200),
    "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 1e3\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
    "HTTP/1.1 200 OK\r\n folded: c\r\n\r\n",
    "HTTP/1.1 200 OK\r\na: b\x00c\r\n\r\n",
    "HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n",
    "HTTP/1.1 200 OK\na: b\n\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\nx\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxx\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n123456789\r\n",
  ];
  for (const text of malformed) {
    assert.throws(() => parse(Buffer.from(text, "latin1")), HttpSyntaxError, JSON.stringify(text));
  }
});

test("a status without a body that announces one forbids reuse", () => {
  for (const [head, reusable] of [
    ["204 No Content", true],
    ["204 No Content\r\ncontent-length: 0", true],
    ["204 No Content\r\ncontent-length: 5", false],
    ["304 Not Modified\r\ntransfer-encoding: chunked", false],
  ] as const) {
    assert.equal(parse(Buffer.from(`HTTP/1.1 ${head}\r\n\r\n`)).reusable, reusable, head);
  }
});

test("heads, size lines and trailers have limits", () => {
  const endless = [
    `HTTP/1.1 200 OK\r\nx: ${"a".repeat(70_000)}`,
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;${"a".repeat(5_000)}`,
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n${"a: b\r\n".repeat(5_000)}`,
  ];
  for (const text of endless) {
    assert.throws(() => parse(Buffer.from(text)), HttpSyntaxError);
  }
});
