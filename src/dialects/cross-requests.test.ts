/**
 * Requests through every pair of client dialect and target dialect: what the provider reads is what the client
 * said. Both sides are told in one neutral notation, so each case is written once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../lib/json.ts";
import { DIALECTS } from "./builtin.ts";
import type { CacheControl, ChatRequest, ContentPart, DialectName } from "./form.ts";

const NAMES: readonly DialectName[] = ["openai", "anthropic"];
const MODELS: Readonly<Record<DialectName, string>> = { openai: "gpt-4o", anthropic: "claude-opus-4-5" };

/** What the provider gets. */
function forward(client: DialectName, target: DialectName, body: JsonObject): JsonObject {
  const form = DIALECTS[client].client.decodeChatRequest({ ...body, model: "user-model" });
  form.model = MODELS[target];
  form.cacheMarkers = "cache_control";
  const { body: encoded, dropped } = DIALECTS[target].target.encodeChatRequest(form, false);
  assert.deepEqual(dropped, []);
  assert.equal(encoded["model"], MODELS[target]);
  return JSON.parse(JSON.stringify(encoded)) as JsonObject;
}

/** A request as a reader of that dialect understands it, line by line. */
function tell(dialect: DialectName, body: JsonObject): string[] {
  const form = DIALECTS[dialect].client.decodeChatRequest({ ...body, model: "m" });
  const lines: string[] = [];
  for (const message of form.messages) {
    const role = message.role === "developer" ? "system" : message.role;
    const parts = message.content.map((part) => tellPart(role, part)).filter((line) => line !== undefined);
    // results come first in whatever message they stand
    lines.push(...parts.toSorted((a, b) => Number(b.startsWith("tool ")) - Number(a.startsWith("tool "))));
  }
  return [...lines, ...tellSettings(form)];
}

function mark(control: CacheControl | undefined): string {
  return control === undefined ? "" : ` [cache ${control.ttl ?? "default"}]`;
}

function tellPart(role: string, part: ContentPart): string | undefined {
  const marker = mark(part.cacheControl);
  switch (part.kind) {
    case "text":
      return `${role}: ${part.text}${marker}`;
    case "image":
      return `${role} image ${JSON.stringify(part.source)}${marker}`;
    case "document":
      return `${role} document ${part.title ?? ""} ${JSON.stringify(part.source)}${marker}`;
    case "toolCall":
      return `${role} calls ${part.id} ${part.name} ${JSON.stringify(JSON.parse(part.arguments))}${marker}`;
    case "toolResult":
      return `tool ${part.toolCallId} gives ${part.content.map((inner) => tellPart("", inner)).join(" ")}${marker}`;
    case "reasoning":
      return `${role} thinks ${part.redacted ?? part.text} signed ${part.signature ?? "nothing"}`;
    default:
      return `${role} ${part.kind}`;
  }
}

function tellSettings(form: ChatRequest): string[] {
  const lines = (form.tools ?? []).map(
    ({ name, description, parameters, strict, cacheControl }) =>
      `tool ${name}: ${description ?? ""} ${JSON.stringify(parameters)}${strict === true ? " strict" : ""}${mark(cacheControl)}`,
  );
  const add = (name: string, value: unknown): void => {
    if (value !== undefined) lines.push(`${name} ${JSON.stringify(value)}`);
  };
  add("choice", form.toolChoice);
  add("parallel", form.parallelToolCalls);
  add("schema", form.responseFormat?.kind === "schema" ? form.responseFormat.schema : undefined);
  add("limit", form.maxOutputTokens);
  add("temperature", form.temperature);
  add("top_p", form.topP);
  add("stop", form.stop);
  add("user", form.endUser);
  add("tier", form.serviceTier);
  add("stream", form.stream);
  return lines;
}

interface Case {
  readonly openai: JsonObject;
  readonly anthropic: JsonObject;
  readonly told: readonly string[];
}

const PNG = "iVBORw0KGgo=";
const PDF = "JVBERi0xLjQK";
const LOCATION: JsonObject = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds/+z==";
const ephemeral = { type: "ephemeral" };

