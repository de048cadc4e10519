/** Answers of both dialects as vendors write them, always the same bytes. */
import type { DialectName } from "../src/dialects/form.ts";

export const CANNED_USAGE = { prompt: 11, completion: 7 };

/** A whole chat answer. */
export function cannedAnswer(dialect: DialectName, text: string): string {
  return JSON.stringify(
    dialect === "openai"
      ? {
          id: "chatcmpl-canned",
          object: "chat.completion",
          created: 1_750_000_000,
          model: "vendor-model",
          choices: [{ index: 0, message: { role: "assistant", content: text, refusal: null }, finish_reason: "stop" }],
          usage: { prompt_tokens: CANNED_USAGE.prompt, completion_tokens: CANNED_USAGE.completion, total_tokens: 18 },
        }
      : {
          id: "msg_canned",
          type: "message",
          role: "assistant",
          model: "vendor-model",
          content: [{ type: "text", text }],
          stop_reason: "end_turn",
          stop_sequence: null,
          usage: { input_tokens: CANNED_USAGE.prompt, output_tokens: CANNED_USAGE.completion },
        },
  );
}

/** The events of a streamed chat answer: what precedes the text, one event a piece of text, and the end. */
export interface CannedStream {
  readonly opening: string;
  readonly pieces: readonly string[];
  readonly ending: string;
}

/** A streamed chat answer. */
export function cannedStream(dialect: DialectName, pieces: readonly string[]): CannedStream {
  return dialect === "openai" ? openaiStream(pieces) : anthropicStream(pieces);
}

/** The same in one string. */
export function cannedEvents(dialect: DialectName, pieces: readonly string[]): string {
  const stream = cannedStream(dialect, pieces);
  return stream.opening + stream.pieces.join("") + stream.ending;
}

function openaiStream(pieces: readonly string[]): CannedStream {
  const event = (choices: readonly object[], usage: object | null): string =>
    `data: ${JSON.stringify({
      id: "chatcmpl-canned",
      object: "chat.completion.chunk",
      created: 1_750_000_000,
      model: "vendor-model",
      choices,
      usage,
    })}\n\n`;
  const delta = (fields: object, finish: string | null): string =>
    event([{ index: 0, delta: fields, finish_reason: finish }], null);
  const usage = { prompt_tokens: CANNED_USAGE.prompt, completion_tokens: CANNED_USAGE.completion, total_tokens: 18 };
  return {
    opening: delta({ role: "assistant", content: "" }, null),
    pieces: pieces.map((content) => delta({ content }, null)),
    ending: `${delta({}, "stop")}${event([], usage)}data: [DONE]\n\n`,
  };
}

function anthropicStream(pieces: readonly string[]): CannedStream {
  const event = (data: { readonly type: string }): string => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
  const message = {
    id: "msg_canned",
    type: "message",
    role: "assistant",
    model: "vendor-model",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: CANNED_USAGE.prompt, output_tokens: 1 },
  };
  const start = { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } };
  const stop = { type: "content_block_stop", index: 0 };
  const delta = {
    type: "message_delta",
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: CANNED_USAGE.completion },
  };
  return {
    opening: event({ type: "message_start", message } as { type: string }) + event(start),
    pieces: pieces.map((text) =>
      event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } } as { type: string }),
    ),
    ending: event(stop) + event(delta) + event({ type: "message_stop" }),
  };
}
