/** `prompt_decorator`: puts instructions, examples and context of the platform's into ordinary chat calls. */
import { z } from "zod";
import { compilePrompt } from "../../../templates/prompt.ts";
import type { ExactObject } from "../../../lib/json.ts";
import type { ChatView, RequestFilterDefinition } from "../../contract.ts";
import { addTemplateMistakes } from "../../template-text.ts";
import { decorate, type Decoration } from "./wire-messages.ts";

const MAX_MESSAGES = 100;
const MAX_NAMES = 10_000;

const headerName = z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]+$/, "must be a header's name in lower case");
const names = z.array(z.string().min(1)).min(1).max(MAX_NAMES);

const schema = z
  .strictObject({
    /** Which requests: those for which all of this holds; all if left out. A name or value may end in `*`. */
    when: z
      .strictObject({
        models: names.optional(),
        consumers: names.optional(),
        /** Values by header; a header that the request lacks has none of them. */
        headers: z.record(headerName, names).optional(),
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
    headers: z.array(headerName).default([]),
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
    const renderer = (name: string, messages: Options["prepend"]): ((data: ExactObject) => Decoration[]) => {
      const prompt = compilePrompt({ name, messages, syntax, missingKey });
      // what a template leaves empty is not said; Anthropic refuses blocks without words
      return (data) => prompt.messages(data).filter(({ content }) => content.trim() !== "");
    };
    const before = renderer("prepend", prepend);
    const behind = renderer("append", append);
    const isMeant = condition(when);
    return {
      chat(request, members) {
        if (!isMeant(request)) {
          return {};
        }
        const data = dataOf(request, members, headers);
        return decorate(request.dialect, members, { prepend: before(data), append: behind(data) });
      },
    };
  },
};

/** What templates see of a request. */
function dataOf(request: ChatView, { metadata }: ExactObject, names: readonly string[]): ExactObject {
  const headers = names.map((name) => [name, String(request.headers[name] ?? "")]);
  return {
    consumer: request.consumer,
    key: request.key,
    model: request.asked,
    metadata: metadata ?? {},
    headers: Object.fromEntries(headers) as ExactObject,
  };
}

function condition({ models, consumers, headers = {} }: Options["when"]): (request: ChatView) => boolean {
  const isModel = matcher(models);
  const isConsumer = matcher(consumers);
  const values = Object.entries(headers).map(([name, texts]) => [name, matcher(texts)] as const);
  return (request) =>
    isConsumer(request.consumer) &&
    (isModel(request.model) || isModel(request.asked)) &&
    values.every(([name, isValue]) => request.headers[name] !== undefined && isValue(String(request.headers[name])));
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