const CASES: Readonly<Record<string, Case>> = {
  "text, system and settings": {
    openai: {
      messages: [
        { role: "system", content: "You are a librarian." },
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Hello" },
        { role: "user", content: [{ type: "text", text: "Grüße, 世界" }] },
      ],
      max_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      stop: ["###"],
      user: "u-1",
      service_tier: "default",
      stream: true,
    },
    anthropic: {
      system: "You are a librarian.",
      messages: [
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Hello" },
        { role: "user", content: [{ type: "text", text: "Grüße, 世界" }] },
      ],
      max_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      stop_sequences: ["###"],
      metadata: { user_id: "u-1" },
      service_tier: "standard_only",
      stream: true,
    },
    told: [
      "system: You are a librarian.",
      "user: Hi",
      "assistant: Hello",
      "user: Grüße, 世界",
      "limit 100",
      "temperature 0.5",
      "top_p 0.9",
      'stop ["###"]',
      'user "u-1"',
      'tier "default"',
      "stream true",
    ],
  },
  "images and documents": {
    openai: {
      max_tokens: 9,
      messages: [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
            { type: "image_url", image_url: { url: "https://example.com/a.png" } },
            { type: "file", file: { filename: "a.pdf", file_data: `data:application/pdf;base64,${PDF}` } },
          ],
        },
      ],
    },
    anthropic: {
      max_tokens: 9,
      messages: [
        {
          role: "user",
          content: [
            { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
            { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
            {
              type: "document",
              title: "a.pdf",
              source: { type: "base64", media_type: "application/pdf", data: PDF },
            },
          ],
        },
      ],
    },
    told: [
      `user image {"kind":"base64","mediaType":"image/png","data":"${PNG}"}`,
      'user image {"kind":"url","url":"https://example.com/a.png"}',
      `user document a.pdf {"kind":"base64","mediaType":"application/pdf","data":"${PDF}"}`,
      "limit 9",
      "stream false",
    ],
  },
  "parallel tool calls and their results": {
    openai: {
      max_tokens: 9,
      tools: [
        { type: "function", function: { name: "weather", description: "d", parameters: LOCATION, strict: true } },
      ],
      tool_choice: { type: "function", function: { name: "weather" } },
      parallel_tool_calls: false,
      messages: [
        { role: "user", content: "Paris and Rome?" },
        {
          role: "assistant",
          content: "I look.",
          tool_calls: [
            { id: "call_1", type: "function", function: { name: "weather", arguments: '{"city": "Paris"}' } },
            { id: "call_2", type: "function", function: { name: "weather", arguments: '{"city":"Rome","n":[1,2.5]}' } },
          ],
        },
        { role: "tool", tool_call_id: "call_1", content: "15" },
        { role: "tool", tool_call_id: "call_2", content: [{ type: "text", text: "20" }] },
        { role: "user", content: "And?" },
      ],
    },
    anthropic: {
      max_tokens: 9,
      tools: [{ name: "weather", description: "d", input_schema: LOCATION, strict: true }],
      tool_choice: { type: "tool", name: "weather", disable_parallel_tool_use: true },
      messages: [
        { role: "user", content: "Paris and Rome?" },
        {
          role: "assistant",
          content: [
            { type: "text", text: "I look." },
            { type: "tool_use", id: "call_1", name: "weather", input: { city: "Paris" } },
            { type: "tool_use", id: "call_2", name: "weather", input: { city: "Rome", n: [1, 2.5] } },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "call_1", content: "15" },
            { type: "tool_result", tool_use_id: "call_2", content: [{ type: "text", text: "20" }] },
            { type: "text", text: "And?" },
          ],
        },
      ],
    },
    told: [
      "user: Paris and Rome?",
      "assistant: I look.",
      'assistant calls call_1 weather {"city":"Paris"}',
      'assistant calls call_2 weather {"city":"Rome","n":[1,2.5]}',
      "tool call_1 gives : 15",
      "tool call_2 gives : 20",
      "user: And?",
      `tool weather: d ${JSON.stringify(LOCATION)} strict`,
      'choice {"kind":"tool","name":"weather"}',
      "parallel false",
      "limit 9",
      "stream false",
    ],
  },
  "acceptance 15: cache markers at the same places": {
    openai: {
      max_tokens: 9,
      tools: [{ type: "function", function: { name: "f", parameters: LOCATION }, cache_control: ephemeral }],
      messages: [
        {
          role: "system",
          content: [
            { type: "text", text: "short" },
            { type: "text", text: "long", cache_control: { type: "ephemeral", ttl: "1h" } },
          ],
        },
        {
          role: "user",
          content: [
            { type: "text", text: "book", cache_control: { type: "ephemeral", ttl: "5m" } },
            { type: "text", text: "question" },
            { type: "image_url", image_url: { url: "https://example.com/a.png" }, cache_control: ephemeral },
          ],
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "c1", content: "1", cache_control: ephemeral },
      ],
    },
    anthropic: {
      max_tokens: 9,
      tools: [{ name: "f", input_schema: LOCATION, cache_control: ephemeral }],
      system: [
        { type: "text", text: "short" },
        { type: "text", text: "long", cache_control: { type: "ephemeral", ttl: "1h" } },
      ],
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "book", cache_control: { type: "ephemeral", ttl: "5m" } },
            { type: "text", text: "question" },
            { type: "image", source: { type: "url", url: "https://example.com/a.png" }, cache_control: ephemeral },
          ],
        },
        { role: "assistant", content: [{ type: "tool_use", id: "c1", name: "f", input: {} }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "c1", content: "1", cache_control: ephemeral }] },
      ],
    },
    told: [
      "system: short",
      "system: long [cache 1h]",
      "user: book [cache 5m]",
      "user: question",
      'user image {"kind":"url","url":"https://example.com/a.png"} [cache default]',
      "assistant calls c1 f {}",
      "tool c1 gives : 1 [cache default]",
      `tool f:  ${JSON.stringify(LOCATION)} [cache default]`,
      "limit 9",
      "stream false",
    ],
  },
  "acceptance 16: thinking with signatures over a tool turn": {
    openai: {
      max_tokens: 9,
      messages: [
        { role: "user", content: "q" },
        {
          role: "assistant",
          content: null,
          reasoning_details: [
            { type: "reasoning.text", text: "hm\n", signature: SIGNATURE, format: "anthropic-claude-v1", index: 0 },
            { type: "reasoning.encrypted", data: "EmwK", format: "anthropic-claude-v1", index: 1 },
          ],
          tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "c1", content: "1" },
      ],
    },
    anthropic: {
      max_tokens: 9,
      messages: [
        { role: "user", content: "q" },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "hm\n", signature: SIGNATURE },
            { type: "redacted_thinking", data: "EmwK" },
            { type: "tool_use", id: "c1", name: "f", input: {} },
          ],
        },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "c1", content: "1" }] },
      ],
    },
    told: [
      "user: q",
      `assistant thinks hm\n signed ${SIGNATURE}`,
      "assistant thinks EmwK signed nothing",
      "assistant calls c1 f {}",
      "tool c1 gives : 1",
      "limit 9",
      "stream false",
    ],
  },
  "structured output, any tool": {
    openai: {
      max_tokens: 9,
      messages: [{ role: "user", content: "q" }],
      response_format: { type: "json_schema", json_schema: { name: "place", schema: LOCATION } },
      tools: [{ type: "function", function: { name: "f", parameters: LOCATION } }],
      tool_choice: "required",
    },
    anthropic: {
      max_tokens: 9,
      messages: [{ role: "user", content: "q" }],
      output_config: { format: { type: "json_schema", schema: LOCATION } },
      tools: [{ name: "f", input_schema: LOCATION }],
      tool_choice: { type: "any" },
    },
    told: [
      "user: q",
      `tool f:  ${JSON.stringify(LOCATION)}`,
      'choice {"kind":"required"}',
      `schema ${JSON.stringify(LOCATION)}`,
      "limit 9",
      "stream false",
    ],
  },
};

