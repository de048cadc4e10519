import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { SluiceError } from "../../lib/errors.ts";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { ChatRequest, ContentPart } from "../form.ts";
import { REQUESTS } from "./corpus.test.ts";
import { decodeChatRequest } from "./request-decode.ts";
import { encodeChatRequest } from "./request-encode.ts";

for (const [name, body] of Object.entries(REQUESTS)) {
  test(`a request comes back as it went: ${name}`, () => {
    const before = structuredClone(body);
    const { body: after, dropped } = encodeChatRequest(decodeChatRequest(body), false);
    assert.deepEqual(after, before);
    assert.deepEqual(dropped, []);
    assert.deepEqual(body, before, "neither step changes the client's body");
  });
}

test("a stream is asked for its usage, whatever the client wants to see", () => {
  const form = decodeChatRequest({ ...minimal(), stream: true });
  assert.equal(form.includeUsage, false);
  assert.deepEqual(encodeChatRequest(form, false).body["stream_options"], { include_usage: true });
  const asked = decodeChatRequest({ ...minimal(), stream: true, stream_options: { include_usage: true } });
  assert.equal(asked.includeUsage, true);
});

test("the form says what the wire said", () => {
  const form = decodeChatRequest(REQUESTS["reasoning as aggregators have it"] ?? {});
  assert.deepEqual(
    form.messages[1]?.content.map((part) =>
      part.kind === "reasoning" ? [part.text, part.signature, part.redacted] : part.kind,
    ),
    [
      ["Greet.", "c2ln", undefined],
      ["", undefined, "b3BhcXVl"],
      ["Thought.", undefined, undefined],
      ["", "c2ln", undefined],
      "text",
    ],
  );
  const cached = decodeChatRequest(REQUESTS["cache markers of other vendors"] ?? {});
  assert.deepEqual(
    cached.messages.map((message) => message.content.at(-1)?.cacheControl),
    [{ ttl: "1h" }, {}, {}, undefined, {}, {}],
  );
  assert.deepEqual(
    cached.tools?.map((tool) => tool.cacheControl),
    [{}, {}],
  );
});

test("reasoning goes where its index says", () => {
  const signed = (index: number): JsonObject => ({ type: "reasoning.text", text: `t${index}`, signature: "s", index });
  const form = decodeChatRequest({
    model: "m",
    messages: [
      {
        role: "assistant",
        content: "Hm",
        reasoning_details: [signed(0), signed(2)],
        tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
      },
    ],
  });
  assert.deepEqual(
    form.messages[0]?.content.map((part) => part.kind),
    ["reasoning", "text", "reasoning", "toolCall"],
  );
});

function minimal(): JsonObject {
  return { model: "m", messages: [{ role: "user", content: "Hi" }] };
}

function withMessage(message: JsonObject): JsonObject {
  return { model: "m", messages: [{ role: "user", content: "Hi" }, message] };
}

function withPart(part: JsonObject): JsonObject {
  return withMessage({ role: "user", content: [part] });
}

