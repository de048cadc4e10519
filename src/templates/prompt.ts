/** A prompt: messages whose contents are templates, and the parameters that go with them. Makes chat requests of plain data. */
import type { JsonObject } from "../lib/json.ts";
import { SluiceError } from "../lib/errors.ts";
import { compileInputSchema } from "./input-schema.ts";
import { compileSimpleTemplate } from "./simple-template.ts";
import { compileTemplate, type Template } from "./template.ts";
import type { MissingKey } from "./evaluator.ts";

/** What a prompt is made of. */
export interface PromptSource {
  /** For error messages. */
  readonly name: string;
  readonly messages: readonly { readonly role: "system" | "user" | "assistant"; readonly content: string }[];
  /** Members of the request beside `model` and `messages`. */
  readonly parameters?: JsonObject;
  /** JSON Schema that the input must satisfy. */
  readonly input?: JsonObject;
  /** Input that is used where a request does not bring its own. */
  readonly defaults?: JsonObject;
  /** `go`: text/template; `simple`: variables only, `{{name}}`. */
  readonly syntax?: "go" | "simple";
  readonly missingKey?: MissingKey;
}

/** A compiled prompt. */
export interface Prompt {
  /**
   * The request for these data, in OpenAI's form and without `model`.
   * @throws TemplateError `invalid_request` where the data lack something, or a limit is exceeded
   */
  readonly render: (input: JsonObject) => JsonObject;
  /** Names of the input that the templates mention, sorted. */
  readonly variables: readonly string[];
  /** Only the messages. @throws as `render` */
  readonly messages: (input: JsonObject) => RenderedMessage[];
}

/** A message whose text is ready. */
export interface RenderedMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** @throws TemplateError with line and column where a template is at fault, Error where the schema cannot be used */
export function compilePrompt(source: PromptSource): Prompt {
  const { name, messages, parameters, input: schema, defaults, syntax, missingKey } = source;
  const check = schema === undefined ? undefined : compileInputSchema(schema);
  const compile = syntax === "simple" ? compileSimpleTemplate : compileTemplate;
  const templates = messages.map(({ role, content }, index) => ({
    role,
    template: compile(content, {
      name: messages.length === 1 ? name : `${name}[${index}]`,
      ...(missingKey === undefined ? {} : { missingKey }),
    }),
  }));
  const render = (input: JsonObject): RenderedMessage[] => {
    const given = defaults === undefined ? input : { ...defaults, ...input };
    const data = check === undefined ? given : check(given);
    return templates.map(({ role, template }) => ({ role, content: renderOne(template, data) }));
  };
  return {
    variables: [...new Set(templates.flatMap(({ template }) => template.variables))].toSorted(),
    messages: render,
    render: (input) => ({ ...parameters, messages: render(input).map((message) => ({ ...message })) }),
  };
}

function renderOne(template: Template, data: JsonObject): string {
  const text = template.render(data);
  // the limit on what a template may write is generous; what is beyond this no model reads
  if (text.length > MAX_MESSAGE_CHARACTERS) {
    throw new SluiceError("invalid_request", `The prompt becomes longer than ${MAX_MESSAGE_CHARACTERS} characters.`);
  }
  return text;
}

const MAX_MESSAGE_CHARACTERS = 4 * 1024 * 1024;
