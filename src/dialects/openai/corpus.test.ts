/** Request bodies, answers and streams as clients, OpenAI, aggregators and engines really send them. */
import type { JsonObject } from "../../lib/json.ts";

const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Weather of a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
    strict: true,
  },
};
const HI = [{ role: "user", content: "Hi" }];

/** Requests; a stream asks for its usage, as it is added where it is missing. */
export const REQUESTS: Readonly<Record<string, JsonObject>> = {
  "the least": { model: "m", messages: HI },
  "every usual parameter": {
    model: "gpt-4o",
    messages: [
      { role: "system", content: "Be brief.", name: "boss" },
      { role: "user", content: "Hi", name: "ann" },
    ],
    temperature: 0.2,
    top_p: 0.9,
    n: 2,
    stop: ["\n\n", "END"],
    seed: 7,
    max_tokens: 100,
    presence_penalty: 0.1,
    frequency_penalty: -0.1,
    logit_bias: { "50256": -100 },
    logprobs: true,
    top_logprobs: 3,
    user: "u-1",
    service_tier: "flex",
    stream: false,
  },
  "OpenAI's newer parameters": {
    model: "gpt-5",
    messages: [{ role: "developer", content: [{ type: "text", text: "Be brief." }] }, ...HI],
    max_completion_tokens: 500,
    reasoning_effort: "minimal",
    verbosity: "low",
    safety_identifier: "s-1",
    prompt_cache_key: "k",
    prompt_cache_retention: "24h",
    prompt_cache_options: { mode: "explicit", ttl: "30m" },
    metadata: { team: "x" },
    store: true,
    prediction: { type: "content", content: "Hi there" },
    modalities: ["text", "audio"],
    audio: { format: "wav", voice: "alloy" },
    web_search_options: { search_context_size: "low" },
    moderation: { model: "omni-moderation-latest" },
  },
  "nulls, as SDKs write what is not set": {
    model: "m",
    messages: [{ role: "user", content: "Hi", name: null }],
    stop: null,
    temperature: null,
    max_tokens: null,
    tools: null,
    stream: null,
    stream_options: null,
    response_format: null,
    user: null,
    x: null,
  },
  "stop as a string": { model: "m", messages: HI, stop: "END" },
  "both names of the limit": { model: "m", messages: HI, max_tokens: 5, max_completion_tokens: 5 },
  "both names of the end user": { model: "m", messages: HI, user: "a", safety_identifier: "b" },
  "a stream with options": {
    model: "m",
    messages: HI,
    stream: true,
    stream_options: { include_usage: true, include_obfuscation: false, continuous_usage_stats: true },
  },
  "what only engines know": {
    model: "qwen3",
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What happens?" },
          { type: "video_url", video_url: { url: "https://example.com/a.mp4" } },
        ],
      },
    ],
    top_k: 20,
    min_p: 0.05,
    repetition_penalty: 1.1,
    chat_template_kwargs: { enable_thinking: false },
    guided_json: { type: "object" },
    stop_token_ids: [1, 2],
    cache_salt: "x",
    kv_transfer_params: { do_remote_decode: true },
  },
  "images, audio and files": {
    model: "gpt-4o",
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "image_url", image_url: { url: "https://example.com/a.png", detail: "high" } },
          { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } },
          { type: "image_url", image_url: { url: "data:image/svg+xml,%3Csvg/%3E", detail: null, id: "x" } },
          { type: "input_audio", input_audio: { data: "UklGRg==", format: "wav" } },
          { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0=" } },
          { type: "file", file: { filename: "b.pdf", file_data: "JVBERi0=" } },
          { type: "file", file: { filename: "c.pdf", file_data: "https://example.com/c.pdf" } },
          { type: "file", file: { file_id: "file-1" } },
        ],
      },
    ],
  },
  "tool calls and their results": {
    model: "gpt-4o",
    messages: [
      ...HI,
      {
        role: "assistant",
        content: null,
        tool_calls: [
          { id: "call_1", type: "function", function: { name: "get_weather", arguments: '{"city":"Rome"}' } },
          { id: "call_2", type: "function", function: { name: "get_weather", arguments: '{ "city": "Bonn" }' } },
          { id: "call_3", type: "custom", custom: { name: "sql", input: "SELECT 1" } },
        ],
      },
      { role: "tool", tool_call_id: "call_1", content: "sunny", name: "get_weather" },
      {
        role: "tool",
        tool_call_id: "call_2",
        content: [
          { type: "text", text: "rain" },
          { type: "text", text: "wind" },
        ],
      },
      { role: "tool", tool_call_id: "call_3", content: "" },
      {
        role: "assistant",
        content: "",
        tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "" } }],
      },
      { role: "tool", tool_call_id: "c", content: [] },
      {
        role: "assistant",
        tool_calls: [{ id: "d", type: "function", function: { name: "f", arguments: "{bad" }, x: 1 }],
      },
      { role: "tool", tool_call_id: "d", content: "no" },
    ],
    tools: [
      WEATHER,
      { type: "function", function: { name: "bare" } },
      { type: "function", function: { name: "loose", strict: null, parameters: {}, response: { type: "string" } } },
      { type: "custom", custom: { name: "sql", format: { type: "text" } } },
    ],
    tool_choice: "auto",
    parallel_tool_calls: false,
  },
  "a named tool": {
    model: "m",
    messages: HI,
    tools: [WEATHER],
    tool_choice: { type: "function", function: { name: "get_weather" } },
  },
  "a custom tool by name": { model: "m", messages: HI, tool_choice: { type: "custom", custom: { name: "sql" } } },
  "allowed tools": {
    model: "m",
    messages: HI,
    tools: [WEATHER],
    tool_choice: {
      type: "allowed_tools",
      allowed_tools: { mode: "auto", tools: [{ type: "function", function: { name: "get_weather" } }] },
    },
  },
  "an engine's tool choice": { model: "m", messages: HI, tool_choice: "any" },
  "the former functions": {
    model: "gpt-3.5-turbo",
    messages: [
      ...HI,
      { role: "assistant", content: null, function_call: { name: "f", arguments: "{}" } },
      { role: "function", name: "f", content: "1" },
      { role: "function", name: "f", content: null },
    ],
    functions: [{ name: "f", parameters: { type: "object", properties: {} } }],
    function_call: { name: "f" },
  },
  "an answer as SDKs send it back": {
    model: "m",
    messages: [
      ...HI,
      {
        role: "assistant",
        content: "Hello",
        refusal: null,
        annotations: [],
        audio: null,
        function_call: null,
        tool_calls: null,
        parsed: null,
      },
      {
        role: "assistant",
        content: "See here",
        annotations: [
          {
            type: "url_citation",
            url_citation: { start_index: 0, end_index: 8, url: "https://example.com", title: "x" },
          },
        ],
        tool_calls: [],
      },
    ],
  },
  refusals: {
    model: "m",
    messages: [
      ...HI,
      { role: "assistant", content: null, refusal: "No." },
      {
        role: "assistant",
        content: [
          { type: "text", text: "I think:" },
          { type: "refusal", refusal: "no." },
        ],
      },
      { role: "assistant", content: [] },
      { role: "assistant", refusal: "" },
      { role: "assistant", content: "spoken", audio: { id: "audio_1" } },
    ],
  },
  "reasoning as engines have it": {
    model: "deepseek-reasoner",
    messages: [
      ...HI,
      { role: "assistant", content: "Hello", reasoning_content: "Greet." },
      { role: "assistant", content: "Hello", reasoning: "Greet." },
      { role: "assistant", content: "Hello", reasoning: "Greet.", reasoning_content: "Greet." },
      { role: "assistant", content: "Hello", reasoning_content: "" },
      { role: "assistant", content: "Hello", reasoning_content: null },
    ],
  },
  "reasoning as aggregators have it": {
    model: "anthropic/claude-sonnet-4.5",
    messages: [
      ...HI,
      {
        role: "assistant",
        content: "Hello",
        reasoning: "Greet.",
        reasoning_details: [
          {
            type: "reasoning.text",
            text: "Greet.",
            signature: "c2ln",
            id: null,
            format: "anthropic-claude-v1",
            index: 0,
          },
          { type: "reasoning.encrypted", data: "b3BhcXVl", id: "rs_1", format: "openai-responses-v1", index: 1 },
          { type: "reasoning.summary", summary: "Thought.", format: "unknown" },
          { type: "reasoning.text", text: "", signature: "c2ln" },
        ],
      },
      {
        role: "assistant",
        content: null,
        reasoning_content: "Call it.",
        thinking_blocks: [
          { type: "thinking", thinking: "Call it.", signature: "c2ln" },
          { type: "redacted_thinking", data: "cmVk" },
        ],
        provider_specific_fields: { x: 1 },
        tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "c", content: "1" },
    ],
    reasoning: { effort: "high", exclude: false },
  },
  "a reasoning budget": {
    model: "m",
    messages: HI,
    reasoning: { max_tokens: 2000 },
    thinking: { type: "enabled", budget_tokens: 2000 },
  },
  "thinking off": { model: "glm", messages: HI, thinking: { type: "disabled" } },
  "no reasoning": { model: "gpt-5.1", messages: HI, reasoning_effort: "none" },
  "cache markers of other vendors": {
    model: "m",
    messages: [
      { role: "system", content: [{ type: "text", text: "Long", cache_control: { type: "ephemeral", ttl: "1h" } }] },
      { role: "user", content: "Long too", cache_control: { type: "ephemeral" } },
      { role: "assistant", content: "Yes", cache_control: { type: "ephemeral" } },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "c", content: "1", cache_control: { type: "ephemeral" } },
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: "https://example.com/a.png" }, cache_control: { type: "ephemeral" } },
        ],
      },
    ],
    tools: [
      { ...WEATHER, cache_control: { type: "ephemeral" } },
      { type: "function", function: { name: "g", cache_control: { type: "ephemeral" } } },
    ],
    cache_control: { type: "ephemeral" },
  },
  "cache markers of OpenAI": {
    model: "gpt-5.6",
    messages: [
      {
        role: "user",
        content: [{ type: "text", text: "Long", prompt_cache_breakpoint: { mode: "explicit", ttl: "12h" } }],
      },
      { role: "user", content: [{ type: "text", text: "x", prompt_cache_breakpoint: { mode: "explicit" } }] },
    ],
  },
  "a schema": {
    model: "m",
    messages: HI,
    response_format: {
      type: "json_schema",
      json_schema: { name: "person", description: "One", schema: { type: "object" }, strict: true },
    },
  },
  "a schema loosely": {
    model: "m",
    messages: HI,
    response_format: { type: "json_schema", json_schema: { name: "p", schema: {}, strict: null } },
  },
  json: { model: "m", messages: HI, response_format: { type: "json_object" } },
  text: { model: "m", messages: HI, response_format: { type: "text" } },
  "an engine's format": {
    model: "m",
    messages: HI,
    response_format: { type: "structural_tag", structures: [], triggers: [] },
  },
  "json with a schema, as an engine has it": {
    model: "m",
    messages: HI,
    response_format: { type: "json_object", schema: { type: "object" } },
  },
};