const REFUSED: readonly (readonly [body: JsonObject, field: string])[] = [
  [{ messages: [] }, "model"],
  [{ ...minimal(), model: "" }, "model"],
  [{ model: "m" }, "messages"],
  [{ model: "m", messages: "Hi" }, "messages"],
  [{ model: "m", messages: [] }, "messages"],
  [{ model: "m", messages: ["Hi"] }, "messages[0]"],
  [withMessage({ content: "x" }), "messages[1].role"],
  [withMessage({ role: "robot", content: "x" }), "messages[1].role"],
  [withMessage({ role: "user" }), "messages[1].content"],
  [withMessage({ role: "user", content: null }), "messages[1].content"],
  [withMessage({ role: "user", content: 7 }), "messages[1].content"],
  [withMessage({ role: "user", content: "x", name: 7 }), "messages[1].name"],
  [withMessage({ role: "tool", content: "x" }), "messages[1].tool_call_id"],
  [withMessage({ role: "tool", tool_call_id: "c" }), "messages[1].content"],
  [withMessage({ role: "assistant", tool_calls: {} }), "messages[1].tool_calls"],
  [
    withMessage({ role: "assistant", tool_calls: [{ function: { name: "f", arguments: "" } }] }),
    "messages[1].tool_calls[0].id",
  ],
  [withMessage({ role: "assistant", tool_calls: [{ id: "c" }] }), "messages[1].tool_calls[0].function"],
  [
    withMessage({ role: "assistant", tool_calls: [{ id: "c", function: { name: "f", arguments: {} } }] }),
    "messages[1].tool_calls[0].function.arguments",
  ],
  [withMessage({ role: "assistant", reasoning_content: 7 }), "messages[1].reasoning_content"],
  [withMessage({ role: "assistant", reasoning_details: [{ type: 7 }] }), "messages[1].reasoning_details[0].type"],
  [
    withMessage({ role: "assistant", thinking_blocks: [{ type: "thinking" }] }),
    "messages[1].thinking_blocks[0].thinking",
  ],
  [withMessage({ role: "function", content: "x" }), "messages[1].name"],
  [withPart({ text: "x" }), "messages[1].content[0].type"],
  [withPart({ type: "text" }), "messages[1].content[0].text"],
  [withPart({ type: "image_url", image_url: "https://example.com" }), "messages[1].content[0].image_url"],
  [withPart({ type: "image_url", image_url: {} }), "messages[1].content[0].image_url.url"],
  [withPart({ type: "input_audio", input_audio: { data: "x" } }), "messages[1].content[0].input_audio.format"],
  [withPart({ type: "file", file: {} }), "messages[1].content[0].file.file_data"],
  [withPart({ type: "file", file: { file_id: "a", file_data: "b" } }), "messages[1].content[0].file"],
  [withPart({ type: "text", text: "x", cache_control: { type: "x" } }), "messages[1].content[0].cache_control.type"],
  [
    withPart({ type: "text", text: "x", cache_control: { type: "ephemeral", ttl: "2h" } }),
    "messages[1].content[0].cache_control.ttl",
  ],
  [{ ...minimal(), stream: "yes" }, "stream"],
  [{ ...minimal(), stream_options: { include_usage: 1 } }, "stream_options.include_usage"],
  [{ ...minimal(), temperature: "hot" }, "temperature"],
  [{ ...minimal(), max_tokens: 1.5 }, "max_tokens"],
  [{ ...minimal(), max_tokens: -1 }, "max_tokens"],
  [{ ...minimal(), max_tokens: 1, max_completion_tokens: 2 }, "max_tokens"],
  [{ ...minimal(), n: 0 }, "n"],
  [{ ...minimal(), stop: 7 }, "stop"],
  [{ ...minimal(), stop: ["a", 7] }, "stop[1]"],
  [{ ...minimal(), logit_bias: [] }, "logit_bias"],
  [{ ...minimal(), logprobs: 3 }, "logprobs"],
  [{ ...minimal(), tools: {} }, "tools"],
  [{ ...minimal(), tools: [{}] }, "tools[0].type"],
  [{ ...minimal(), tools: [{ type: "function" }] }, "tools[0].function"],
  [{ ...minimal(), tools: [{ type: "function", function: { name: "" } }] }, "tools[0].function.name"],
  [
    { ...minimal(), tools: [{ type: "function", function: { name: "f", parameters: [] } }] },
    "tools[0].function.parameters",
  ],
  [{ ...minimal(), tool_choice: 7 }, "tool_choice"],
  [{ ...minimal(), tool_choice: {} }, "tool_choice.type"],
  [{ ...minimal(), tool_choice: { type: "function", function: {} } }, "tool_choice.function.name"],
  [{ ...minimal(), response_format: "json" }, "response_format"],
  [{ ...minimal(), response_format: { type: "json_schema", json_schema: {} } }, "response_format.json_schema.name"],
  [{ ...minimal(), reasoning_effort: 3 }, "reasoning_effort"],
  [{ ...minimal(), user: 7 }, "user"],
];

test("a field that is not as the protocol has it is refused by name", () => {
  for (const [body, param] of REFUSED) {
    assert.throws(
      () => decodeChatRequest(body),
      (error) => {
        assert.ok(error instanceof SluiceError, param);
        assert.deepEqual([error.code, error.status, error.param], ["invalid_request", 400, param]);
        assert.ok(error.message.includes(`'${param}'`), error.message);
        return true;
      },
    );
  }
});

