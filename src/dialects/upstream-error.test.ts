import assert from "node:assert/strict";
import { test } from "node:test";
import type { UpstreamError } from "./contract.ts";
import { readErrorJson, readUpstreamError } from "./upstream-error.ts";

const read = (status: number, body: string): UpstreamError => readUpstreamError(status, Buffer.from(body));

interface Case {
  readonly name: string;
  readonly status: number;
  readonly body: string;
  readonly expected: Partial<UpstreamError>;
}

const CASES: readonly Case[] = [
  {
    name: "OpenAI",
    status: 404,
    body: '{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}',
    expected: {
      message: "The model `x` does not exist",
      type: "invalid_request_error",
      code: "model_not_found",
      param: null,
    },
  },
  {
    name: "Anthropic",
    status: 529,
    body: '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}',
    expected: { message: "Overloaded", type: "overloaded_error", code: null, requestId: "req_1" },
  },
  {
    name: "Anthropic with a code",
    status: 429,
    body: '{"type":"error","error":{"type":"rate_limit_error","message":"Slow down","details":{"error_code":"ramp_limit_exceeded"}}}',
    expected: { message: "Slow down", type: "rate_limit_error", code: "ramp_limit_exceeded" },
  },
  {
    name: "vLLM before its errors were nested",
    status: 400,
    body: '{"object":"error","message":"bad","type":"BadRequestError","param":null,"code":400}',
    expected: { message: "bad", type: "BadRequestError", code: null, param: null },
  },
  { name: "FastAPI, a text", status: 404, body: '{"detail":"Not Found"}', expected: { message: "Not Found" } },
  {
    name: "FastAPI, what pydantic found",
    status: 422,
    body: '{"detail":[{"type":"missing","loc":["body","messages",0,"content"],"msg":"Field required"}]}',
    expected: { message: "messages[0].content: Field required", param: "messages[0].content" },
  },
  {
    name: "Ollama",
    status: 404,
    body: '{"error":"model \'x\' not found"}',
    expected: { message: "model 'x' not found" },
  },
  {
    name: "TGI",
    status: 422,
    body: '{"error":"Input validation error","error_type":"validation"}',
    expected: { message: "Input validation error", type: "validation" },
  },
  {
    name: "Google, in an array",
    status: 400,
    body: '[{"error":{"code":400,"message":"Invalid value","status":"INVALID_ARGUMENT"}}]',
    expected: { message: "Invalid value", type: "INVALID_ARGUMENT", code: null },
  },
  {
    name: "OpenRouter with a code of its own",
    status: 400,
    body: '{"error":{"message":"Insufficient credits","code":402}}',
    expected: { message: "Insufficient credits", code: "402", type: "invalid_request_error" },
  },
  {
    name: "MiniMax",
    status: 200,
    body: '{"base_resp":{"status_code":1004,"status_msg":"not authorized"}}',
    expected: { message: "not authorized", code: "1004" },
  },
  {
    name: "AWS",
    status: 403,
    body: '{"Message":"forbidden"}',
    expected: { message: "forbidden", type: "permission_error" },
  },
  {
    name: "plain text",
    status: 503,
    body: "no healthy upstream",
    expected: { message: "no healthy upstream", type: "server_error" },
  },
  {
    name: "plain text with an address",
    status: 502,
    body: "dial tcp 10.1.2.3:8000: connect: connection refused",
    expected: { message: "dial tcp [address]: connect: connection refused" },
  },
  {
    name: "HTML",
    status: 502,
    body: "<html><body>nginx at 10.0.0.1</body></html>",
    expected: { message: "The provider answered 502 without saying why. Try again later.", code: null },
  },
  {
    name: "nothing",
    status: 429,
    body: "",
    expected: { message: "The provider answered 429 without saying why. Try again later.", type: "rate_limit_error" },
  },
  { name: "broken JSON", status: 500, body: '{"error":', expected: { type: "server_error" } },
  { name: "JSON that says nothing", status: 400, body: "{}", expected: { type: "invalid_request_error" } },
];

for (const { name, status, body, expected } of CASES) {
  test(`an error of ${name} is understood`, () => {
    assert.partialDeepStrictEqual(read(status, body), { status, ...expected });
  });
}

test("19: a prompt that is too long is recognised whatever the vendor, and keeps its status", () => {
  const messages = [
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "the request exceeds the available context size, try increasing it",
    "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096.",
  ];
  for (const message of messages) {
    for (const status of [400, 413, 422]) {
      const error = read(status, JSON.stringify({ error: { message, code: status } }));
      assert.deepEqual([error.status, error.code], [status, "context_length_exceeded"], message);
    }
    assert.equal(read(429, JSON.stringify({ error: { message } })).code, null);
  }
});

test("a message is cut, whatever its length", () => {
  const error = read(400, JSON.stringify({ error: { message: "x".repeat(50_000) } }));
  assert.ok(error.message.length < 2_100);
});

test("a value that says nothing of an error is none", () => {
  assert.equal(readErrorJson(200, { id: "x", choices: [] }), undefined);
  assert.equal(readErrorJson(200, "x"), undefined);
  assert.equal(readErrorJson(200, undefined), undefined);
});
