/** A prompt's answer as checked JSON, and how the model is told what is wrong with one that does not fit. */
import type { ChatAnswer, ChatChoice } from "../dialects/form.ts";
import type { PromptOutput } from "../filters/contract.ts";
import { SluiceError } from "../lib/errors.ts";
import type { ExactJson, JsonValue } from "../lib/json.ts";
import { readBody } from "../lib/json-body.ts";
import { parseExactJson, stringifyExactJson } from "../lib/json-parse.ts";
import { setMembers, splice } from "../lib/json-splice.ts";
import { type Again, spoken, type WordedAnswer } from "./worded-answer.ts";

const FENCE = "```";
const NOT_JSON = "it is not JSON";
const TOO_DEEP = "it nests too deeply";

/** The JSON that the model's text consists of, if it passes the check. */
export function jsonOf(
  { choices }: ChatAnswer,
  { check, repairs }: Extract<PromptOutput, { kind: "json" }>,
): WordedAnswer {
  const [choice] = choices;
  const whyNone = choice && whyUnfinished(choice);
  if (whyNone !== undefined) {
    return unusable(whyNone);
  }
  const text = spoken(choice?.content ?? []).trim();
  const value = valueIn(text);
  if (value === undefined) {
    return unusable(NOT_JSON, again(NOT_JSON, text, repairs));
  }
  const result = check?.(value) ?? ({ ok: true, value } as const);
  if (!result.ok) {
    return unusable(`it is not what the route promises: ${result.message}`, again(result.message, text, repairs));
  }
  const body = textOf(result.value);
  return body === undefined
    ? unusable(TOO_DEEP, again(TOO_DEEP, text, repairs))
    : { headers: ["content-type", "application/json"], body };
}

/** Undefined for a value that nests so deeply that it cannot be written. */
function textOf(value: ExactJson): string | undefined {
  try {
    return stringifyExactJson(value);
  } catch (error) {
    if (error instanceof RangeError) {
      return undefined;
    }
    throw error;
  }
}

/** Why an answer is not whole: asking again would bring no other. */
function whyUnfinished({ finishReason, content }: ChatChoice): string | undefined {
  switch (finishReason) {
    case "length":
      return "it was cut off; raise the prompt's max_tokens";
    case "context_overflow":
      return "it was cut off, since prompt and answer are longer than the model takes";
    case "content_filter":
      return "it was withheld by a filter of the model's provider";
    case "refusal":
      return "the model refused";
    default:
      return content.some(({ kind }) => kind === "refusal") ? "the model refused" : undefined;
  }
}

/** The JSON that a text is, or that stands in its Markdown fence; undefined if there is none. */
function valueIn(text: string): ExactJson | undefined {
  for (const candidate of [text, fencedIn(text)]) {
    try {
      return candidate === undefined ? undefined : parseExactJson(candidate);
    } catch {
      // the next may be
    }
  }
  return undefined;
}

/** What stands between the first line of a fence and its end; by hand, since a text may have thousands of empty lines. */
function fencedIn(text: string): string | undefined {
  const open = text.indexOf(FENCE);
  const lineEnd = text.indexOf("\n", open);
  const close = text.lastIndexOf(FENCE);
  return open >= 0 && lineEnd > 0 && close > lineEnd ? text.slice(lineEnd + 1, close) : undefined;
}

function again(why: string, said: string, repairs: number): Again {
  return { most: repairs, bodyOf: (body) => withCorrection(body, said, why) };
}

/** The request with the answer, and what is wrong with it, as its next turns. */
function withCorrection(body: Buffer, said: string, why: string): Buffer {
  const scan = readBody(body, ["messages"]);
  const messages = scan.get("messages") as JsonValue[];
  const correction = `That answer cannot be used: ${why}. Answer again, with nothing but the corrected JSON.`;
  // some providers refuse an empty turn
  const answer = said === "" ? [] : [{ role: "assistant", content: said }];
  const turns = [...messages, ...answer, { role: "user", content: correction }];
  return splice(body, setMembers(scan.scan, new Map([["messages", JSON.stringify(turns)]])));
}

function unusable(why: string, asking?: Again): WordedAnswer {
  const message = `The model's answer cannot be used: ${why}. Try again.`;
  return { error: new SluiceError("upstream_invalid_answer", message), again: asking };
}