const USAGE = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };

/** Whole answers. */
export const ANSWERS: Readonly<Record<string, JsonObject>> = {
  OpenAI: {
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1730000000,
    model: "m",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "Hello", refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: "stop",
      },
    ],
    usage: {
      ...USAGE,
      prompt_tokens_details: { cached_tokens: 4, audio_tokens: 0, cache_write_tokens: 2 },
      completion_tokens_details: {
        reasoning_tokens: 1,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    },
    service_tier: "default",
    system_fingerprint: "fp_1",
  },
  "vLLM with reasoning and tools": {
    id: "chatcmpl-2",
    object: "chat.completion",
    created: 1730000001,
    model: "m",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          reasoning_content: "Let me see.",
          content: null,
          refusal: null,
          annotations: null,
          audio: null,
          function_call: null,
          tool_calls: [
            { id: "chatcmpl-tool-1", type: "function", function: { name: "f", arguments: '{"a": 1}' } },
            { id: "chatcmpl-tool-2", type: "function", function: { name: "g", arguments: "{}" } },
          ],
        },
        logprobs: null,
        finish_reason: "tool_calls",
        stop_reason: null,
        token_ids: null,
      },
    ],
    usage: { ...USAGE, prompt_tokens_details: null },
    prompt_logprobs: null,
    kv_transfer_params: null,
  },
  "vLLM at a stop sequence": {
    id: "chatcmpl-3",
    object: "chat.completion",
    created: 1730000001,
    model: "m",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "1 2", reasoning: "a", reasoning_content: "a", tool_calls: [] },
        logprobs: null,
        finish_reason: "stop",
        stop_reason: "###",
      },
    ],
    usage: USAGE,
  },
  "several candidates with log probabilities": {
    id: "chatcmpl-4",
    object: "chat.completion",
    created: 1730000001,
    model: "m",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "a", refusal: null },
        logprobs: { content: [{ token: "a", logprob: -0.1, bytes: [97], top_logprobs: [] }], refusal: null },
        finish_reason: "length",
      },
      {
        index: 1,
        message: { role: "assistant", content: null, refusal: "No." },
        logprobs: null,
        finish_reason: "content_filter",
      },
      { index: 2, message: { role: "assistant", content: "" }, finish_reason: null },
    ],
  },
  "a forced tool": {
    id: "chatcmpl-5",
    object: "chat.completion",
    created: 1730000001,
    model: "m",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: null,
          refusal: null,
          tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
        },
        logprobs: null,
        finish_reason: "stop",
      },
    ],
    usage: USAGE,
  },
  "a custom tool, audio and an old function": {
    id: "chatcmpl-6",
    object: "chat.completion",
    created: 1730000001,
    model: "m",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c", type: "custom", custom: { name: "sql", input: "SELECT" } }],
        },
        finish_reason: "tool_calls",
      },
      {
        index: 1,
        message: {
          role: "assistant",
          content: null,
          audio: { id: "a", data: "AA==", expires_at: 1, transcript: "Hi" },
        },
        finish_reason: "stop",
      },
      {
        index: 2,
        message: { role: "assistant", content: null, function_call: { name: "f", arguments: "{}" } },
        finish_reason: "function_call",
      },
    ],
  },
  OpenRouter: {
    id: "gen-1",
    provider: "Anthropic",
    object: "chat.completion",
    created: 1730000001,
    model: "m",
    choices: [
      {
        index: 0,
        logprobs: null,
        finish_reason: "tool_calls",
        native_finish_reason: "tool_use",
        message: {
          role: "assistant",
          content: "Hm",
          refusal: null,
          reasoning: "Think.",
          reasoning_details: [
            { type: "reasoning.text", text: "Think.", signature: "c2ln", format: "anthropic-claude-v1", index: 0 },
            { type: "reasoning.encrypted", data: "eHg=", format: "anthropic-claude-v1", index: 1 },
          ],
          tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" }, index: 0 }],
        },
      },
    ],
    usage: { ...USAGE, cost: 0.01, is_byok: false },
  },
  DeepSeek: {
    id: "d",
    object: "chat.completion",
    created: 1730000001,
    model: "m",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "Hi", reasoning_content: "Greet" },
        logprobs: null,
        finish_reason: "insufficient_system_resource",
      },
    ],
    usage: { ...USAGE, prompt_cache_hit_tokens: 5, prompt_cache_miss_tokens: 4 },
    system_fingerprint: "fp",
  },
};
