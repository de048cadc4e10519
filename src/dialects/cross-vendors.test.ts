/**
 * Answers of vendors, written by hand for each dialect, and what a reader understands of them, in one notation.
 * For the tests beside it: it has no test of its own, its name keeps it out of releases.
 */
import type { JsonObject, JsonValue } from "../lib/json.ts";
import type { DialectName } from "./form.ts";

export const SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds/+z==";

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value at a path, undefined if there is none. */
export function member(value: unknown, ...path: (string | number)[]): JsonValue | undefined {
  let current = value;
  for (const step of path) {
    if (Array.isArray(current) && typeof step === "number") current = current[step];
    else current = isObject(current) ? current[String(step)] : undefined;
  }
  return current as JsonValue | undefined;
}

function list(value: unknown): JsonValue[] {
  return Array.isArray(value) ? (value as JsonValue[]) : [];
}

/** An answer as its reader understands it. */
export interface Told {
  readonly model: unknown;
  readonly text: string;
  readonly thinking: readonly string[];
  readonly calls: readonly string[];
  readonly stop: unknown;
  readonly usage: {
    readonly prompt: unknown;
    readonly cached: unknown;
    readonly output: unknown;
    readonly reasoning: unknown;
  };
}

function tellOpenai(answer: unknown): Told {
  const message = member(answer, "choices", 0, "message");
  const details = list(member(message, "reasoning_details"));
  const reasoning = member(message, "reasoning_content");
  const calls = list(member(message, "tool_calls")).map(
    (call) =>
      `${String(member(call, "id"))} ${String(member(call, "function", "name"))} ${String(member(call, "function", "arguments"))}`,
  );
  const usage = member(answer, "usage");
  return {
    model: member(answer, "model"),
    text: String(member(message, "content") ?? ""),
    thinking:
      details.length > 0
        ? details.map(
            (detail) =>
              `${String(member(detail, "text") ?? member(detail, "data") ?? "")}|${String(member(detail, "signature") ?? "")}`,
          )
        : reasoning === undefined
          ? []
          : [`${String(reasoning)}|`],
    calls,
    stop: member(answer, "choices", 0, "finish_reason"),
    usage: {
      prompt: member(usage, "prompt_tokens"),
      cached: member(usage, "prompt_tokens_details", "cached_tokens"),
      output: member(usage, "completion_tokens"),
      reasoning: member(usage, "completion_tokens_details", "reasoning_tokens"),
    },
  };
}

function tellAnthropic(answer: unknown): Told {
  const content = list(member(answer, "content"));
  const ofType = (...types: string[]): JsonValue[] =>
    content.filter((block) => types.includes(String(member(block, "type"))));
  const usage = member(answer, "usage");
  const count = (key: string): number => Number(member(usage, key) ?? 0);
  return {
    model: member(answer, "model"),
    text: ofType("text")
      .map((block) => String(member(block, "text")))
      .join(""),
    thinking: ofType("thinking", "redacted_thinking").map(
      (block) =>
        `${String(member(block, "thinking") ?? member(block, "data"))}|${String(member(block, "signature") ?? "")}`,
    ),
    calls: ofType("tool_use").map(
      (block) =>
        `${String(member(block, "id"))} ${String(member(block, "name"))} ${JSON.stringify(member(block, "input"))}`,
    ),
    stop: member(answer, "stop_reason"),
    usage: {
      prompt: count("input_tokens") + count("cache_read_input_tokens") + count("cache_creation_input_tokens"),
      cached: count("cache_read_input_tokens"),
      output: count("output_tokens"),
      reasoning: member(usage, "output_tokens_details", "thinking_tokens"),
    },
  };
}

/** How each dialect's answers are read. */
export const TELL: Readonly<Record<DialectName, (answer: unknown) => Told>> = {
  openai: tellOpenai,
  anthropic: tellAnthropic,
};

/** The word of each dialect for why an answer ended. */
export const STOPS: Readonly<Record<string, Readonly<Record<DialectName, string>>>> = {
  stop: { openai: "stop", anthropic: "end_turn" },
  length: { openai: "length", anthropic: "max_tokens" },
  tools: { openai: "tool_calls", anthropic: "tool_use" },
  refused: { openai: "content_filter", anthropic: "refusal" },
};

export interface Case {
  readonly told: Omit<Told, "model" | "stop">;
  readonly stop: keyof typeof STOPS;
  /** Each vendor's way to say it: whole and streamed. */
  readonly vendors: Readonly<Partial<Record<DialectName, { readonly whole: JsonObject; readonly stream: string }>>>;
}

/** Both ways of one answer of an OpenAI vendor. */
export function openaiVendor(
  message: JsonObject,
  finish: string,
  deltas: readonly JsonObject[],
): { whole: JsonObject; stream: string } {
  const usage = {
    prompt_tokens: 1482,
    completion_tokens: 120,
    total_tokens: 1602,
    prompt_tokens_details: { cached_tokens: 1000 },
    completion_tokens_details: { reasoning_tokens: 40 },
  };
  const head = { id: "chatcmpl-1", created: 1_760_000_000, model: "gpt-4o-2024-08-06" };
  const chunk = (choices: JsonObject[], more: JsonObject = {}): string =>
    `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices, ...more })}\n\n`;
  const choice = (delta: JsonObject, reason: string | null = null): string =>
    chunk([{ index: 0, delta, finish_reason: reason }]);
  const pieces = deltas.map((delta) => choice(delta)).join("");
  return {
    whole: {
      ...head,
      object: "chat.completion",
      choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: finish }],
      usage,
    },
    stream: `${choice({ role: "assistant", content: "" })}${pieces}${choice({}, finish)}${chunk([], { usage })}data: [DONE]\n\n`,
  };
}

