import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_STATUS, type ErrorCode, SluiceError } from "../../lib/errors.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { UpstreamError } from "../contract.ts";
import { ANSWERS } from "./corpus.test.ts";
import { decodeDisguisedError, decodeError, encodeError, encodeStreamError, streamErrorOf } from "./errors.ts";

test("an error of Sluice's has OpenAI's shape and words", () => {
  const cases: readonly (readonly [ErrorCode, number, string, string])[] = [
    ["invalid_json", 400, "invalid_request_error", "invalid_json"],
    ["unsupported_field", 400, "invalid_request_error", "unsupported_parameter"],
    ["invalid_api_key", 401, "authentication_error", "invalid_api_key"],
    ["expired_api_key", 401, "authentication_error", "expired_api_key"],
    ["model_not_found", 404, "invalid_request_error", "model_not_found"],
    ["body_too_large", 413, "invalid_request_error", "body_too_large"],
    ["rate_limit_exceeded", 429, "rate_limit_error", "rate_limit_exceeded"],
    ["internal_error", 500, "server_error", "server_error"],
    ["first_token_timeout", 504, "server_error", "first_token_timeout"],
  ];
  for (const [code, status, type, word] of cases) {
    const error = new SluiceError(code, "Do so and so.", { param: "messages[2].content" });
    assert.deepEqual(encodeError(error), {
      status,
      body: { error: { message: "Do so and so.", type, param: "messages[2].content", code: word } },
    });
  }
  for (const code of Object.keys(ERROR_STATUS) as ErrorCode[]) {
    const { status, body } = encodeError(new SluiceError(code, "x"));
    assert.equal(status, ERROR_STATUS[code]);
    assert.equal((body["error"] as JsonObject)["param"], null);
  }
});

test("an upstream's error keeps status, code and words; Anthropic's types become OpenAI's", () => {
  const upstream: UpstreamError = {
    status: 529,
    message: "Overloaded",
    type: "overloaded_error",
    code: null,
    param: null,
  };
  assert.deepEqual(encodeError(upstream), {
    status: 529,
    body: { error: { message: "Overloaded", type: "server_error", param: null, code: null } },
  });
  const own = decodeError(
    429,
    Buffer.from('{"error":{"message":"Slow down","type":"tokens","param":null,"code":"rate_limit_exceeded"}}'),
  );
  assert.deepEqual(encodeError(own).body, {
    error: { message: "Slow down", type: "tokens", param: null, code: "rate_limit_exceeded" },
  });
});

test("1: a stream that breaks ends with an error and no [DONE]", () => {
  const text = encodeStreamError(new SluiceError("upstream_stream_broken", "It broke.\nTry again."));
  assert.match(text, /^data: \{"error":\{.*\}\}\n\n$/);
  assert.ok(!text.includes("[DONE]"));
});

const DISGUISED: readonly (readonly [body: string, status: number, message: string])[] = [
  ['{"error":{"message":"no","code":429}}', 429, "no"],
  ['{"error":{"message":"no","type":"rate_limit_error"}}', 429, "no"],
  ['{"error":"no","choices":[]}', 502, "no"],
  ['{"object":"error","message":"no","code":400}', 400, "no"],
  ['{"detail":"no"}', 502, "no"],
  ['{"choices":null,"base_resp":{"status_code":1004,"status_msg":"no"}}', 502, "no"],
  ['{"code":500,"msg":"no"}', 500, "no"],
  ['{"type":"error","error":{"type":"invalid_request_error","message":"no"}}', 400, "no"],
  ["<html><body>Sign in</body></html>", 502, "The provider answered 502 without saying why. Try again later."],
  ["", 502, "The provider answered 502 without saying why. Try again later."],
  ["upstream connect error", 502, "upstream connect error"],
];

test("a 2xx that is an error all the same is found out", () => {
  for (const [body, status, message] of DISGUISED) {
    const error = decodeDisguisedError(Buffer.from(body));
    assert.deepEqual([error?.status, error?.message], [status, message], body);
  }
});

test("a real answer is none", () => {
  const real = [
    ...Object.values(ANSWERS),
    { choices: [{ message: { content: 'say "error"' } }], error: null },
    { choices: [{ message: { content: "x" } }], error: { message: "late" } },
    { object: "list", data: [], error: {} },
    { base_resp: { status_code: 0 }, choices: [{}] },
    { id: "error", object: "model", code: 1, message: "x" },
  ];
  for (const body of real)
    assert.equal(decodeDisguisedError(Buffer.from(JSON.stringify(body))), undefined, JSON.stringify(body));
  assert.equal(decodeDisguisedError(Buffer.from(` {"error":"${"x".repeat(20_000)}"}`)), undefined);
});

test("an error in a stream is found, with the status that its words mean", () => {
  const cases: readonly (readonly [event: string, chunk: JsonObject, status: number | undefined])[] = [
    ["", { error: { message: "no", code: 400 } }, 400],
    ["", { error: { message: "no", type: "server_error", code: null } }, 502],
    ["", { error: { message: "no", code: "rate_limit_exceeded" } }, 429],
    ["", { object: "error", message: "no", code: 404 }, 404],
    ["error", { message: "no" }, 502],
    ["", { id: "x", choices: [{ index: 0, delta: {}, error: { code: 503, message: "no" } }] }, 503],
    ["", { id: "x", choices: [], error: null }, undefined],
    ["", { id: "x", choices: [{ delta: { content: "error" } }] }, undefined],
  ];
  for (const [event, chunk, status] of cases)
    assert.equal(streamErrorOf(event, chunk)?.status, status, JSON.stringify(chunk));
});
