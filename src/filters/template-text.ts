/** Checks templates that stand in options, so that a configuration with a broken one is refused where it stands. */
import type { z } from "zod";
import { compilePrompt } from "../templates/prompt.ts";
import { TemplateError } from "../templates/template-error.ts";

/** A zod refinement for a text that is a template. */
export function templateText(syntax: "go" | "simple"): (text: string, context: z.core.$RefinementCtx<string>) => void {
  return (text, context) => {
    const message = templateMistake(text, syntax);
    if (message !== undefined) {
      context.addIssue({ code: "custom", message, input: text });
    }
  };
}

/** For a zod refinement: complains about those of some messages whose contents are no templates. */
export function addTemplateMistakes(
  messages: readonly { readonly content: string }[],
  syntax: "go" | "simple",
  key: string,
  context: z.core.$RefinementCtx,
): void {
  for (const [index, { content }] of messages.entries()) {
    const message = templateMistake(content, syntax);
    if (message !== undefined) {
      context.addIssue({ code: "custom", message, path: [key, index, "content"], input: content });
    }
  }
}

/** What is wrong with a template, with its line and column; undefined if nothing is. */
function templateMistake(content: string, syntax: "go" | "simple"): string | undefined {
  try {
    compilePrompt({ name: "template", messages: [{ role: "user", content }], syntax });
    return undefined;
  } catch (error) {
    if (error instanceof TemplateError) {
      return error.message;
    }
    throw error;
  }
}