/** Both ways of one answer of Anthropic's. */
export function anthropicVendor(
  content: JsonObject[],
  reason: string,
  deltas: readonly (readonly JsonObject[])[],
): { whole: JsonObject; stream: string } {
  const input = { input_tokens: 472, cache_creation_input_tokens: 10, cache_read_input_tokens: 1000 };
  const usage = { ...input, output_tokens: 120, output_tokens_details: { thinking_tokens: 40 } };
  const message = { id: "msg_1", type: "message", role: "assistant", model: "claude-opus-4-8" };
  const events: JsonObject[] = [
    {
      type: "message_start",
      message: {
        ...message,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { ...input, output_tokens: 1 },
      },
    },
    ...deltas.flatMap(([block = {}, ...pieces], index) => [
      { type: "content_block_start", index, content_block: block },
      ...pieces.map((delta) => ({ type: "content_block_delta", index, delta })),
      { type: "content_block_stop", index },
    ]),
    { type: "message_delta", delta: { stop_reason: reason, stop_sequence: null }, usage },
    { type: "message_stop" },
  ];
  return {
    whole: { ...message, content, stop_reason: reason, stop_sequence: null, usage },
    stream: events.map((event) => `event: ${String(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`).join(""),
  };
}

const usage = { prompt: 1482, cached: 1000, output: 120, reasoning: 40 };
export const textBlock = { type: "text", text: "" };
export const textDelta = (text: string): JsonObject => ({ type: "text_delta", text });
export const inputDelta = (text: string): JsonObject => ({ type: "input_json_delta", partial_json: text });
export const callDelta = (index: number, text: string): JsonObject => ({
  tool_calls: [{ index, function: { arguments: text } }],
});
export const callStart = (index: number, id: string, name: string): JsonObject => ({
  tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }],
});
const openaiCall = (id: string, name: string, text: string): JsonObject => ({
  id,
  type: "function",
  function: { name, arguments: text },
});

export const CASES: Readonly<Record<string, Case>> = {
  text: {
    told: { text: 'Grüße, "世界" 👋\n', thinking: [], calls: [], usage },
    stop: "stop",
    vendors: {
      openai: openaiVendor({ content: 'Grüße, "世界" 👋\n', refusal: null }, "stop", [
        { content: "Grüße, " },
        { content: '"世界" 👋\n' },
      ]),
      anthropic: anthropicVendor([{ type: "text", text: 'Grüße, "世界" 👋\n' }], "end_turn", [
        [textBlock, textDelta("Grüße, "), textDelta('"世界" 👋\n')],
      ]),
    },
  },
  "acceptance 17: two parallel tool calls": {
    told: { text: "I look.", thinking: [], calls: ['c1 weather {"city":"Paris","n":[1,2.5]}', "c2 time {}"], usage },
    stop: "tools",
    vendors: {
      // the pieces of both calls interleave
      openai: openaiVendor(
        {
          content: "I look.",
          tool_calls: [openaiCall("c1", "weather", '{"city":"Paris","n":[1,2.5]}'), openaiCall("c2", "time", "{}")],
        },
        "tool_calls",
        [
          { content: "I look." },
          callStart(0, "c1", "weather"),
          callDelta(0, '{"city":"Pa'),
          callStart(1, "c2", "time"),
          callDelta(1, "{"),
          callDelta(0, 'ris","n":[1,'),
          callDelta(1, "}"),
          callDelta(0, "2.5]}"),
        ],
      ),
      anthropic: anthropicVendor(
        [
          { type: "text", text: "I look." },
          { type: "tool_use", id: "c1", name: "weather", input: { city: "Paris", n: [1, 2.5] } },
          { type: "tool_use", id: "c2", name: "time", input: {} },
        ],
        "tool_use",
        [
          [textBlock, textDelta("I look.")],
          [
            { type: "tool_use", id: "c1", name: "weather", input: {} },
            inputDelta(""),
            inputDelta('{"city":"Pa'),
            inputDelta('ris","n":[1,2.5]}'),
          ],
          [{ type: "tool_use", id: "c2", name: "time", input: {} }, inputDelta("{}")],
        ],
      ),
    },
  },
  "reasoning without a signature": {
    told: { text: "Yes.", thinking: ["hm, well|"], calls: [], usage },
    stop: "length",
    vendors: {
      openai: openaiVendor({ content: "Yes.", reasoning_content: "hm, well" }, "length", [
        { reasoning_content: "hm, " },
        { reasoning_content: "well" },
        { content: "Yes." },
      ]),
    },
  },
  "thinking with signatures": {
    told: { text: "Yes.", thinking: [`hm, well|${SIGNATURE}`, "EmwK|"], calls: [], usage },
    stop: "stop",
    vendors: {
      anthropic: anthropicVendor(
        [
          { type: "thinking", thinking: "hm, well", signature: SIGNATURE },
          { type: "redacted_thinking", data: "EmwK" },
          { type: "text", text: "Yes." },
        ],
        "end_turn",
        [
          [
            { type: "thinking", thinking: "", signature: "" },
            { type: "thinking_delta", thinking: "hm, " },
            { type: "thinking_delta", thinking: "well" },
            { type: "signature_delta", signature: SIGNATURE },
          ],
          [{ type: "redacted_thinking", data: "EmwK" }],
          [textBlock, textDelta("Yes.")],
        ],
      ),
    },
  },
  refused: {
    told: { text: "No", thinking: [], calls: [], usage },
    stop: "refused",
    vendors: {
      openai: openaiVendor({ content: "No" }, "content_filter", [{ content: "No" }]),
      anthropic: anthropicVendor([{ type: "text", text: "No" }], "refusal", [[textBlock, textDelta("No")]]),
    },
  },
};
