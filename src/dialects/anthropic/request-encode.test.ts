/** Requests of other dialects, towards Anthropic. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../lib/json.ts";
import type { ChatRequest, ContentPart, Message } from "../form.ts";
import { encodeChatRequest } from "./request-encode.ts";

const USER: Message = { role: "user", content: [{ kind: "text", text: "Hi" }] };

function form(changes: Partial<ChatRequest>): ChatRequest {
  return {
    origin: "openai",
    model: "claude-opus-4-8",
    messages: [USER],
    stream: false,
    includeUsage: false,
    ...changes,
  };
}

function encode(changes: Partial<ChatRequest>): JsonObject {
  return encodeChatRequest(form(changes), false).body;
}

function text(role: Message["role"], words: string): Message {
  return { role, content: [{ kind: "text", text: words }], plain: true };
}

function user(...content: ContentPart[]): Partial<ChatRequest> {
  return { messages: [{ role: "user", content }] };
}

test("leading system and developer messages are the system parameter, with their cache markers", () => {
  const marked: Message = { role: "developer", content: [{ kind: "text", text: "b", cacheControl: { ttl: "1h" } }] };
  const body = encode({ messages: [text("system", "a"), marked, USER] });
  assert.deepEqual(body["system"], [
    { type: "text", text: "a" },
    { type: "text", text: "b", cache_control: { type: "ephemeral", ttl: "1h" } },
  ]);
  assert.deepEqual(body["messages"], [{ role: "user", content: [{ type: "text", text: "Hi" }] }]);
});

test("tool messages are one user's turn that opens with the results, the user's words after them", () => {
  const call = (id: string): ContentPart => ({ kind: "toolCall", id, name: "f", arguments: '{"a":1}' });
  const result = (toolCallId: string, words: string): Message => ({
    role: "tool",
    name: "f",
    content: [{ kind: "toolResult", toolCallId, content: [{ kind: "text", text: words }], plain: true }],
  });
  const { messages } = encode({
    messages: [
      USER,
      { role: "assistant", content: [call("call_1"), call("functions.f:2")] },
      text("system", "careful"),
      result("call_1", "one"),
      text("user", "well?"),
      result("functions.f:2", ""),
    ],
  });
  assert.deepEqual(messages, [
    { role: "user", content: [{ type: "text", text: "Hi" }] },
    {
      role: "assistant",
      content: [
        { type: "tool_use", id: "call_1", name: "f", input: { a: 1 } },
        { type: "tool_use", id: "functions_2ef_3a2", name: "f", input: { a: 1 } },
      ],
    },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "call_1", content: "one" },
        { type: "tool_result", tool_use_id: "functions_2ef_3a2" },
        { type: "text", text: "<system-reminder>\ncareful\n</system-reminder>" },
        { type: "text", text: "well?" },
      ],
    },
  ]);
});

test("a later system message stays where the model takes it", () => {
  const conversation = [
    USER,
    text("system", "a"),
    text("developer", "b"),
    text("assistant", "ok"),
    USER,
    text("system", "c"),
  ];
  const { messages } = encode({ messages: conversation });
  const roles = (messages as JsonObject[]).map((message) => message["role"]);
  assert.deepEqual(roles, ["user", "system", "assistant", "user", "system"]);
  assert.deepEqual((messages as JsonObject[])[1]?.["content"], [
    { type: "text", text: "a" },
    { type: "text", text: "b" },
  ]);
});

for (const [model, why] of [
  ["claude-opus-4-8", "not after a user's turn"],
  ["claude-sonnet-4-5", "not with this model"],
] as const) {
  test(`a later system message is a reminder where it cannot stay: ${why}`, () => {
    const between = encode({
      model,
      messages: [USER, text("assistant", "ok"), text("system", "a"), text("user", "b")],
    });
    assert.deepEqual((between["messages"] as JsonObject[])[2], {
      role: "user",
      content: [
        { type: "text", text: "<system-reminder>\na\n</system-reminder>" },
        { type: "text", text: "b" },
      ],
    });
  });
}

test("a model that takes no system turns gets the reminder in the user's turn before", () => {
  const { messages } = encode({ model: "claude-opus-4-5", messages: [USER, text("system", "a")] });
  assert.deepEqual(messages, [
    {
      role: "user",
      content: [
        { type: "text", text: "Hi" },
        { type: "text", text: "<system-reminder>\na\n</system-reminder>" },
      ],
    },
  ]);
});

test("blank text, which Anthropic refuses, is left out; nothing but system messages is refused", () => {
  const { messages } = encode({ messages: [text("user", " \n"), USER, text("assistant", ""), text("user", "go")] });
  assert.deepEqual(messages, [
    { role: "user", content: [{ type: "text", text: "Hi" }] },
    { role: "user", content: [{ type: "text", text: "go" }] },
  ]);
  assert.throws(() => encode({ messages: [text("system", "a")] }), { code: "invalid_request", param: "messages" });
});

test("max_tokens, which is mandatory there, has a default by generation", () => {
  const limit = (model: string): unknown => encode({ model })["max_tokens"];
  assert.equal(limit("claude-opus-4-8"), 32_000);
  assert.equal(limit("claude-3-7-sonnet-latest"), 32_000);
  assert.equal(limit("claude-3-5-haiku-20241022"), 8192);
  assert.equal(limit("claude-3-haiku-20240307"), 4096);
  assert.equal(limit("deepseek-chat"), 8192);
  assert.equal(encode({ maxOutputTokens: 7 })["max_tokens"], 7);
});

test("data URLs are base64, text documents are text", () => {
  const body = encode(
    user(
      { kind: "image", source: { kind: "url", url: "data:image/png;base64,iVBORw0KGgo=" }, detail: "high" },
      { kind: "image", source: { kind: "url", url: "https://example.com/a.png" } },
      { kind: "document", title: "a.pdf", source: { kind: "base64", mediaType: "application/pdf", data: "JVBERi0=" } },
      { kind: "document", source: { kind: "url", url: "data:text/markdown;charset=utf-8;base64,R3LDvMOf" } },
      { kind: "document", source: { kind: "url", url: "data:,Gr%C3%BC%C3%9F" } },
    ),
  );
  assert.deepEqual((body["messages"] as JsonObject[])[0]?.["content"], [
    { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } },
    { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
    { type: "document", title: "a.pdf", source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" } },
    { type: "document", source: { type: "text", media_type: "text/plain", data: "Grüß" } },
    { type: "document", source: { type: "text", media_type: "text/plain", data: "Grüß" } },
  ]);
});

test("tools, choice and parallel calls", () => {
  const tools: ChatRequest["tools"] = [
    { kind: "function", name: "f", description: "d", strict: true, parameters: { properties: {} }, cacheControl: {} },
    { kind: "function", name: "g" },
  ];
  const body = encode({ tools, parallelToolCalls: false });
  assert.deepEqual(body["tools"], [
    {
      name: "f",
      description: "d",
      strict: true,
      input_schema: { type: "object", properties: {} },
      cache_control: { type: "ephemeral" },
    },
    { name: "g", input_schema: { type: "object" } },
  ]);
  assert.deepEqual(body["tool_choice"], { type: "auto", disable_parallel_tool_use: true });
  assert.deepEqual(encode({ tools, toolChoice: { kind: "required" } })["tool_choice"], { type: "any" });
  assert.deepEqual(encode({ tools, toolChoice: { kind: "tool", name: "g" }, parallelToolCalls: true })["tool_choice"], {
    type: "tool",
    name: "g",
    disable_parallel_tool_use: false,
  });
  assert.deepEqual(encode({ tools, toolChoice: { kind: "none" }, parallelToolCalls: false })["tool_choice"], {
    type: "none",
  });
});

test("user, service tier, response format and values that say as usual", () => {
  const body = encode({
    endUser: "u1",
    serviceTier: "default",
    responseFormat: { kind: "schema", name: "n", description: "d", strict: true, schema: { type: "object" } },
    temperature: 1,
    topP: 1,
    presencePenalty: 0,
    logitBias: {},
    logprobs: false,
    candidates: 1,
  });
  assert.deepEqual(body, {
    model: "claude-opus-4-8",
    messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    max_tokens: 32_000,
    metadata: { user_id: "u1" },
    service_tier: "standard_only",
    output_config: { format: { type: "json_schema", schema: { type: "object", description: "d" } } },
  });
});

const effort = (model: string, settings: ChatRequest["reasoning"], maxOutputTokens?: number): JsonObject => {
  const limit = maxOutputTokens === undefined ? {} : { maxOutputTokens };
  const { thinking, output_config: config } = encode({
    model,
    ...limit,
    ...(settings === undefined ? {} : { reasoning: settings }),
  });
  return { thinking, config };
};

test("an effort is adaptive thinking with an effort, or a budget with older models", () => {
  const high = { enabled: true, effort: "high" };
  assert.deepEqual(effort("claude-opus-4-8", high), { thinking: { type: "adaptive" }, config: { effort: "high" } });
  assert.deepEqual(effort("claude-opus-4-8", { enabled: true, effort: "minimal" }).config, { effort: "low" });
  assert.deepEqual(effort("claude-opus-4-8", { enabled: true, effort: "xhigh" }).config, { effort: "xhigh" });
  assert.deepEqual(effort("claude-sonnet-4-6", { enabled: true, effort: "xhigh" }).config, { effort: "high" });
  assert.deepEqual(effort("claude-opus-4-8", { enabled: true }), { thinking: { type: "adaptive" }, config: undefined });
  assert.deepEqual(effort("claude-opus-4-8", { enabled: true, budgetTokens: 9000 }).config, { effort: "medium" });
  assert.deepEqual(effort("claude-opus-4-5", high, 10_000), {
    thinking: { type: "enabled", budget_tokens: 8000 },
    config: undefined,
  });
  assert.deepEqual(effort("claude-opus-4-5", { enabled: true, effort: "low" }, 2000).thinking, {
    type: "enabled",
    budget_tokens: 1024,
  });
  assert.deepEqual(effort("deepseek-chat", { enabled: true, budgetTokens: 5000 }, 3000).thinking, {
    type: "enabled",
    budget_tokens: 2999,
  });
});

test("no thinking is said to those that think by themselves", () => {
  assert.deepEqual(effort("claude-opus-5-5", { enabled: true, effort: "none" }).thinking, { type: "disabled" });
  assert.equal(effort("claude-opus-4-5", { enabled: false }).thinking, undefined);
});

interface Refusal {
  readonly request: Partial<ChatRequest>;
  readonly field: string;
}

const thinkingOld = { model: "claude-opus-4-5", reasoning: { enabled: true, effort: "low" } };
const REFUSALS: readonly Refusal[] = [
  { request: { seed: 1 }, field: "seed" },
  { request: { candidates: 2 }, field: "n" },
  { request: { logprobs: true }, field: "logprobs" },
  { request: { topLogprobs: 3 }, field: "top_logprobs" },
  { request: { presencePenalty: 0.1 }, field: "presence_penalty" },
  { request: { frequencyPenalty: -1 }, field: "frequency_penalty" },
  { request: { logitBias: { "50256": -100 } }, field: "logit_bias" },
  { request: { responseFormat: { kind: "json" } }, field: "response_format" },
  { request: { serviceTier: "flex" }, field: "service_tier" },
  { request: { stop: ["ok", "\n"] }, field: "stop" },
  { request: { temperature: 0.5 }, field: "temperature" },
  { request: { model: "claude-opus-4-5", temperature: 1.5 }, field: "temperature" },
  { request: { ...thinkingOld, temperature: 0 }, field: "temperature" },
  { request: { ...thinkingOld, topP: 0.5 }, field: "top_p" },
  { request: { ...thinkingOld, topK: 5 }, field: "top_k" },
  { request: { ...thinkingOld, maxOutputTokens: 1024 }, field: "reasoning_effort" },
  { request: { reasoning: { enabled: true, effort: "ultra" } }, field: "reasoning_effort" },
  { request: { extra: { dialect: "openai", fields: { prediction: {} } } }, field: "prediction" },
  { request: { messages: [{ ...USER, name: "Bo" }] }, field: "messages[0].name" },
  {
    request: { messages: [{ ...USER, extra: { dialect: "openai", fields: { weight: 1 } } }] },
    field: "messages[0].weight",
  },
  { request: { tools: [{ kind: "opaque", name: "x", dialect: "openai", value: {} }] }, field: "tools[0]" },
  {
    request: user({ kind: "audio", data: "", format: "wav" }, { kind: "text", text: "x" }),
    field: "messages[0].content[0]",
  },
  {
    request: user({ kind: "image", source: { kind: "url", url: "https://example.com" }, detail: "low" }),
    field: "messages[0].content[0].image_url.detail",
  },
  {
    request: user({ kind: "text", text: "x" }, { kind: "document", source: { kind: "file", fileId: "f" } }),
    field: "messages[0].content[1].file.file_id",
  },
  {
    request: { messages: [USER, { role: "assistant", content: [{ kind: "reasoning", text: "hm" }] }] },
    field: "messages[1].reasoning_content",
  },
  {
    request: {
      messages: [USER, { role: "assistant", content: [{ kind: "toolCall", id: "a", name: "f", arguments: "{" }] }],
    },
    field: "messages[1].tool_calls[0].function.arguments",
  },
];

for (const { request, field } of REFUSALS) {
  test(`acceptance 18: ${field} is refused by name, or reported as dropped (${JSON.stringify(request).slice(0, 60)})`, () => {
    assert.throws(() => encodeChatRequest(form(request), false), { code: "unsupported_field", param: field });
    const { body, dropped } = encodeChatRequest(form(request), true);
    assert.deepEqual(dropped, [field]);
    assert.ok(Array.isArray(body["messages"]) && body["messages"].length > 0);
  });
}

test("a foreign field that says an option is off, and hints, pass", () => {
  const extra = { dialect: "openai", fields: { store: false, audio: null }, hints: { prompt_cache_key: "k" } } as const;
  assert.deepEqual(encodeChatRequest(form({ extra }), false).dropped, []);
});
