/** A whole answer, from the form to the wire: a `chat.completion`. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { AnswerContext } from "../contract.ts";
import type { ChatAnswer, ChatChoice, ContentPart, TextPart } from "../form.ts";
import { fieldsOf, hintsOf, isObject, putBack } from "./fields.ts";
import { encodeFinishReason } from "./finish-reasons.ts";
import { encodeAnswerReasoning } from "./reasoning-history.ts";
import { encodeUsage } from "./usage.ts";

/** Writes the answer; it names the model as the client did. */
export function encodeChatAnswer(answer: ChatAnswer, context: AnswerContext): JsonObject {
  const body: JsonObject = {
    id: answerId(answer.id, context),
    object: "chat.completion",
    created: creationTime(answer.created),
    model: context.model,
    choices: answer.choices.map(encodeChoice),
  };
  if (answer.usage !== undefined) body["usage"] = encodeUsage(answer.usage);
  for (const choice of answer.choices) {
    // what a stream said of the whole answer after its beginning
    const { chunk } = fieldsOf(choice.extra);
    if (isObject(chunk)) Object.assign(body, chunk);
  }
  return putBack(body, answer.extra);
}

/** The upstream's id, or one made of the request's. */
export function answerId(id: string, context: AnswerContext): string {
  return id === "" ? `chatcmpl-${context.requestId}` : id;
}

/** Seconds since the epoch: the upstream's clock, or ours. */
export function creationTime(created: number): number {
  return created > 0 ? created : Math.floor(Date.now() / 1000);
}

function encodeChoice(choice: ChatChoice, index: number): JsonObject {
  const encoded: JsonObject = {
    index,
    message: encodeMessage(choice),
    finish_reason: choice.finishReason === null ? null : encodeFinishReason(choice.finishReason),
  };
  if (choice.logprobs !== undefined) encoded["logprobs"] = choice.logprobs;
  if (choice.extra?.dialect !== "openai") {
    encoded["logprobs"] ??= null;
    // as vLLM tells it; the protocol itself does not say which sequence it was
    if (choice.stopSequence !== undefined) encoded["stop_reason"] = choice.stopSequence;
    return encoded;
  }
  return putBackInner(encoded, choice, "choice");
}

function putBackInner(target: JsonObject, choice: ChatChoice, key: "choice" | "message"): JsonObject {
  const fields = fieldsOf(choice.extra)[key];
  const hints = hintsOf(choice.extra)[key];
  return putBack(target, {
    dialect: "openai",
    fields: isObject(fields) ? fields : {},
    hints: isObject(hints) ? hints : {},
  });
}

function encodeMessage(choice: ChatChoice): JsonObject {
  const message: JsonObject = { role: "assistant" };
  const texts = choice.content.filter((part) => part.kind === "text");
  const refusals = choice.content.filter((part) => part.kind === "refusal");
  const calls = choice.content.filter((part) => part.kind === "toolCall");
  if (texts.length > 0) message["content"] = texts.map((part) => part.text).join("");
  if (refusals.length > 0) message["refusal"] = refusals.map((part) => part.text).join("");
  encodeAnswerReasoning(message, choice.content);
  if (calls.length > 0) message["tool_calls"] = calls.map(encodeCall);
  encodeCitations(message, texts);
  if (choice.extra?.dialect === "openai") putBackInner(message, choice, "message");
  else message["refusal"] ??= null;
  message["content"] ??= null;
  return message;
}

/** One element of `tool_calls`. */
export function encodeCall(part: Extract<ContentPart, { kind: "toolCall" }>): JsonObject {
  const custom = fieldsOf(part.extra)["type"] === "custom";
  const encoded: JsonObject = custom
    ? { id: part.id, type: "custom", custom: { name: part.name, input: part.arguments } }
    : { id: part.id, type: "function", function: { name: part.name, arguments: part.arguments } };
  return putBack(encoded, part.extra);
}

/** Citations of other dialects: those of web pages as `annotations`, all others as they came in `citations`. */
function encodeCitations(message: JsonObject, texts: readonly TextPart[]): void {
  const annotations: JsonValue[] = [];
  const citations: JsonValue[] = [];
  let start = 0;
  for (const { text, citations: cited } of texts) {
    for (const citation of cited ?? []) {
      const annotation = encodeCitation(citation, start, start + text.length);
      if (annotation === undefined) citations.push(citation);
      else annotations.push(annotation);
    }
    start += text.length;
  }
  if (annotations.length > 0) message["annotations"] = annotations;
  if (citations.length > 0) message["citations"] = citations;
}

/** A web page that the text in `[start, end)` cites; undefined for any other source. */
export function encodeCitation(citation: JsonValue, start: number, end: number): JsonObject | undefined {
  if (!isObject(citation) || typeof citation["url"] !== "string") return undefined;
  const title = typeof citation["title"] === "string" ? citation["title"] : "";
  return {
    type: "url_citation",
    url_citation: { start_index: start, end_index: end, url: citation["url"], title },
  };
}
