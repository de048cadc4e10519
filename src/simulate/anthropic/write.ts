/** Words answers and streams as Anthropic's Messages API does. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import { partText, type Answer, type AnswerPart, type Frame, type Outcome, type TaskUsage } from "../task.ts";
import { redactThinking, signThinking } from "./signature.ts";

export function encodeMessage(outcome: Outcome): JsonObject {
  const answer = outcome.answers[0];
  return {
    ...emptyMessage(outcome),
    content: (answer?.parts ?? []).filter(isShown).map(encodeBlock),
    ...stopFields(answer),
    usage: encodeUsage(outcome.usage, outcome.usage.completionTokens),
  };
}

function emptyMessage(outcome: Outcome): JsonObject {
  return {
    id: outcome.id,
    type: "message",
    role: "assistant",
    model: outcome.task.model,
    content: [],
    container: null,
    diagnostics: null,
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
  };
}

function stopFields(answer: Answer | undefined): JsonObject {
  const refused = answer?.finish === "refusal" || answer?.finish === "content_filter";
  return {
    stop_reason: stopReason(answer),
    stop_sequence: answer?.stopSequence ?? null,
    stop_details: refused ? { type: "refusal", category: null, explanation: null } : null,
  };
}

function stopReason(answer: Answer | undefined): string {
  switch (answer?.finish) {
    case "length":
      return "max_tokens";
    case "stop_sequence":
      return "stop_sequence";
    case "tool_calls":
      return "tool_use";
    case "refusal":
    case "content_filter":
      return "refusal";
    default:
      return "end_turn";
  }
}

/** An answer without words has no text block. */
function isShown(part: AnswerPart): boolean {
  return part.kind === "toolCall" || part.kind === "reasoning" || part.tokens.length > 0;
}

function encodeBlock(part: AnswerPart): JsonObject {
  const text = partText(part);
  switch (part.kind) {
    case "toolCall":
      return {
        type: "tool_use",
        id: part.id,
        name: part.name,
        input: parseArguments(text),
        caller: { type: "direct" },
      };
    case "reasoning":
      if (part.style === "redacted") return { type: "redacted_thinking", data: redactThinking(text) };
      if (part.style === "omitted") return { type: "thinking", thinking: "", signature: signThinking("") };
      return { type: "thinking", thinking: text, signature: signThinking(text) };
    default:
      return { type: "text", text, citations: null };
  }
}

/** Arguments cut short by max_tokens are not JSON; the API then shows what it has as an empty object. */
function parseArguments(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return {};
  }
}

function encodeUsage(usage: TaskUsage, outputTokens: number): JsonObject {
  const written = usage.cacheWrite5mTokens + usage.cacheWrite1hTokens;
  return {
    input_tokens: usage.promptTokens - usage.cachedTokens - written,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: usage.cachedTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWrite5mTokens,
      ephemeral_1h_input_tokens: usage.cacheWrite1hTokens,
    },
    output_tokens: outputTokens,
    output_tokens_details: outputDetails(usage),
    server_tool_use: null,
    service_tier: "standard",
    inference_geo: null,
    speed: null,
  };
}

function outputDetails(usage: TaskUsage): JsonObject | null {
  return usage.reasoningTokens > 0 ? { thinking_tokens: usage.reasoningTokens } : null;
}

function event(kind: Frame["kind"], type: string, data: JsonObject): Frame {
  return { kind, text: `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n` };
}

export function encodeMessageFrames(outcome: Outcome): Frame[] {
  const answer = outcome.answers[0];
  const message = { ...emptyMessage(outcome), usage: encodeUsage({ ...outcome.usage, reasoningTokens: 0 }, 1) };
  const frames = [event("head", "message_start", { message }), event("head", "ping", {})];
  for (const [index, part] of (answer?.parts ?? []).filter(isShown).entries()) {
    frames.push(event("open", "content_block_start", { index, content_block: emptyBlock(part) }));
    for (const { kind, delta } of deltas(part)) {
      frames.push(event(kind, "content_block_delta", { index, delta }));
    }
    frames.push(event("open", "content_block_stop", { index }));
  }
  const { usage } = outcome;
  frames.push(
    event("finish", "message_delta", {
      delta: { ...stopFields(answer), container: null },
      usage: {
        input_tokens: usage.promptTokens - usage.cachedTokens - usage.cacheWrite5mTokens - usage.cacheWrite1hTokens,
        cache_creation_input_tokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
        cache_read_input_tokens: usage.cachedTokens,
        output_tokens: usage.completionTokens,
        output_tokens_details: outputDetails(usage),
        server_tool_use: null,
      },
    }),
  );
  frames.push(event("done", "message_stop", {}));
  return frames;
}

function emptyBlock(part: AnswerPart): JsonObject {
  switch (part.kind) {
    case "toolCall":
      return { type: "tool_use", id: part.id, name: part.name, input: {}, caller: { type: "direct" } };
    case "reasoning":
      return part.style === "redacted" ? encodeBlock(part) : { type: "thinking", thinking: "", signature: "" };
    default:
      return { type: "text", text: "", citations: null };
  }
}

interface Delta {
  /** A delta that is no output token is sent along with the one before it. */
  readonly kind: "open" | "token";
  readonly delta: JsonObject;
}

function deltas(part: AnswerPart): Delta[] {
  switch (part.kind) {
    case "toolCall":
      return [
        { kind: "open", delta: { type: "input_json_delta", partial_json: "" } },
        ...part.tokens.map((piece) => token({ type: "input_json_delta", partial_json: piece })),
      ];
    case "reasoning": {
      if (part.style === "redacted") return [];
      const shown = part.style === "omitted" ? [] : part.tokens;
      const signature = signThinking(shown.join(""));
      return [
        ...shown.map((piece) => token({ type: "thinking_delta", thinking: piece })),
        { kind: "open", delta: { type: "signature_delta", signature } },
      ];
    }
    default:
      return part.tokens.map((piece) => token({ type: "text_delta", text: piece }));
  }
}

function token(delta: JsonObject): Delta {
  return { kind: "token", delta };
}
