/** Words answers and streams as OpenAI-compatible engines do. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import { toolCallOrder } from "../surface.ts";
import { partText, type Answer, type AnswerPart, type Frame, type Outcome, type TaskUsage } from "../task.ts";

const FINGERPRINT = "fp_simulated";

export function encodeChat(outcome: Outcome): JsonObject {
  return {
    id: outcome.id,
    object: "chat.completion",
    created: outcome.created,
    model: outcome.task.model,
    choices: outcome.answers.map((answer, index) => ({
      index,
      message: encodeMessage(answer),
      logprobs: outcome.task.logprobs ? logprobs(answer.parts.filter(isSpoken).flatMap((part) => part.tokens)) : null,
      finish_reason: finishReason(answer),
      ...(answer.stopSequence === undefined ? {} : { stop_reason: answer.stopSequence }),
    })),
    usage: encodeUsage(outcome.usage),
    service_tier: "default",
    system_fingerprint: FINGERPRINT,
  };
}

function encodeMessage(answer: Answer): JsonObject {
  const calls = answer.parts.filter((part) => part.kind === "toolCall");
  const spoken = answer.parts.filter((part) => part.kind === "text").map(partText);
  const refusals = answer.parts.filter((part) => part.kind === "refusal").map(partText);
  const reasoning = answer.parts.filter((part) => part.kind === "reasoning").map(partText);
  return {
    role: "assistant",
    content: spoken.length === 0 ? null : spoken.join(""),
    refusal: refusals.length === 0 ? null : refusals.join(""),
    ...(reasoning.length === 0 ? {} : { reasoning_content: reasoning.join("") }),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map((call) => ({
            id: call.id,
            type: "function",
            function: { name: call.name, arguments: partText(call) },
          })),
        }),
    annotations: [],
  };
}

export function encodeCompletion(outcome: Outcome): JsonObject {
  return {
    id: outcome.id,
    object: "text_completion",
    created: outcome.created,
    model: outcome.task.model,
    choices: outcome.answers.map((answer, index) => ({
      index,
      text: answer.parts.map(partText).join(""),
      logprobs: null,
      finish_reason: finishReason(answer),
    })),
    usage: encodeUsage(outcome.usage),
    system_fingerprint: FINGERPRINT,
  };
}

export function encodeUsage(usage: TaskUsage): JsonObject {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: {
      cached_tokens: usage.cachedTokens,
      audio_tokens: 0,
      ...(usage.imageTokens === 0 ? {} : { image_tokens: usage.imageTokens }),
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function finishReason(answer: Answer): string {
  switch (answer.finish) {
    case "stop_sequence":
    case "refusal":
      return "stop";
    default:
      return answer.finish;
  }
}

function isSpoken(part: AnswerPart): boolean {
  return part.kind === "text";
}

function logprobs(tokens: readonly string[]): JsonObject {
  return {
    content: tokens.map((token) => ({
      token,
      logprob: -0.25,
      bytes: [...Buffer.from(token)],
      top_logprobs: [],
    })),
    refusal: null,
  };
}

export function encodeChatFrames(outcome: Outcome): Frame[] {
  const frames: Frame[] = [];
  const push = (kind: Frame["kind"], choices: JsonValue[], usage: JsonObject | null): void => {
    const chunk: JsonObject = {
      id: outcome.id,
      object: "chat.completion.chunk",
      created: outcome.created,
      model: outcome.task.model,
      service_tier: "default",
      system_fingerprint: FINGERPRINT,
      choices,
      ...(outcome.task.includeUsage ? { usage } : {}),
    };
    frames.push({ kind, text: `data: ${JSON.stringify(chunk)}\n\n` });
  };
  const pushDelta = (kind: Frame["kind"], index: number, delta: JsonObject, tokens?: readonly string[]): void => {
    const detail = tokens !== undefined && outcome.task.logprobs ? logprobs(tokens) : null;
    push(kind, [{ index, delta, logprobs: detail, finish_reason: null }], null);
  };
  for (const index of outcome.answers.keys()) {
    pushDelta("open", index, { role: "assistant", content: "", refusal: null });
  }
  for (const [index, answer] of outcome.answers.entries()) {
    pushParts(answer, index, outcome, pushDelta);
    push("finish", [{ index, delta: {}, logprobs: null, finish_reason: finishReason(answer) }], null);
  }
  if (outcome.task.includeUsage) push("usage", [], encodeUsage(outcome.usage));
  frames.push({ kind: "done", text: "data: [DONE]\n\n" });
  return frames;
}

type PushDelta = (kind: Frame["kind"], index: number, delta: JsonObject, tokens?: readonly string[]) => void;

function pushParts(answer: Answer, index: number, outcome: Outcome, pushDelta: PushDelta): void {
  const calls = answer.parts.filter((part) => part.kind === "toolCall");
  for (const part of answer.parts) {
    for (const token of part.kind === "toolCall" ? [] : part.tokens) {
      if (part.kind === "reasoning") pushDelta("token", index, { reasoning_content: token });
      else if (part.kind === "refusal") pushDelta("token", index, { refusal: token });
      else pushDelta("token", index, { content: token }, [token]);
    }
  }
  const order = outcome.task.directives.interleave === true ? "in turns" : "one by one";
  const lengths = calls.map((call) => call.tokens.length);
  for (const { call, piece } of toolCallOrder(lengths, order)) {
    const part = calls[call];
    if (part === undefined) continue;
    if (piece === 0) {
      const head = { index: call, id: part.id, type: "function", function: { name: part.name, arguments: "" } };
      pushDelta("open", index, { tool_calls: [head] });
    }
    const text = part.tokens[piece] ?? "";
    pushDelta("token", index, { tool_calls: [{ index: call, function: { arguments: text } }] });
  }
}

export function encodeCompletionFrames(outcome: Outcome): Frame[] {
  const frames: Frame[] = [];
  const push = (kind: Frame["kind"], choices: JsonValue[], usage: JsonObject | null): void => {
    const chunk: JsonObject = {
      id: outcome.id,
      object: "text_completion",
      created: outcome.created,
      model: outcome.task.model,
      choices,
      ...(outcome.task.includeUsage ? { usage } : {}),
    };
    frames.push({ kind, text: `data: ${JSON.stringify(chunk)}\n\n` });
  };
  for (const [index, answer] of outcome.answers.entries()) {
    for (const token of answer.parts.flatMap((part) => part.tokens)) {
      push("token", [{ index, text: token, logprobs: null, finish_reason: null }], null);
    }
    push("finish", [{ index, text: "", logprobs: null, finish_reason: finishReason(answer) }], null);
  }
  if (outcome.task.includeUsage) push("usage", [], encodeUsage(outcome.usage));
  frames.push({ kind: "done", text: "data: [DONE]\n\n" });
  return frames;
}
