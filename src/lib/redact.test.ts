import assert from "node:assert/strict";
import { test } from "node:test";
import { redact } from "./redact.ts";

const REDACTED: readonly (readonly [string, string])[] = [
  ["dial tcp 10.0.0.7:8000: connection refused", "dial tcp [address]: connection refused"],
  ["http://vllm-0.models.svc.cluster.local:8000/v1 failed", "[address] failed"],
  ["no route to vllm-0.models.svc.cluster.local:8000", "no route to [address]"],
  ["HTTPConnectionPool(host='prefill-3', port=80)", "HTTPConnectionPool(host=[address], port=80)"],
  ["connect to vllm-decode-1:8000 failed", "connect to [address] failed"],
  ["see https://platform.openai.com/account/api-keys.", "see https://platform.openai.com/account/api-keys."],
  ["see https://wiki.example.internal/page", "see [address]"],
  ["GET https://api.example.com/v1?key=abc123456 failed", "GET https://api.example.com/v1 failed"],
  ["https://user:pw@example.com/x", "[address]"],
  ["at [fe80::1]:9000", "at [address]"],
  ["at ::1 and fd00:1:2::3", "at [address] and [address]"],
  ["Incorrect API key provided: sk-proj-****9abc.", "Incorrect API key provided: [key]."],
  ["Bearer abcdefgh is wrong", "Bearer [key] is wrong"],
];

const KEPT: readonly string[] = [
  "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
  "Invalid type for 'messages[0].content': expected a string at 12:30",
  "std::bad_alloc in llama.cpp",
  "The model `gpt-4o-mini` does not exist (ratio 1:2).",
];

test("addresses and keys go, the rest stays", () => {
  for (const [text, clean] of REDACTED) assert.equal(redact(text), clean);
  for (const text of KEPT) assert.equal(redact(text), text);
});

test("text made to be slow is not", () => {
  const startedAt = performance.now();
  for (const piece of ["a.", "1.", "a:", "f:", "sk-", "host=", "https://a."]) redact(piece.repeat(2000));
  assert.ok(performance.now() - startedAt < 1000);
});
