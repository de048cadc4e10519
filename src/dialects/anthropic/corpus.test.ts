/**
 * Realistic bodies of the Messages API for the tests beside it, after the documentation's examples and typed by
 * the official SDK. It has no test of its own; its name keeps it out of releases.
 */
import type Anthropic from "@anthropic-ai/sdk";
import type { JsonObject } from "../../lib/json.ts";

const SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds/+z==";

/** Plain JSON as the wire has it. */
export function wire(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

const requests: Record<string, Anthropic.MessageCreateParams> = {
  plain: { model: "claude-opus-4-8", max_tokens: 1024, messages: [{ role: "user", content: "Hello, Claude" }] },
  "system and cache markers everywhere": {
    model: "claude-sonnet-5",
    max_tokens: 512,
    cache_control: { type: "ephemeral" },
    system: [
      { type: "text", text: "You are a librarian." },
      { type: "text", text: "The whole of Pride and Prejudice", cache_control: { type: "ephemeral", ttl: "1h" } },
    ],
    tools: [
      {
        name: "find",
        description: "Finds a page",
        input_schema: { type: "object", properties: { words: { type: "string" } }, required: ["words"] },
        cache_control: { type: "ephemeral", ttl: "5m" },
        strict: true,
      },
    ],
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "Who is Wickham?", cache_control: { type: "ephemeral" } },
          { type: "text", text: "Be short." },
        ],
      },
    ],
    metadata: { user_id: "user-7f" },
    stop_sequences: ["\n\nHuman:"],
    service_tier: "standard_only",
    stream: true,
  },
  "thinking over a tool turn": {
    model: "claude-opus-4-5",
    max_tokens: 16000,
    thinking: { type: "enabled", budget_tokens: 10000, display: "summarized" },
    tool_choice: { type: "auto", disable_parallel_tool_use: false },
    tools: [{ name: "weather", input_schema: { type: "object", properties: {} }, type: "custom" }],
    messages: [
      { role: "user", content: "Weather in Paris and Rome?" },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Two calls are needed.\n", signature: SIGNATURE },
          { type: "redacted_thinking", data: "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIw" },
          { type: "text", text: "I look it up.", citations: null },
          { type: "tool_use", id: "toolu_01A", name: "weather", input: { city: "Paris" } },
          { type: "tool_use", id: "toolu_01B", name: "weather", input: { city: "Rome", deep: { a: [1, null, "x"] } } },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "toolu_01A", content: "15 degrees" },
          {
            type: "tool_result",
            tool_use_id: "toolu_01B",
            is_error: true,
            cache_control: { type: "ephemeral" },
            content: [
              { type: "text", text: "station is down" },
              { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } },
            ],
          },
          { type: "text", text: "Go on." },
        ],
      },
    ],
  },
  "media of every source": {
    model: "claude-sonnet-4-5",
    max_tokens: 100,
    messages: [
      {
        role: "user",
        content: [
          { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
          {
            type: "image",
            source: { type: "file", file_id: "file_01" },
            transformations: { oversized_image: "error" },
          },
          {
            type: "document",
            title: "Report",
            context: "of 2026",
            citations: { enabled: true },
            source: { type: "base64", media_type: "application/pdf", data: "JVBERi0xLjQK" },
            cache_control: { type: "ephemeral" },
          },
          { type: "document", source: { type: "text", media_type: "text/plain", data: "Grass is green." } },
          { type: "document", source: { type: "url", url: "https://example.com/a.pdf" } },
          { type: "document", source: { type: "content", content: [{ type: "text", text: "chunk" }] } },
          {
            type: "search_result",
            source: "https://example.com",
            title: "Hit",
            content: [{ type: "text", text: "found" }],
            citations: { enabled: true },
          },
        ],
      },
    ],
  },
  "server tools, structured output, effort, later system messages": {
    model: "claude-opus-4-8",
    max_tokens: 4096,
    thinking: { type: "adaptive" },
    output_config: {
      effort: "xhigh",
      format: { type: "json_schema", schema: { type: "object", properties: { a: { type: "number" } } } },
    },
    container: { id: "container_1" },
    inference_geo: "eu",
    tools: [
      { type: "web_search_20250305", name: "web_search", max_uses: 3, cache_control: { type: "ephemeral" } },
      { name: "late", input_schema: { type: "object" }, defer_loading: true, eager_input_streaming: true },
    ],
    tool_choice: { type: "tool", name: "late" },
    messages: [
      { role: "user", content: "Search." },
      {
        role: "assistant",
        content: [
          { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "sluice" } },
          {
            type: "web_search_tool_result",
            tool_use_id: "srvtoolu_1",
            content: [
              {
                type: "web_search_result",
                url: "https://example.com",
                title: "Sluice",
                encrypted_content: "EqgfCioIARgB",
                page_age: null,
              },
            ],
          },
          {
            type: "text",
            text: "A gate.",
            citations: [
              {
                type: "web_search_result_location",
                cited_text: "gate",
                encrypted_index: "Eo8",
                title: "Sluice",
                url: "https://example.com",
              },
            ],
          },
        ],
      },
      { role: "user", content: "More." },
      { role: "system", content: "Answer in French from now on." },
    ],
  },
  "effort without thinking": {
    model: "claude-opus-5",
    max_tokens: 64,
    output_config: { effort: "low" },
    tool_choice: { type: "none" },
    messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
  },
};

