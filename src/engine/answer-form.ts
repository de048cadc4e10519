/** How a prompt's answer reaches the client, where that is not the model's whole answer: its text, or the JSON in it. */
import type { StreamEncoder } from "../dialects/contract.ts";
import type { ChatAnswer, ChatEvent } from "../dialects/form.ts";
import type { PromptOutput } from "../filters/contract.ts";
import { jsonOf } from "./json-answer.ts";
import { spoken, type WordedAnswer } from "./worded-answer.ts";

/** Words answers for one kind of output. */
export interface AnswerForm {
  whole(answer: ChatAnswer): WordedAnswer;
  createStreamEncoder(): StreamEncoder;
}

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
