/** A whole answer, from the form to Anthropic's wire. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { AnswerContext } from "../contract.ts";
import type { ChatAnswer, ContentPart } from "../form.ts";
import { inputOf } from "./answer-decode.ts";
import { putBack } from "./fields.ts";
import { stopReasonOf } from "./stop-reasons.ts";
import { encodeUsage, NO_USAGE } from "./usage.ts";

/** Writes a message: the first candidate, since Anthropic's clients cannot ask for more. */
export function encodeChatAnswer(answer: ChatAnswer, context: AnswerContext): JsonObject {
  const choice = answer.choices[0];
  const content = (choice?.content ?? []).map(encodeAnswerPart).filter((block) => block !== undefined);
  const calls = content.some((block) => block["type"] === "tool_use") ? "with tool calls" : "without tool calls";
  const finishReason = choice?.finishReason ?? null;
  const message: JsonObject = {
    id: messageId(answer.id, context.requestId),
    type: "message",
    role: "assistant",
    model: context.model,
    content,
    stop_reason: finishReason === null ? null : stopReasonOf(finishReason, calls),
    stop_sequence: choice?.stopSequence ?? null,
    usage: encodeUsage(answer.usage ?? NO_USAGE),
  };
  return putBack(putBack(message, answer.extra), choice?.extra);
}

function encodeAnswerPart(part: ContentPart): JsonObject | undefined {
  const block = encodeBare(part);
  return block === undefined || part.kind === "opaque" ? block : putBack(block, part.extra);
}

function encodeBare(part: ContentPart): JsonObject | undefined {
  switch (part.kind) {
    case "text": {
      const citations = ownCitations(part.citations);
      return citations === undefined ? { type: "text", text: part.text } : { type: "text", text: part.text, citations };
    }
    case "refusal":
      return { type: "text", text: part.text };
    case "reasoning":
      if (part.redacted !== undefined) return { type: "redacted_thinking", data: part.redacted };
      // other vendors sign nothing; Anthropic's SDKs expect the member
      return { type: "thinking", thinking: part.text, signature: part.signature ?? "" };
    case "toolCall":
      return { type: "tool_use", id: part.id, name: part.name, input: inputOf(part.arguments) };
    case "opaque":
      return part.dialect === "anthropic" ? part.value : undefined;
    default:
      // media and tool results are no part of what Anthropic's clients are answered
      return undefined;
  }
}

/** Citations of Anthropic's kinds (`char_location`, `web_search_result_location` …). */
function ownCitations(citations: readonly JsonValue[] | undefined): JsonValue[] | undefined {
  if (citations === undefined) return undefined;
  const own = citations.filter(isOwnCitation);
  return own.length === 0 && citations.length > 0 ? undefined : own;
}

/** True for a citation that Anthropic's clients understand. */
export function isOwnCitation(citation: JsonValue): boolean {
  if (typeof citation !== "object" || citation === null || Array.isArray(citation)) return false;
  const { type } = citation;
  return typeof type === "string" && type.endsWith("_location");
}

/** Anthropic's ids begin with `msg_`; another vendor's stays recognisable behind it. */
export function messageId(id: string, requestId: string): string {
  if (id.startsWith("msg_")) return id;
  return `msg_${(id === "" ? requestId : id).replace(/[^a-zA-Z0-9_-]/g, "_")}`;
}
