/**
 * `v1_chat_template`: the published form of a prompt behind a route. The client sends plain JSON, the route's template
 * becomes one user message, and the model of a provider answers.
 */
import { z } from "zod";
import { compilePrompt } from "../../../templates/prompt.ts";
import { templateText } from "../../template-text.ts";
import type { RequestFilterDefinition } from "../../contract.ts";

const schema = z.strictObject({
  /** Who serves it. */
  provider: z.string().min(1),
  /** The model's name there, or the user model of that name with a target there. */
  model_name: z.string().min(1),
  /** Go text/template. */
  prompt_template: z.string().min(1).superRefine(templateText("go")),
});

export const v1ChatTemplate: RequestFilterDefinition<z.infer<typeof schema>> = {
  name: "v1_chat_template",
  kind: "request",
  schema,
  create: ({ provider, model_name: model, prompt_template: content }) => {
    const { render, variables } = compilePrompt({ name: "prompt_template", messages: [{ role: "user", content }] });
    return { prompt: { provider, model, render, output: { kind: "full" }, shape: { variables } } };
  },
};
