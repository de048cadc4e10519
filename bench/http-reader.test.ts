import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageReader } from "./http-reader.ts";
import type { Unframed } from "./http-reader.ts";

function read(pieces: readonly Buffer[], unframed: Unframed): string[] {
  const seen: string[] = [];
  let body = "";
  const reader = new MessageReader(
    {
      head: (text) => void (body = `${text.split("\r\n")[0]}|`),
      body: (bytes) => void (body += bytes.toString("latin1")),
      end: () => void seen.push(body),
    },
    unframed,
  );
  for (const piece of pieces) {
    reader.push(piece);
  }
  assert.equal(reader.idle, true);
  return seen;
}

const MESSAGES = Buffer.from(
  "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" +
    "GET /b HTTP/1.1\r\nHost: x\r\n\r\n" +
    "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A\r\n0123456789\r\n0\r\nx: y\r\n\r\n" +
    "POST /d HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
);
const EXPECTED = ["POST /a HTTP/1.1|hello", "GET /b HTTP/1.1|", "POST /c HTTP/1.1|abc0123456789", "POST /d HTTP/1.1|"];

test("messages are the same however the bytes are split", () => {
  assert.deepEqual(read([MESSAGES], "empty"), EXPECTED);
  for (let at = 1; at < MESSAGES.length; at++) {
    assert.deepEqual(read([MESSAGES.subarray(0, at), MESSAGES.subarray(at)], "empty"), EXPECTED);
  }
  assert.deepEqual(
    read(
      Array.from(MESSAGES, (byte) => Buffer.from([byte])),
      "empty",
    ),
    EXPECTED,
  );
});

test("what is not HTTP is an error, not a hang", () => {
  assert.throws(() =>
    read([Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")], "until-close"),
  );
  assert.throws(() => read([Buffer.alloc(70_000, 97)], "until-close"));
});