/** Requests of clients. */
export const REQUESTS: Readonly<Record<string, JsonObject>> = {
  ...Object.fromEntries(Object.entries(requests).map(([name, body]) => [name, wire(body)])),
  "sampling and fields of betas": {
    model: "claude-haiku-4-5",
    max_tokens: 5,
    temperature: 0.5,
    top_p: 0.9,
    top_k: 40,
    stream: false,
    mcp_servers: [{ type: "url", url: "https://mcp.example.com", name: "m" }],
    context_management: { edits: [{ type: "clear_tool_uses_20250919" }] },
    metadata: { user_id: "u", tier: "gold" },
    output_config: { task_budget: { type: "tokens", total: 64000 } },
    messages: [
      { role: "user", content: "x" },
      { role: "assistant", content: [{ type: "compaction", content: "summary", encrypted_content: null }] },
      { role: "user", content: "y" },
      { role: "system", content: [{ type: "text", text: "z" }], clear_at: "next_user_message" },
    ],
  },
};

const usage = {
  input_tokens: 2095,
  cache_creation_input_tokens: 2051,
  cache_read_input_tokens: 10_000,
  cache_creation: { ephemeral_5m_input_tokens: 1000, ephemeral_1h_input_tokens: 1051 },
  output_tokens: 503,
  output_tokens_details: { thinking_tokens: 120 },
  server_tool_use: { web_search_requests: 1, web_fetch_requests: 0 },
  service_tier: "standard",
  inference_geo: "eu",
  speed: null,
} as const;

/** Whole answers. */
export const ANSWERS: Readonly<Record<string, JsonObject>> = {
  "plain, of an older vendor": {
    id: "msg_013Zva2CMHLNnjNjJKqJ2EF",
    type: "message",
    role: "assistant",
    model: "claude-opus-4-8",
    content: [{ type: "text", text: "Hi! My name is Claude." }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 10, output_tokens: 25 },
  },
  "thinking, tools, full usage": wire({
    id: "msg_01XFDUDYJgAACzvnptvVoYEL",
    type: "message",
    role: "assistant",
    model: "claude-opus-4-8",
    container: null,
    diagnostics: null,
    stop_details: null,
    content: [
      { type: "thinking", thinking: "", signature: SIGNATURE },
      { type: "text", text: "I check.", citations: null },
      { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Paris" }, caller: { type: "direct" } },
      { type: "tool_use", id: "toolu_2", name: "time", input: {}, caller: { type: "direct" } },
    ],
    stop_reason: "tool_use",
    stop_sequence: null,
    usage,
  }),
  "server tools with citations, paused": wire({
    id: "msg_2",
    type: "message",
    role: "assistant",
    model: "claude-opus-4-8",
    content: [
      { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "sluice" } },
      { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] },
      {
        type: "text",
        text: "A gate.",
        citations: [
          {
            type: "char_location",
            cited_text: "gate",
            document_index: 0,
            document_title: null,
            start_char_index: 2,
            end_char_index: 6,
          },
        ],
      },
    ],
    stop_reason: "pause_turn",
    stop_sequence: null,
    container: { id: "container_1", expires_at: "2027-01-01T00:00:00Z", skills: null },
    usage,
  }),
  "a stop sequence": {
    id: "msg_3",
    type: "message",
    role: "assistant",
    model: "claude-opus-4-8",
    content: [],
    stop_reason: "stop_sequence",
    stop_sequence: "###",
    usage: { input_tokens: 1, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 0 },
  },
  "a reason that is not known yet": {
    id: "msg_4",
    type: "message",
    role: "assistant",
    model: "claude-opus-4-8",
    content: [{ type: "compaction", content: "summary", encrypted_content: null }],
    stop_reason: "compaction",
    stop_sequence: null,
    context_management: { applied_edits: [] },
    usage: { input_tokens: 1, cache_creation_input_tokens: null, output_tokens: 9 },
  },
  refused: wire({
    id: "msg_5",
    type: "message",
    role: "assistant",
    model: "claude-opus-4-8",
    content: [{ type: "redacted_thinking", data: "EmwKAhgB" }],
    stop_reason: "refusal",
    stop_sequence: null,
    stop_details: { type: "refusal", category: "cyber", explanation: null },
    usage,
  }),
};