/** A request as the other dialect's reader would have made it. */
function foreign(changes: Partial<ChatRequest>): ChatRequest {
  return {
    origin: "anthropic",
    model: "index-72b",
    messages: [{ role: "user", content: [{ kind: "text", text: "Hi" }] }],
    stream: false,
    includeUsage: true,
    ...changes,
  };
}

function encoded(changes: Partial<ChatRequest>): JsonObject {
  const { body, dropped } = encodeChatRequest(foreign(changes), false);
  assert.deepEqual(dropped, []);
  return body;
}

const TEXT: ContentPart = { kind: "text", text: "Hi" };

interface Mapping {
  readonly name: string;
  readonly form: Partial<ChatRequest>;
  readonly wire: JsonObject;
}

const MAPPED: readonly Mapping[] = [
  { name: "a limit for an engine", form: { maxOutputTokens: 9 }, wire: { max_tokens: 9 } },
  {
    name: "a limit for a reasoning model",
    form: { model: "o3-mini", maxOutputTokens: 9 },
    wire: { max_completion_tokens: 9 },
  },
  {
    name: "a limit for a newer model",
    form: { model: "openai/gpt-5.1", maxOutputTokens: 9 },
    wire: { max_completion_tokens: 9 },
  },
  { name: "a limit for an open model", form: { model: "gpt-oss-120b", maxOutputTokens: 9 }, wire: { max_tokens: 9 } },
  { name: "a limit for an older model", form: { model: "gpt-4o", maxOutputTokens: 9 }, wire: { max_tokens: 9 } },
  { name: "top_k", form: { topK: 5 }, wire: { top_k: 5 } },
  { name: "a stream", form: { stream: true }, wire: { stream: true, stream_options: { include_usage: true } } },
  { name: "an end user", form: { endUser: "u" }, wire: { user: "u" } },
  {
    name: "an end user with a long id",
    form: { endUser: "u".repeat(65) },
    wire: { user: hash("sha256", "u".repeat(65)) },
  },
  {
    name: "a small budget",
    form: { reasoning: { enabled: true, budgetTokens: 1024 } },
    wire: { reasoning_effort: "low" },
  },
  {
    name: "a budget",
    form: { reasoning: { enabled: true, budgetTokens: 8192 } },
    wire: { reasoning_effort: "medium" },
  },
  {
    name: "a large budget",
    form: { reasoning: { enabled: true, budgetTokens: 32_000 } },
    wire: { reasoning_effort: "high" },
  },
  {
    name: "an effort",
    form: { reasoning: { enabled: true, effort: "max", budgetTokens: 1024 } },
    wire: { reasoning_effort: "max" },
  },
  { name: "thinking left to the model", form: { reasoning: { enabled: true } }, wire: {} },
  { name: "no thinking, for an engine", form: { reasoning: { enabled: false } }, wire: {} },
  {
    name: "no thinking, for gpt-5.1",
    form: { model: "gpt-5.1", reasoning: { enabled: false } },
    wire: { reasoning_effort: "none" },
  },
  {
    name: "no thinking, for gpt-5",
    form: { model: "gpt-5-mini", reasoning: { enabled: false } },
    wire: { reasoning_effort: "minimal" },
  },
  {
    name: "a schema without a name",
    form: { responseFormat: { kind: "schema", schema: { type: "object" } } },
    wire: { response_format: { type: "json_schema", json_schema: { name: "response", schema: { type: "object" } } } },
  },
  {
    name: "tools",
    form: {
      tools: [{ kind: "function", name: "f", parameters: {} }],
      toolChoice: { kind: "required" },
      parallelToolCalls: false,
    },
    wire: {
      tools: [{ type: "function", function: { name: "f", parameters: {} } }],
      tool_choice: "required",
      parallel_tool_calls: false,
    },
  },
];

for (const { name, form, wire } of MAPPED) {
  test(`another dialect's ${name} is mapped`, () => {
    const { model: _, messages: __, ...rest } = encoded(form);
    assert.deepEqual(rest, wire);
  });
}

interface MessageMapping {
  readonly name: string;
  readonly form: ChatRequest["messages"];
  readonly wire: JsonValue[];
}

