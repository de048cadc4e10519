import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "../lib/json.ts";
import { answerOffline, ECHO_LABEL } from "./offline.ts";

const USER = {
  messages: [
    { role: "user", content: "first" },
    { role: "assistant", content: "a" },
    { role: "user", content: [{ type: "text", text: "Hello, Sluice! 😀" }] },
  ],
};

function json(body: JsonObject): JsonObject {
  const answer = answerOffline("chat", body);
  assert.ok(answer.kind === "json");
  return answer.body;
}

function events(body: JsonObject): JsonObject[] {
  const answer = answerOffline("chat", { ...body, stream: true });
  assert.ok(answer.kind === "stream");
  assert.equal(answer.chunks.at(-1), "data: [DONE]\n\n");
  return answer.chunks.slice(0, -1).map((chunk) => JSON.parse(/^data: (.*)\n\n$/.exec(chunk)?.[1] ?? "") as JsonObject);
}

test("echo repeats the last user message under its label, and streams the same words", () => {
  const whole = JSON.stringify(json(USER));
  const expected = `${ECHO_LABEL} Hello, Sluice! 😀`;
  assert.ok(whole.includes(JSON.stringify(expected)), whole);
  const chunks = events({ ...USER, stream_options: { include_usage: true } });
  const text = chunks.map((chunk) => /"content":"([^"]*)"/.exec(JSON.stringify(chunk))?.[1] ?? "").join("");
  assert.equal(text, expected);
  assert.ok(chunks.length > 6);
  assert.deepEqual(chunks.at(-1)?.["usage"], json(USER)["usage"]);
  assert.equal(
    events(USER).some((chunk) => "usage" in chunk),
    false,
  );
});

test("echo calls the tool that is forced, with the required arguments", () => {
  const parameters = {
    type: "object",
    properties: { n: { type: "integer" }, e: { enum: ["x"] }, o: {} },
    required: ["n", "e"],
  };
  const tools = [
    { type: "function", function: { name: "a" } },
    { type: "function", function: { name: "b", parameters } },
  ];
  const named = JSON.stringify(json({ ...USER, tools, tool_choice: { type: "function", function: { name: "b" } } }));
  assert.match(named, /"name":"b","arguments":"\{\\"n\\":1,\\"e\\":\\"x\\"\}".*"finish_reason":"tool_calls"/);
  assert.match(JSON.stringify(json({ ...USER, tools, tool_choice: "required" })), /"name":"a"/);
  assert.doesNotMatch(JSON.stringify(json({ ...USER, tools })), /tool_calls/);
  assert.match(
    JSON.stringify(events({ ...USER, tools, tool_choice: "required" })),
    /"tool_calls":\[\{"index":0,"id":"call_/,
  );
});

test("echo's embeddings have a limit: a few bytes must not ask for gigabytes", () => {
  const input = Array.from({ length: 300 }, () => "a");
  const fits = answerOffline("embeddings", { input, dimensions: 3_000 });
  const exceeds = answerOffline("embeddings", { input, dimensions: 4_000 });
  assert.deepEqual([fits.kind === "json" && fits.status, exceeds.kind === "json" && exceeds.status], [200, 400]);
});

test("echo's embeddings in base64 are those in numbers", () => {
  const floats = answerOffline("embeddings", { input: ["a", "b"], dimensions: 8 });
  const base64 = answerOffline("embeddings", { input: ["a", "b"], dimensions: 8, encoding_format: "base64" });
  assert.ok(floats.kind === "json" && base64.kind === "json");
  const numbers = (floats.body["data"] as { embedding: number[] }[]).map((entry) => entry.embedding);
  const decoded = (base64.body["data"] as { embedding: string }[]).map((entry) => {
    const bytes = Buffer.from(entry.embedding, "base64");
    return Array.from({ length: 8 }, (_, index) => bytes.readFloatLE(index * 4));
  });
  assert.deepEqual(decoded, numbers);
  assert.notDeepEqual(numbers[0], numbers[1]);
});

test("echo completes prompts and refuses what it cannot do", () => {
  const whole = answerOffline("completions", { prompt: "go on" });
  assert.ok(whole.kind === "json" && JSON.stringify(whole.body).includes(`"text":"${ECHO_LABEL} go on"`));
  for (const [operation, body] of [
    ["chat", {}],
    ["embeddings", {}],
    ["count_tokens", USER],
  ] as const) {
    const refused = answerOffline(operation, body);
    assert.ok(refused.kind === "json" && refused.status === 400, operation);
  }
});
