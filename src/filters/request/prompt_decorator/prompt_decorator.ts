/** `prompt_decorator`: puts instructions, examples and context of the platform's into ordinary chat calls. */
import { z } from "zod";
import { compilePrompt } from "../../../templates/prompt.ts";
import type { JsonObject } from "../../../lib/json.ts";
import type { ChatView, RequestFilterDefinition } from "../../contract.ts";
import { addTemplateMistakes } from "../../template-text.ts";
import { decorate, type Decoration } from "./wire-messages.ts";

const MAX_MESSAGES = 100;
const MAX_NAMES = 10_000;

const schema = z
  .strictObject({
    /** Which requests; all if left out. A name may end in `*`. */
    when: z
      .strictObject({
        models: z.array(z.string().min(1)).min(1).max(MAX_NAMES).optional(),
        consumers: z.array(z.string().min(1)).min(1).max(MAX_NAMES).optional(),
      })
      .default({}),
    prepend: z
      .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: z.string().min(1) }))
      .max(MAX_MESSAGES)
      .default([]),
    append: z
      .array(z.strictObject({ role: z.enum(["system", "user"]), content: z.string().min(1) }))
      .max(MAX_MESSAGES)
      .default([]),
    /** Request headers that templates see. */
    headers: z
      .array(z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]+$/, "must be a header's name in lower case"))
      .default([]),
    syntax: z.enum(["go", "simple"]).default("go"),
    missingKey: z.enum(["error", "default", "zero"]).default("error"),
  })
  .superRefine(({ prepend, append, syntax }, context) => {
    addTemplateMistakes(prepend, syntax, "prepend", context);
    addTemplateMistakes(append, syntax, "append", context);
    if (prepend.length + append.length === 0) {
      context.addIssue({ code: "custom", message: "needs `prepend` or `append`" });
    }
  });

type Options = z.infer<typeof schema>;

export const promptDecorator: RequestFilterDefinition<Options> = {
  name: "prompt_decorator",
  kind: "request",
  schema,
  create({ when, prepend, append, headers, syntax, missingKey }) {
    const renderer = (name: string, messages: Options["prepend"]): ((data: JsonObject) => Decoration[]) => {
      const prompt = compilePrompt({ name, messages, syntax, missingKey });
      return (data) => prompt.messages(data);
    };
    const before = renderer("prepend", prepend);
    const behind = renderer("append", append);
    const isModel = matcher(when.models);
    const isConsumer = matcher(when.consumers);
    return {
      chat(request, members) {
        if (!isConsumer(request.consumer) || !(isModel(request.model) || isModel(request.asked))) {
          return {};
        }
        const data = dataOf(request, members, headers);
        return decorate(request.dialect, members, { prepend: before(data), append: behind(data) });
      },
    };
  },
};

/** What templates see of a request. */
function dataOf(request: ChatView, { metadata }: JsonObject, names: readonly string[]): JsonObject {
  const headers = names.map((name) => [name, String(request.headers[name] ?? "")]);
  return {
    consumer: request.consumer,
    key: request.key,
    model: request.asked,
    metadata: metadata ?? {},
    headers: Object.fromEntries(headers) as JsonObject,
  };
}

/** Whether a name is one of these or begins as one of those that end in `*`; without a list every name is. */
function matcher(names: readonly string[] | undefined): (name: string) => boolean {
  if (names === undefined) {
    return () => true;
  }
  const exact = new Set(names.filter((name) => !name.endsWith("*")));
  const beginnings = names.flatMap((name) => (name.endsWith("*") ? name.slice(0, -1) : []));
  return (name) => exact.has(name) || beginnings.some((beginning) => name.startsWith(beginning));
}