const MAPPED_MESSAGES: readonly MessageMapping[] = [
  {
    name: "one text is a plain string",
    form: [{ role: "user", content: [TEXT] }],
    wire: [{ role: "user", content: "Hi" }],
  },
  {
    name: "several texts are parts",
    form: [{ role: "system", content: [TEXT, TEXT] }],
    wire: [
      {
        role: "system",
        content: [
          { type: "text", text: "Hi" },
          { type: "text", text: "Hi" },
        ],
      },
    ],
  },
  {
    name: "cache markers mean nothing to a server that caches by itself",
    form: [{ role: "user", content: [{ ...TEXT, cacheControl: { ttl: "1h" } }] }],
    wire: [{ role: "user", content: "Hi" }],
  },
  {
    name: "15: thinking and its signature stay beside the tool call",
    form: [
      {
        role: "assistant",
        content: [
          { kind: "reasoning", text: "Look.", signature: "c2ln" },
          { kind: "reasoning", text: "", redacted: "cmVk" },
          { kind: "text", text: "Let me see." },
          { kind: "toolCall", id: "c", name: "f", arguments: "{}" },
        ],
      },
    ],
    wire: [
      {
        role: "assistant",
        content: "Let me see.",
        reasoning_content: "Look.",
        reasoning_details: [
          { type: "reasoning.text", text: "Look.", signature: "c2ln", format: "anthropic-claude-v1", index: 0 },
          { type: "reasoning.encrypted", data: "cmVk", format: "anthropic-claude-v1", index: 1 },
        ],
        tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
      },
    ],
  },
  {
    name: "unsigned thinking is what engines call reasoning_content",
    form: [{ role: "assistant", content: [{ kind: "reasoning", text: "Look." }, TEXT] }],
    wire: [{ role: "assistant", content: "Hi", reasoning_content: "Look." }],
  },
  {
    name: "a tool call alone has no content",
    form: [{ role: "assistant", content: [{ kind: "toolCall", id: "c", name: "f", arguments: "{}" }] }],
    wire: [
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
      },
    ],
  },
  {
    name: "17: results come before what the user says",
    form: [
      {
        role: "user",
        content: [
          { kind: "toolResult", toolCallId: "a", content: [{ kind: "text", text: "1" }], plain: true },
          {
            kind: "toolResult",
            toolCallId: "b",
            content: [
              { kind: "text", text: "2" },
              { kind: "text", text: "3" },
            ],
          },
          { kind: "toolResult", toolCallId: "c", content: [] },
          TEXT,
        ],
      },
    ],
    wire: [
      { role: "tool", tool_call_id: "a", content: "1" },
      {
        role: "tool",
        tool_call_id: "b",
        content: [
          { type: "text", text: "2" },
          { type: "text", text: "3" },
        ],
      },
      { role: "tool", tool_call_id: "c", content: "" },
      { role: "user", content: "Hi" },
    ],
  },
  {
    name: "an image that a tool gave follows in the user's name",
    form: [
      {
        role: "user",
        content: [
          {
            kind: "toolResult",
            toolCallId: "a",
            content: [
              { kind: "text", text: "1" },
              { kind: "image", source: { kind: "base64", mediaType: "image/png", data: "AA==" } },
            ],
          },
        ],
      },
    ],
    wire: [
      { role: "tool", tool_call_id: "a", content: "1" },
      {
        role: "user",
        content: [
          { type: "text", text: "Part of the result of tool call a:" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } },
        ],
      },
    ],
  },
  {
    name: "a failed result says so in its text",
    form: [
      {
        role: "user",
        content: [
          { kind: "toolResult", toolCallId: "a", content: [{ kind: "text", text: "no file" }], isError: true },
          { kind: "toolResult", toolCallId: "b", content: [{ kind: "text", text: "Error: no" }], isError: true },
          { kind: "toolResult", toolCallId: "c", content: [], isError: true },
          { kind: "toolResult", toolCallId: "d", content: [{ kind: "text", text: "fine" }], isError: false },
        ],
      },
    ],
    wire: [
      { role: "tool", tool_call_id: "a", content: "Error: no file" },
      { role: "tool", tool_call_id: "b", content: "Error: no" },
      { role: "tool", tool_call_id: "c", content: "Error:" },
      { role: "tool", tool_call_id: "d", content: "fine" },
    ],
  },
  {
    name: "a text document is a text, a file keeps its title",
    form: [
      {
        role: "user",
        content: [
          {
            kind: "document",
            source: { kind: "text", mediaType: "text/plain", text: "Body" },
            title: "T",
            context: "C",
          },
          { kind: "document", source: { kind: "base64", mediaType: "application/pdf", data: "AA==" }, title: "a.pdf" },
        ],
      },
    ],
    wire: [
      {
        role: "user",
        content: [
          { type: "text", text: "T\n\nC\n\nBody" },
          { type: "file", file: { file_data: "data:application/pdf;base64,AA==", filename: "a.pdf" } },
        ],
      },
    ],
  },
];

