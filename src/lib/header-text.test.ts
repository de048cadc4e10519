import assert from "node:assert/strict";
import { ServerResponse, IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { headerText } from "./header-text.ts";

test("what models are called mostly is itself", () => {
  for (const name of [
    "gpt-5.1",
    "meta-llama/Llama-3.3-70B:free",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "a*b",
  ]) {
    assert.equal(headerText(name), name);
  }
});

test("everything else comes back by decoding, and node takes it as a header", () => {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  for (const text of ["模型", "a b", "100%", "a\r\nset-cookie: b=1", "\0", "é", "👍", "a,b"]) {
    const encoded = headerText(text);
    assert.equal(decodeURIComponent(encoded), text);
    assert.match(encoded, /^[\x21-\x7e]*$/);
    response.setHeader("x-text", encoded);
  }
});

test("half of a surrogate pair is no reason to fail", () => {
  assert.equal(decodeURIComponent(headerText("a\ud800")), "a\ufffd");
});

test("separators of a list are encoded where the caller has some", () => {
  assert.equal(headerText("a,b", ","), "a%2Cb");
});
