/**
 * `prompt_template`: a prompt behind a route. The client sends plain JSON; messages whose contents are templates, and
 * parameters, make a chat request of it for a user model.
 */
import { z } from "zod";
import type { JsonObject } from "../../../lib/json.ts";
import { compileJsonSchema } from "../../../templates/input-schema.ts";
import { compilePrompt } from "../../../templates/prompt.ts";
import { addTemplateMistakes } from "../../template-text.ts";
import type { RequestFilterDefinition } from "../../contract.ts";
import { messageOf } from "../../../lib/thrown.ts";

const MAX_MESSAGES = 1_000;
const MAX_REPAIRS = 5;
const DEFAULT_REPAIRS = 1;
/** What the route decides itself. */
const OWN_MEMBERS = new Set(["model", "messages", "stream", "stream_options"]);

const message = z.strictObject({
  role: z.enum(["system", "user", "assistant"]),
  /** A template. */
  content: z.string(),
});

const schema = z
  .strictObject({
    /** One of `templates` (`name`, `name@label`, `name@version`) instead of all the rest. */
    template: z.string().min(1).optional(),
    /** A user model. */
    model: z.string().min(1).optional(),
    messages: z.array(message).min(1).max(MAX_MESSAGES).optional(),
    /** Further members of the chat request: temperature, max_tokens, response_format, tools … */
    parameters: z.record(z.string(), z.json()).optional(),
    /** JSON Schema of what callers send; without it anything is taken. */
    input: z.record(z.string(), z.json()).optional(),
    /** What callers get: the model's whole answer, its text, or the JSON that it consists of. */
    output: z.enum(["full", "text", "json"]).optional(),
    /** JSON Schema that the JSON of `output: json` must satisfy. */
    outputSchema: z.record(z.string(), z.json()).optional(),
    /** With `output: json`: so often is the model told what is wrong with its answer, and asked again (1 if left out). */
    repairs: z.int().min(0).max(MAX_REPAIRS).optional(),
    /** Input that is used where a request does not bring its own. */
    defaults: z.record(z.string(), z.json()).optional(),
    /** `go`: Go text/template; `simple`: `{{name}}` only. */
    syntax: z.enum(["go", "simple"]).optional(),
    /** What a name that the input lacks is: an error, or `<no value>`. */
    missingKey: z.enum(["error", "default", "zero"]).optional(),
  })
  .superRefine((options, context) => {
    const complain = (message: string, ...path: (string | number)[]): void => {
      context.addIssue({ code: "custom", message, path });
    };
    if (options.template !== undefined) {
      for (const key of Object.keys(options).filter((name) => name !== "template")) {
        complain("stands beside `template`, which has all that is needed", key);
      }
      return;
    }
    for (const key of ["model", "messages"] as const) {
      if (options[key] === undefined) complain("is missing; or name a `template`", key);
    }
    checkPrompt(options, context, complain);
  });

type Options = z.infer<typeof schema>;

function checkPrompt(
  { messages, parameters, input, output, outputSchema, repairs, syntax }: Options,
  context: z.core.$RefinementCtx,
  complain: (message: string, ...path: string[]) => void,
): void {
  for (const [key, part] of Object.entries({ input, outputSchema })) {
    const schemaMistake = part === undefined ? undefined : jsonSchemaMistake(part);
    if (schemaMistake !== undefined) {
      complain(schemaMistake, key);
    }
  }
  for (const [key, part] of Object.entries({ outputSchema, repairs })) {
    if (part !== undefined && output !== "json") {
      complain("goes with `output: json` only", key);
    }
  }
  addTemplateMistakes(messages ?? [], syntax ?? "go", "messages", context);
  for (const name of Object.keys(parameters ?? {}).filter((key) => OWN_MEMBERS.has(key))) {
    complain("is not a parameter: the route, or the one who calls it, decides it", "parameters", name);
  }
}

export const promptTemplate: RequestFilterDefinition<Options> = {
  name: "prompt_template",
  kind: "request",
  schema,
  create: ({
    template,
    model = "",
    messages = [],
    output = "full",
    outputSchema,
    repairs = DEFAULT_REPAIRS,
    ...source
  }) => {
    if (template !== undefined) {
      return { prompt: { template } };
    }
    const { variables, render } = compilePrompt({ name: "messages", messages, ...defined(source) });
    const { input, defaults } = defined(source);
    const shape = { variables, ...defined({ input, defaults, outputSchema }) };
    const check = outputSchema && compileJsonSchema(outputSchema);
    return {
      prompt: {
        model,
        render,
        shape,
        output: output === "json" ? { kind: output, repairs, ...defined({ check }) } : { kind: output },
      },
    };
  },
};

/** Without what is undefined. */
function defined<Members extends object>(members: Members): { [Key in keyof Members]?: NonNullable<Members[Key]> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [Key in keyof Members]?: NonNullable<Members[Key]>;
  };
}

/** What of a JSON Schema cannot be used; undefined if all can. */
function jsonSchemaMistake(schema: JsonObject): string | undefined {
  try {
    compileJsonSchema(schema);
    return undefined;
  } catch (error) {
    return `is no JSON Schema that can be used here: ${messageOf(error)}`;
  }
}