for (const { name, form, wire } of MAPPED_MESSAGES) {
  test(`another dialect's messages: ${name}`, () => {
    assert.deepEqual(encoded({ messages: form })["messages"], wire);
  });
}

test("15: cache markers of another dialect stand at the same places for a target that takes them", () => {
  const cacheControl = { ttl: "1h" } as const;
  const form: Partial<ChatRequest> = {
    messages: [
      { role: "system", content: [{ ...TEXT, cacheControl }] },
      { role: "user", content: [{ kind: "toolResult", toolCallId: "a", content: [TEXT], cacheControl: {} }] },
    ],
    tools: [{ kind: "function", name: "f", cacheControl: {} }],
    cacheControl: {},
  };
  const marked = encoded({ ...form, cacheMarkers: "cache_control" });
  assert.deepEqual(marked["messages"], [
    { role: "system", content: [{ type: "text", text: "Hi", cache_control: { type: "ephemeral", ttl: "1h" } }] },
    { role: "tool", tool_call_id: "a", content: "Hi", cache_control: { type: "ephemeral" } },
  ]);
  assert.deepEqual(marked["tools"], [
    { type: "function", function: { name: "f" }, cache_control: { type: "ephemeral" } },
  ]);
  assert.deepEqual(marked["cache_control"], { type: "ephemeral" });
  const points = encoded({ ...form, cacheMarkers: "prompt_cache_breakpoint" });
  assert.deepEqual((points["messages"] as JsonValue[])[0], {
    role: "system",
    content: [{ type: "text", text: "Hi", prompt_cache_breakpoint: { mode: "explicit", ttl: "12h" } }],
  });
  assert.equal(encoded(form)["cache_control"], undefined);
});

const MESSAGE = (part: ContentPart): Partial<ChatRequest> => ({
  messages: [
    { role: "system", content: [TEXT] },
    { role: "user", content: [TEXT, part] },
  ],
});

const UNSUPPORTED: readonly (readonly [form: Partial<ChatRequest>, field: string])[] = [
  [{ extra: { dialect: "anthropic", fields: { container: "x" } } }, "container"],
  [
    {
      tools: [
        { kind: "function", name: "f" },
        { kind: "opaque", name: "web_search", dialect: "anthropic", value: {} },
      ],
    },
    "tools.1",
  ],
  [
    { tools: [{ kind: "function", name: "f", extra: { dialect: "anthropic", fields: { defer_loading: true } } }] },
    "tools.0.defer_loading",
  ],
  [MESSAGE({ kind: "opaque", dialect: "anthropic", value: { type: "server_tool_use" } }), "messages.0.content.1"],
  [MESSAGE({ kind: "image", source: { kind: "file", fileId: "f" } }), "messages.0.content.1.source.file_id"],
  [
    MESSAGE({ kind: "document", source: { kind: "url", url: "https://example.com/a.pdf" } }),
    "messages.0.content.1.source.url",
  ],
  [
    MESSAGE({ kind: "document", source: { kind: "text", mediaType: "text/plain", text: "x" }, citations: true }),
    "messages.0.content.1.citations",
  ],
  [MESSAGE({ kind: "text", text: "x", citations: [{ type: "char_location" }] }), "messages.0.content.1.citations"],
  [
    MESSAGE({ kind: "toolResult", toolCallId: "t", content: [{ kind: "opaque", dialect: "anthropic", value: {} }] }),
    "messages.0.content.1.content.0",
  ],
];

test("18: a field that cannot be mapped is refused in the client's words, or dropped and named", () => {
  for (const [form, param] of UNSUPPORTED) {
    assert.throws(() => encodeChatRequest(foreign(form), false), { code: "unsupported_field", status: 400, param });
    assert.deepEqual(encodeChatRequest(foreign(form), true).dropped, [param]);
  }
});
