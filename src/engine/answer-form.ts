/** How a prompt's answer reaches the client, where that is not the model's whole answer: its text, or the JSON in it. */
import type { StreamEncoder } from "../dialects/contract.ts";
import type { ChatAnswer, ChatEvent, ContentPart } from "../dialects/form.ts";
import type { PromptOutput } from "../filters/contract.ts";
import { SluiceError } from "../lib/errors.ts";
import type { ExactJson, JsonValue } from "../lib/json.ts";
import { readBody } from "../lib/json-body.ts";
import { parseExactJson, stringifyExactJson } from "../lib/json-parse.ts";
import { setMembers, splice } from "../lib/json-splice.ts";

/** What the client gets: a body with its headers (names and values, alternating), or why there is none. */
export type WordedAnswer =
  | { readonly headers: readonly string[]; readonly body: string }
  | { readonly error: SluiceError; readonly again?: Again | undefined };

/** How the model may be told what was wrong with its answer. */
interface Again {
  /** So often, at most. */
  readonly most: number;
  /** The body that tells it, made of the one that it was asked with. */
  readonly bodyOf: (body: Buffer) => Buffer;
}

/** Words answers for one kind of output. */
export interface AnswerForm {
  whole(answer: ChatAnswer): WordedAnswer;
  createStreamEncoder(): StreamEncoder;
}

const FENCE = "```";

/** Undefined: the model's whole answer, in the client's dialect. */
export function answerFormOf(output: PromptOutput): AnswerForm | undefined {
  switch (output.kind) {
    case "full":
      return undefined;
    case "text":
      return { whole: textOf, createStreamEncoder: () => new TextStream() };
    case "json":
      return { whole: (answer) => jsonOf(answer, output), createStreamEncoder: () => new TextStream() };
  }
}

/** The text as it is; a header tells of an answer that was cut short or withheld. */
function textOf({ choices }: ChatAnswer): WordedAnswer {
  const [choice] = choices;
  const headers = ["content-type", "text/plain; charset=utf-8"];
  if (choice !== undefined && choice.finishReason !== null) {
    headers.push("x-sluice-finish-reason", choice.finishReason);
  }
  return { headers, body: spoken(choice?.content ?? []) };
}

function spoken(content: readonly ContentPart[]): string {
  return content.map((part) => (part.kind === "text" || part.kind === "refusal" ? part.text : "")).join("");
}

function jsonOf({ choices }: ChatAnswer, { check, repairs }: Extract<PromptOutput, { kind: "json" }>): WordedAnswer {
  const [choice] = choices;
  if (choice?.finishReason === "length") {
    return unusable("it was cut off; raise the prompt's max_tokens");
  }
  if (choice?.content.some(({ kind }) => kind === "refusal") === true) {
    return unusable("the model refused");
  }
  const text = spoken(choice?.content ?? []).trim();
  let value: ExactJson;
  try {
    value = parseExactJson(withoutFence(text));
  } catch {
    return unusable("it is not JSON", again("it is not JSON", text, repairs));
  }
  const result = check?.(value) ?? ({ ok: true, value } as const);
  return result.ok
    ? { headers: ["content-type", "application/json"], body: stringifyExactJson(result.value) }
    : unusable(`it is not what the route promises: ${result.message}`, again(result.message, text, repairs));
}

/** What stands between the lines of a Markdown fence; by hand, since a text may have thousands of empty lines. */
function withoutFence(text: string): string {
  const lineEnd = text.indexOf("\n");
  const isFenced = text.startsWith(FENCE) && text.endsWith(FENCE) && lineEnd > 0;
  return isFenced ? text.slice(lineEnd + 1, -FENCE.length) : text;
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

/** `data: {"text":"…"}` for each piece, `data: {"finish_reason":"…"}`, and `data: [DONE]`. */
class TextStream implements StreamEncoder {
  encode(event: ChatEvent): string {
    switch (event.kind) {
      case "text":
      case "refusal":
        return event.choice === 0 && event.text !== "" ? `data: ${JSON.stringify({ text: event.text })}\n\n` : "";
      case "finish":
        return event.choice === 0 ? `data: ${JSON.stringify({ finish_reason: event.finishReason })}\n\n` : "";
      case "end":
        return "data: [DONE]\n\n";
      default:
        return "";
    }
  }
}