for (const [name, scenario] of Object.entries(CASES)) {
  for (const client of NAMES) {
    test(`${client} says it: ${name}`, () => {
      assert.deepEqual(tell(client, scenario[client]), scenario.told);
    });

    for (const target of NAMES) {
      test(`${client} to ${target}: ${name}`, () => {
        assert.deepEqual(tell(target, forward(client, target, scenario[client])), scenario.told);
      });
    }
  }
}

test("a failed tool's result is one to both", () => {
  const results = [{ type: "tool_result", tool_use_id: "c1", is_error: true, content: "no such city" }];
  const call = [{ type: "tool_use", id: "c1", name: "f", input: {} }];
  const messages = [
    { role: "user", content: "q" },
    { role: "assistant", content: call },
    { role: "user", content: results },
  ];
  const { messages: encoded } = forward("anthropic", "openai", { max_tokens: 9, messages });
  assert.ok(Array.isArray(encoded));
  assert.deepEqual(encoded.at(-1), { role: "tool", tool_call_id: "c1", content: "Error: no such city" });
});

test("an effort is one to both", () => {
  const openai = { messages: [{ role: "user", content: "q" }], max_tokens: 5000 };
  const { thinking } = forward("openai", "anthropic", { ...openai, reasoning_effort: "high" });
  assert.deepEqual(thinking, { type: "enabled", budget_tokens: 4000 });
  const back = forward("anthropic", "openai", { ...openai, thinking: { type: "enabled", budget_tokens: 4999 } });
  assert.equal(back["reasoning_effort"], "medium");
  const named = forward("anthropic", "openai", {
    ...openai,
    thinking: { type: "adaptive" },
    output_config: { effort: "low" },
  });
  assert.equal(named["reasoning_effort"], "low");
});

