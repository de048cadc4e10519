import assert from "node:assert/strict";
import { test } from "node:test";
import { SluiceError } from "../../lib/errors.ts";
import { decodeDisguisedError, decodeStreamError, encodeError, encodeStreamError } from "./errors.ts";

test("errors of Sluice's own, in Anthropic's words", () => {
  assert.deepEqual(encodeError(new SluiceError("expired_api_key", "Renew it."), "req-1"), {
    status: 401,
    body: {
      type: "error",
      error: { type: "authentication_error", message: "Renew it.", details: { error_code: "expired_api_key" } },
      request_id: "req-1",
    },
  });
  const types: Record<string, string> = {
    invalid_request: "invalid_request_error",
    model_not_found: "not_found_error",
    body_too_large: "request_too_large",
    rate_limit_exceeded: "rate_limit_error",
    overloaded: "overloaded_error",
    total_timeout: "timeout_error",
    upstream_error: "api_error",
    internal_error: "api_error",
  };
  for (const [code, type] of Object.entries(types)) {
    const { body } = encodeError(new SluiceError(code as "internal_error", "m"), "r");
    assert.equal((body["error"] as { type: string }).type, type, code);
  }
});

test("an upstream's error keeps status and words; a type that Anthropic does not have becomes one that it has", () => {
  const own = { status: 529, message: "Overloaded", type: "overloaded_error", code: null, param: null };
  assert.deepEqual(encodeError(own, "r"), {
    status: 529,
    body: { type: "error", error: { type: "overloaded_error", message: "Overloaded" }, request_id: "r" },
  });
  const foreign = {
    status: 400,
    message: "Too long",
    type: "server_error",
    code: "context_length_exceeded",
    param: "messages",
  };
  assert.deepEqual(encodeError(foreign, "r"), {
    status: 400,
    body: {
      type: "error",
      error: { type: "invalid_request_error", message: "Too long", details: { error_code: "context_length_exceeded" } },
      request_id: "r",
    },
  });
});

test("a stream that cannot go on ends with an error event", () => {
  const text = encodeStreamError(new SluiceError("upstream_stream_broken", "It broke."), "r");
  assert.equal(
    text,
    'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"It broke.","details":{"error_code":"upstream_stream_broken"}},"request_id":"r"}\n\n',
  );
});

test("a type inside a stream stands for its status", () => {
  const event = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
  assert.deepEqual(decodeStreamError(event), {
    status: 529,
    message: "Overloaded",
    type: "overloaded_error",
    code: null,
    param: null,
  });
  assert.equal(decodeStreamError({ error: { message: "x", type: "server_error" } })?.status, 502);
  assert.equal(decodeStreamError({ type: "ping" }), undefined);
});

test("a 200 that is an error", () => {
  const disguised = (body: string): number | undefined => decodeDisguisedError(Buffer.from(body))?.status;
  assert.equal(disguised('{"type":"error","error":{"type":"rate_limit_error","message":"Slow"}}'), 429);
  assert.equal(disguised('  {"error":{"message":"bad","code":"x"}}'), 502);
  assert.equal(disguised('{"error":"no such model"}'), 502);
  assert.equal(disguised("<html><body>Sign in</body></html>"), 502);
  assert.equal(disguised(""), 502);
});

test("a real answer is none, whatever it talks about", () => {
  const real = (body: string): unknown => decodeDisguisedError(Buffer.from(body));
  assert.equal(real('{"type":"message","content":[{"type":"text","text":"\\"error\\""}]}'), undefined);
  assert.equal(real('{"type":"message","content":[{"type":"tool_use","input":{"error":{"message":"x"}}}]}'), undefined);
  assert.equal(real('{"input_tokens":7,"error":null}'), undefined);
});
