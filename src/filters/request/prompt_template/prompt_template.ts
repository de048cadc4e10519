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

const MAX_MESSAGES = 1_000;
/** What the route decides itself. */
const OWN_MEMBERS = new Set(["model", "messages", "stream", "stream_options"]);

const message = z.strictObject({
  role: z.enum(["system", "user", "assistant"]),
  /** A template. */
  content: z.string(),
});

const schema = z
  .strictObject({
    /** A user model. */
    model: z.string().min(1),
    messages: z.array(message).min(1).max(MAX_MESSAGES),
    /** Further members of the chat request: temperature, max_tokens, response_format, tools … */
    parameters: z.record(z.string(), z.json()).default({}),
    /** JSON Schema of what callers send; without it anything is taken. */
    input: z.record(z.string(), z.json()).optional(),
    /** What callers get: the model's whole answer, its text, or the JSON that it consists of. */
    output: z.enum(["full", "text", "json"]).default("full"),
    /** JSON Schema that the JSON of `output: json` must satisfy. */
    outputSchema: z.record(z.string(), z.json()).optional(),
    /** Input that is used where a request does not bring its own. */
    defaults: z.record(z.string(), z.json()).default({}),
    /** `go`: Go text/template; `simple`: `{{name}}` only. */
    syntax: z.enum(["go", "simple"]).default("go"),
    /** What a name that the input lacks is: an error, or `<no value>`. */
    missingKey: z.enum(["error", "default", "zero"]).default("error"),
  })
  .superRefine(({ messages, parameters, input, output, outputSchema, syntax }, context) => {
    for (const [key, part] of Object.entries({ input, outputSchema })) {
      const schemaMistake = part === undefined ? undefined : jsonSchemaMistake(part);
      if (schemaMistake !== undefined) {
        context.addIssue({ code: "custom", message: schemaMistake, path: [key] });
      }
    }
    if (outputSchema !== undefined && output !== "json") {
      context.addIssue({ code: "custom", message: "goes with `output: json` only", path: ["outputSchema"] });
    }
    addTemplateMistakes(messages, syntax, "messages", context);
    for (const name of Object.keys(parameters)) {
      if (OWN_MEMBERS.has(name)) {
        const text = "is not a parameter: the route, or the one who calls it, decides it";
        context.addIssue({ code: "custom", message: text, path: ["parameters", name] });
      }
    }
  });

export const promptTemplate: RequestFilterDefinition<z.infer<typeof schema>> = {
  name: "prompt_template",
  kind: "request",
  schema,
  create: ({ model, input, output, outputSchema, ...source }) => ({
    prompt: {
      model,
      output:
        output === "json" && outputSchema !== undefined
          ? { kind: "json", check: compileJsonSchema(outputSchema) }
          : { kind: output },
      ...compilePrompt({ name: "messages", ...(input !== undefined && { input }), ...source }),
    },
  }),
};

/** What of a JSON Schema cannot be used; undefined if all can. */
function jsonSchemaMistake(schema: JsonObject): string | undefined {
  try {
    compileJsonSchema(schema);
    return undefined;
  } catch (error) {
    return `is no JSON Schema that can be used here: ${error instanceof Error ? error.message : String(error)}`;
  }
}