interface Refusal {
  readonly client: DialectName;
  readonly field: string;
  readonly body: JsonObject;
}

const QUESTION: JsonObject = { model: "m", max_tokens: 9, messages: [{ role: "user", content: "q" }] };
const asking = (client: DialectName, field: string, more: JsonObject): Refusal => ({
  client,
  field,
  body: { ...QUESTION, ...more },
});
const saying = (client: DialectName, field: string, block: JsonObject): Refusal =>
  asking(client, field, { messages: [{ role: "user", content: [{ type: "text", text: "q" }, block] }] });

const REFUSALS: readonly Refusal[] = [
  asking("openai", "seed", { seed: 7 }),
  asking("openai", "n", { n: 2 }),
  asking("openai", "logprobs", { logprobs: true }),
  asking("openai", "logit_bias", { logit_bias: { "1": 2 } }),
  asking("openai", "presence_penalty", { presence_penalty: 0.5 }),
  asking("openai", "frequency_penalty", { frequency_penalty: 0.5 }),
  asking("openai", "response_format", { response_format: { type: "json_object" } }),
  asking("openai", "audio", { audio: { voice: "alloy", format: "mp3" } }),
  asking("openai", "guided_regex", { guided_regex: "a+" }),
  asking("openai", "tools[0]", { tools: [{ type: "custom", custom: { name: "x" } }] }),
  saying("openai", "messages[0].content[1]", { type: "input_audio", input_audio: { data: "AA==", format: "wav" } }),
  saying("openai", "messages[0].content[1].file.file_id", { type: "file", file: { file_id: "file-1" } }),
  asking("anthropic", "mcp_servers", { mcp_servers: [{ type: "url", url: "https://example.com", name: "m" }] }),
  asking("anthropic", "context_management", { context_management: { edits: [] } }),
  asking("anthropic", "tools.0", { tools: [{ type: "web_search_20250305", name: "web_search" }] }),
  asking("anthropic", "tools.0.defer_loading", { tools: [{ name: "f", input_schema: {}, defer_loading: true }] }),
  saying("anthropic", "messages.0.content.1", { type: "search_result", source: "s", title: "t", content: [] }),
  saying("anthropic", "messages.0.content.1.citations", {
    type: "document",
    source: { type: "text", media_type: "text/plain", data: "d" },
    citations: { enabled: true },
  }),
  saying("anthropic", "messages.0.content.1.source.file_id", {
    type: "image",
    source: { type: "file", file_id: "file_1" },
  }),
];

for (const { client, field, body } of REFUSALS) {
  const target = client === "openai" ? "anthropic" : "openai";
  test(`acceptance 18: ${client} to ${target} refuses ${field} by name, or says that it was dropped`, () => {
    const form = (): ChatRequest => ({ ...DIALECTS[client].client.decodeChatRequest(body), model: MODELS[target] });
    assert.throws(() => DIALECTS[target].target.encodeChatRequest(form(), false), {
      code: "unsupported_field",
      param: field,
    });
    assert.deepEqual(DIALECTS[target].target.encodeChatRequest(form(), true).dropped, [field]);
    // its own dialect takes it
    assert.deepEqual(DIALECTS[client].target.encodeChatRequest(form(), false).dropped, []);
  });
}
