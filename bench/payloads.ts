/** What is sent and answered: the shapes of an OpenAI chat completion. */
export const MODEL = "gpt-4o-mini";

const SENTENCE =
  'The gateway "sluice" reads a request, finds the model\'s target and forwards the bytes;\n' +
  "nothing is parsed that nobody asked for — 字节 pass through as they came. ";

/** Where the model's name stands: JavaScript programs tend to write it first, the Python SDK puts it after the messages. */
export type ModelPosition = "first" | "last";

export interface RequestShape {
  readonly bytes: number;
  readonly model: ModelPosition;
  readonly stream: "stream" | "whole";
}

/** A chat completion request whose JSON has exactly `shape.bytes` bytes. */
export function chatRequest(shape: RequestShape, model = MODEL): string {
  const messages: { role: string; content: string }[] = [{ role: "system", content: "You are a helpful assistant." }];
  const assemble = (padding: string): string => {
    const rest = {
      messages: [...messages, { role: "user", content: padding }],
      temperature: 0.7,
      max_tokens: 256,
      ...(shape.stream === "stream" ? { stream: true } : {}),
    };
    return JSON.stringify(shape.model === "first" ? { model, ...rest } : { ...rest, model });
  };
  // Turns of a conversation, about 4 KB each, then a last message that fills up to the exact size.
  const turn = SENTENCE.repeat(24);
  while (Buffer.byteLength(assemble("")) + 2 * turn.length < shape.bytes) {
    messages.push({ role: messages.length % 2 === 1 ? "user" : "assistant", content: turn });
  }
  const missing = shape.bytes - Buffer.byteLength(assemble(""));
  const text = SENTENCE.replaceAll(/[^a-z. ]/g, "");
  return assemble(text.repeat(Math.ceil(missing / text.length)).slice(0, missing));
}

const ID = "chatcmpl-Bq3kZ0mT4sX9vL2nRwYc7dHfJgKeP";
const CREATED = 1_790_000_000;
const USAGE = {
  prompt_tokens: 480,
  completion_tokens: 128,
  total_tokens: 608,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
};

/** A chat completion answer of exactly `bytes` bytes of JSON. */
export function chatAnswer(bytes: number): string {
  const assemble = (content: string): string =>
    JSON.stringify({
      id: ID,
      object: "chat.completion",
      created: CREATED,
      model: MODEL,
      choices: [
        { index: 0, message: { role: "assistant", content, refusal: null }, logprobs: null, finish_reason: "stop" },
      ],
      usage: USAGE,
      service_tier: "default",
      system_fingerprint: "fp_44added55e",
    });
  const missing = bytes - Buffer.byteLength(assemble(""));
  return assemble("lorem ipsum dolor sit amet ".repeat(Math.ceil(missing / 27)).slice(0, missing));
}

function event(choices: unknown, usage: unknown): string {
  const base = { id: ID, object: "chat.completion.chunk", created: CREATED, model: MODEL, service_tier: "default" };
  const value = { ...base, system_fingerprint: "fp_44added55e", choices, ...(usage === undefined ? {} : { usage }) };
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** One token's event (about 260 bytes). With `include_usage`, OpenAI adds `"usage":null` to each. */
export function streamChunk(usage: "usage" | "none"): string {
  const delta = { content: " sluice" };
  return event([{ index: 0, delta, logprobs: null, finish_reason: null }], usage === "usage" ? null : undefined);
}

/** The events at a stream's end, `[DONE]` included. */
export function streamEnd(usage: "usage" | "none"): string {
  const stop = [{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }];
  const last = usage === "usage" ? event(stop, null) + event([], USAGE) : event(stop, undefined);
  return `${last}data: [DONE]\n\n`;
}
