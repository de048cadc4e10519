/** Why an answer ended, both ways (`stop_reason`). */
import type { FinishReason } from "../form.ts";

const TO_FORM: ReadonlyMap<string, FinishReason> = new Map([
  ["end_turn", "stop"],
  ["stop_sequence", "stop_sequence"],
  ["max_tokens", "length"],
  ["tool_use", "tool_calls"],
  ["pause_turn", "pause"],
  ["refusal", "refusal"],
  ["model_context_window_exceeded", "context_overflow"],
]);

const TO_WIRE: Readonly<Record<FinishReason, string>> = {
  stop: "end_turn",
  stop_sequence: "stop_sequence",
  length: "max_tokens",
  tool_calls: "tool_use",
  pause: "pause_turn",
  refusal: "refusal",
  content_filter: "refusal",
  context_overflow: "model_context_window_exceeded",
};

/** The form's reason; undefined for one that it does not know. */
export function finishReasonOf(stopReason: string): FinishReason | undefined {
  return TO_FORM.get(stopReason);
}

/**
 * Anthropic's reason. Some engines end an answer that calls tools with a plain stop; a client of Anthropic's
 * protocol runs tools only on `tool_use`.
 */
export function stopReasonOf(finishReason: FinishReason, calls: "with tool calls" | "without tool calls"): string {
  if (finishReason === "stop" && calls === "with tool calls") return "tool_use";
  return TO_WIRE[finishReason];
}
