/**
 * Realistic streams of the Messages API for the tests beside it, after the documentation's examples. It has no
 * test of its own; its name keeps it out of releases.
 */
import type { JsonObject } from "../../lib/json.ts";

function start(id: string, more: JsonObject = {}): JsonObject {
  const message = {
    id,
    type: "message",
    role: "assistant",
    model: "claude-opus-4-8",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: {
      input_tokens: 472,
      cache_creation_input_tokens: 10,
      cache_read_input_tokens: 1000,
      cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 0 },
      output_tokens: 2,
      service_tier: "standard",
    },
    ...more,
  };
  return { type: "message_start", message };
}

function open(index: number, block: JsonObject): JsonObject {
  return { type: "content_block_start", index, content_block: block };
}

function delta(index: number, type: string, more: JsonObject): JsonObject {
  return { type: "content_block_delta", index, delta: { type, ...more } };
}

function close(index: number): JsonObject {
  return { type: "content_block_stop", index };
}

function end(stopReason: string, more: JsonObject = {}, usage: JsonObject = { output_tokens: 89 }): JsonObject[] {
  const change = { stop_reason: stopReason, stop_sequence: null, ...more };
  return [{ type: "message_delta", delta: change, usage }, { type: "message_stop" }];
}

/** The data of each event of some streams. */
export const STREAM_EVENTS: Readonly<Record<string, readonly JsonObject[]>> = {
  "text in several scripts": [
    start("msg_1"),
    open(0, { type: "text", text: "" }),
    delta(0, "text_delta", { text: "Grüße, 世界 " }),
    delta(0, "text_delta", { text: '👋🏽 "quoted"\n' }),
    close(0),
    ...end("end_turn"),
  ],
  "thinking, then two tool calls": [
    start("msg_2", { container: null, stop_details: null }),
    open(0, { type: "thinking", thinking: "", signature: "" }),
    delta(0, "thinking_delta", { thinking: "Two calls" }),
    delta(0, "thinking_delta", { thinking: " are needed." }),
    delta(0, "signature_delta", { signature: "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds/+z==" }),
    close(0),
    open(1, { type: "redacted_thinking", data: "EmwKAhgB" }),
    close(1),
    open(2, { type: "text", text: "" }),
    delta(2, "text_delta", { text: "I look." }),
    close(2),
    open(3, { type: "tool_use", id: "toolu_1", name: "weather", input: {}, caller: { type: "direct" } }),
    delta(3, "input_json_delta", { partial_json: "" }),
    delta(3, "input_json_delta", { partial_json: '{"city": "Par' }),
    delta(3, "input_json_delta", { partial_json: 'is", "n": [1, 2.50]}' }),
    close(3),
    open(4, { type: "tool_use", id: "toolu_2", name: "time", input: {} }),
    close(4),
    ...end(
      "tool_use",
      { container: null, stop_details: null },
      {
        input_tokens: 472,
        cache_creation_input_tokens: 10,
        cache_read_input_tokens: 1000,
        output_tokens: 120,
        output_tokens_details: { thinking_tokens: 40 },
      },
    ),
  ],
  "server tools with citations": [
    start("msg_3"),
    open(0, { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }),
    delta(0, "input_json_delta", { partial_json: '{"query":' }),
    delta(0, "input_json_delta", { partial_json: '"sluice"}' }),
    close(0),
    open(1, {
      type: "web_search_tool_result",
      tool_use_id: "srvtoolu_1",
      content: [{ type: "web_search_result", url: "https://example.com", title: "Sluice", encrypted_content: "Eq" }],
    }),
    close(1),
    open(2, { type: "text", text: "", citations: [] }),
    delta(2, "text_delta", { text: "A gate." }),
    delta(2, "citations_delta", {
      citation: {
        type: "web_search_result_location",
        cited_text: "gate",
        encrypted_index: "Eo8",
        title: "Sluice",
        url: "https://example.com",
      },
    }),
    close(2),
    ...end("pause_turn", {}, { output_tokens: 9, server_tool_use: { web_search_requests: 1 } }),
  ],
  "thinking that is not shown, a stop sequence": [
    start("msg_4"),
    open(0, { type: "thinking", thinking: "", signature: "" }),
    delta(0, "signature_delta", { signature: "EqQBCgIYAg==" }),
    close(0),
    open(1, { type: "text", text: "" }),
    delta(1, "text_delta", { text: "a" }),
    close(1),
    ...end("stop_sequence", { stop_sequence: "###" }),
  ],
  refused: [
    start("msg_5"),
    ...end("refusal", { stop_details: { type: "refusal", category: "cyber", explanation: null } }),
  ],
};

/** The events as SSE text, with a ping after the start, as the vendor sends it. */
export function sseText(events: readonly JsonObject[]): string {
  const [first, ...rest] = events;
  return [first, { type: "ping" }, ...rest]
    .map((event) => `event: ${String(event?.["type"])}\ndata: ${JSON.stringify(event)}\n\n`)
    .join("");
}
