/** A whole answer, from Anthropic's wire to the form. Lenient: only a body that is no message is refused. */
import { SluiceError } from "../../lib/errors.ts";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { ChatAnswer, ChatChoice, ContentPart } from "../form.ts";
import { decodeBlock } from "./blocks-decode.ts";
import { extraOf, isObject } from "./fields.ts";
import { finishReasonOf } from "./stop-reasons.ts";
import { decodeUsage } from "./usage.ts";
import { parseJson } from "../../lib/json-parse.ts";

const MESSAGE_KEYS = new Set(["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"]);

/** Reads a message. @throws SluiceError `upstream_invalid_answer` */
export function decodeChatAnswer(body: JsonObject): ChatAnswer {
  const { content, stop_reason: stopReason, stop_sequence: stopSequence, usage } = body;
  if (!Array.isArray(content)) throw invalidAnswer("it has no content");
  const choice: ChatChoice = { content: content.map(decodeAnswerBlock), finishReason: null };
  if (typeof stopReason === "string") {
    choice.finishReason = finishReasonOf(stopReason) ?? "stop";
    if (finishReasonOf(stopReason) === undefined) {
      choice.extra = { dialect: "anthropic", fields: { stop_reason: stopReason } };
    }
  }
  if (typeof stopSequence === "string") choice.stopSequence = stopSequence;
  const answer: ChatAnswer = {
    id: stringOr(body["id"], ""),
    model: stringOr(body["model"], ""),
    created: Math.floor(Date.now() / 1000),
    choices: [choice],
  };
  if (isObject(usage)) answer.usage = decodeUsage(usage);
  const extra = extraOf(body, MESSAGE_KEYS);
  if (extra !== undefined) answer.extra = extra;
  return answer;
}

function decodeAnswerBlock(value: JsonValue, index: number): ContentPart {
  try {
    return decodeBlock(tolerated(value), `content.${index}`);
  } catch (cause) {
    throw invalidAnswer(cause instanceof Error ? cause.message : "a content block is unknown", cause);
  }
}

/** Vendors that imitate Anthropic leave `input` out, or write it as JSON text. */
function tolerated(value: JsonValue): JsonValue {
  if (!isObject(value) || value["type"] !== "tool_use" || isObject(value["input"])) return value;
  return { ...value, input: inputOf(value["input"]) };
}

/** A tool call's arguments as the object that they should be. */
export function inputOf(value: JsonValue | undefined): JsonObject {
  if (isObject(value)) return value;
  if (typeof value !== "string") return {};
  try {
    const parsed: unknown = parseJson(value);
    return isObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

/** The string, or another in place of what is none. */
export function stringOr(value: JsonValue | undefined, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

/** The upstream broke the protocol. */
export function invalidAnswer(reason: string, cause?: unknown): SluiceError {
  return new SluiceError(
    "upstream_invalid_answer",
    `The upstream's answer is not a message of Anthropic's: ${reason}.`,
    {
      cause,
    },
  );
}
