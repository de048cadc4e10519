/** `finish_reason`, both ways, with the words that engines have beside the protocol's. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { FinishReason } from "../form.ts";

const DECODED: ReadonlyMap<string, FinishReason> = new Map<string, FinishReason>([
  ["stop", "stop"],
  ["length", "length"],
  ["tool_calls", "tool_calls"],
  ["function_call", "tool_calls"],
  ["content_filter", "content_filter"],
  ["refusal", "refusal"],
  ["max_tokens", "length"],
  ["MAX_TOKENS", "length"],
  ["model_length", "length"],
  ["stop_sequence", "stop_sequence"],
  ["tool_use", "tool_calls"],
]);

const ENCODED: Readonly<Record<FinishReason, string>> = {
  stop: "stop",
  stop_sequence: "stop",
  length: "length",
  tool_calls: "tool_calls",
  content_filter: "content_filter",
  // the protocol's only word for an answer that was withheld
  refusal: "content_filter",
  pause: "stop",
  context_overflow: "length",
};

/** What ended a candidate. */
export interface Finish {
  readonly finishReason: FinishReason;
  readonly stopSequence?: string;
  /** The vendor's word, where `encodeFinishReason` would say another. */
  readonly verbatim?: string;
}

/**
 * Reads `finish_reason` of a choice; undefined while there is none (some engines say "" until the end). A word
 * that nobody knows counts as `stop`. Engines say `stop` for a forced tool call; the form says what it is.
 */
export function decodeFinish(choice: JsonObject, callsTools: boolean): Finish | undefined {
  const word = choice["finish_reason"];
  if (typeof word !== "string" || word === "") return undefined;
  const sequence = matchedStop(choice);
  let finishReason = DECODED.get(word) ?? "stop";
  if (finishReason === "stop" && callsTools) finishReason = "tool_calls";
  else if (finishReason === "stop" && sequence !== undefined) finishReason = "stop_sequence";
  return {
    finishReason,
    ...(sequence === undefined ? {} : { stopSequence: sequence }),
    ...(word === ENCODED[finishReason] ? {} : { verbatim: word }),
  };
}

/** vLLM says `stop_reason`, SGLang `matched_stop`: a text, or the number of a token, which says nothing to a client. */
function matchedStop(choice: JsonObject): string | undefined {
  const matched: JsonValue | undefined = choice["stop_reason"] ?? choice["matched_stop"] ?? undefined;
  return typeof matched === "string" ? matched : undefined;
}

/** The protocol's word. */
export function encodeFinishReason(reason: FinishReason): string {
  return ENCODED[reason];
}
