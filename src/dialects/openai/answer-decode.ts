/** A provider's whole answer, from the wire to the form. Lenient: what an engine leaves out is filled in. */
import { SluiceError } from "../../lib/errors.ts";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { ChatAnswer, ChatChoice, ContentPart, Extra, ReasoningPart, ToolCallPart } from "../form.ts";
import { type AnswerPiece, freshCallId, MESSAGE_KEYS, readCall, readPiece } from "./answer-pieces.ts";
import { isObject } from "./fields.ts";
import { decodeFinish } from "./finish-reasons.ts";
import { REASONING_WORDS_HINT } from "./reasoning-history.ts";
import { decodeUsage } from "./usage.ts";

const ANSWER_KEYS: ReadonlySet<string> = new Set(["id", "object", "created", "model", "choices", "usage"]);
const CHOICE_KEYS: ReadonlySet<string> = new Set(["index", "message", "logprobs", "finish_reason"]);

/** @throws SluiceError `upstream_invalid_answer` if there is no candidate in it */
export function decodeChatAnswer(body: JsonObject): ChatAnswer {
  const { choices } = body;
  const list = Array.isArray(choices) ? choices.filter(isObject) : [];
  if (list.length === 0) {
    throw new SluiceError("upstream_invalid_answer", "The provider's answer holds no choices.");
  }
  const usage = decodeUsage(body["usage"]);
  return {
    id: stringOr(body["id"], ""),
    model: stringOr(body["model"], ""),
    created: typeof body["created"] === "number" ? body["created"] : 0,
    choices: list.toSorted((a, b) => indexOf(a) - indexOf(b)).map(decodeChoice),
    ...(usage === undefined ? {} : { usage }),
    extra: { dialect: "openai", ...leftOver(body, ANSWER_KEYS) },
  };
}

/** Candidates may come in any order; one that does not say its place keeps it. */
function indexOf(choice: JsonObject): number {
  return typeof choice["index"] === "number" ? choice["index"] : 0;
}

function stringOr(value: JsonValue | undefined, fallback: string): string {
  return typeof value === "string" ? value : fallback;
}

function decodeChoice(choice: JsonObject): ChatChoice {
  const message = isObject(choice["message"]) ? choice["message"] : {};
  const content = partsOf(message, readPiece(message));
  const finish = decodeFinish(
    choice,
    content.some((part) => part.kind === "toolCall"),
  );
  const { logprobs } = choice;
  return {
    content,
    finishReason: finish?.finishReason ?? null,
    ...(finish?.stopSequence === undefined ? {} : { stopSequence: finish.stopSequence }),
    ...(logprobs === undefined ? {} : { logprobs }),
    extra: choiceExtra(choice, message, finish?.verbatim),
  };
}

function partsOf(message: JsonObject, piece: AnswerPiece): ContentPart[] {
  const parts: ContentPart[] = reasoningParts(piece);
  const places = parts.map((part) => part.extra?.hints?.["index"]);
  const others: ContentPart[] = [];
  if (piece.text !== "") others.push({ kind: "text", text: piece.text });
  if (piece.refusal !== "") others.push({ kind: "refusal", text: piece.refusal });
  for (const call of piece.toolCalls) others.push(decodeCall(call));
  if (!Array.isArray(message["reasoning_details"])) return [...parts, ...others];
  // the entries' `index` tells where in the message they were
  let next = 0;
  parts.forEach((part, index) => {
    const place = places[index];
    const at = Math.min(Math.max(typeof place === "number" ? place : next, next), others.length);
    others.splice(at, 0, part);
    next = at + 1;
  });
  return others;
}

function reasoningParts({ reasoning, reasoningWords, details }: AnswerPiece): ReasoningPart[] {
  const words: JsonObject = reasoningWords.length === 0 ? {} : { [REASONING_WORDS_HINT]: [...reasoningWords] };
  if (details.length === 0) {
    if (reasoning === "") return [];
    return [{ kind: "reasoning", text: reasoning, extra: { dialect: "openai", fields: {}, hints: words } }];
  }
  return details.map(({ text, signature, redacted, hints }) => ({
    kind: "reasoning",
    // a lone signature is one of the text that stands beside it
    text: text === "" && details.length === 1 && redacted === undefined ? reasoning : text,
    ...(signature === undefined ? {} : { signature }),
    ...(redacted === undefined ? {} : { redacted }),
    extra: { dialect: "openai", fields: {}, hints: { ...words, ...hints } },
  }));
}

function decodeCall(value: JsonObject): ToolCallPart {
  const { id, name, arguments: text, rest } = readCall(value);
  const part: ToolCallPart = { kind: "toolCall", id: id === "" ? freshCallId() : id, name, arguments: text };
  // only a stream counts its calls; a whole answer that does so all the same gets it back
  const fields = value["index"] === undefined ? rest : { ...rest, index: value["index"] };
  if (Object.keys(fields).length > 0) part.extra = { dialect: "openai", fields };
  return part;
}

/** The rest of a choice: members of its message under `message`, its own under `choice`. */
function choiceExtra(choice: JsonObject, message: JsonObject, verbatim: string | undefined): Extra {
  const own = leftOver(choice, CHOICE_KEYS);
  if (verbatim !== undefined) own.fields["finish_reason"] = verbatim;
  const inner = leftOver(message, MESSAGE_KEYS);
  return {
    dialect: "openai",
    fields: { ...nonEmpty("choice", own.fields), ...nonEmpty("message", inner.fields) },
    hints: { ...nonEmpty("choice", own.hints), ...nonEmpty("message", inner.hints) },
  };
}

function nonEmpty(key: string, value: JsonObject): JsonObject {
  return Object.keys(value).length === 0 ? {} : { [key]: value };
}

/** Unknown members, and as hints the known ones that are there and say nothing. */
function leftOver(object: JsonObject, known: ReadonlySet<string>): { fields: JsonObject; hints: JsonObject } {
  const fields: JsonObject = {};
  const hints: JsonObject = {};
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined) continue;
    if (!known.has(key)) fields[key] = value;
    else if (value === null || value === "" || (Array.isArray(value) && value.length === 0)) hints[key] = value;
  }
  return { fields, hints };
}
