/** A prompt: messages whose contents are templates, and the parameters that go with them. Makes chat requests of plain data. */
import type { ExactObject, JsonObject } from "../lib/json.ts";
import { SluiceError } from "../lib/errors.ts";
import { compileInputSchema } from "./input-schema.ts";
import { compileSimpleTemplate } from "./simple-template.ts";
import type { RenderLimits } from "./meter.ts";
import { TemplateError } from "./template-error.ts";
import { compileTemplate, type Template } from "./template.ts";
import type { MissingKey } from "./evaluator.ts";

/** All messages of a prompt together. */
const MAX_PROMPT_CHARACTERS = 4 * 1024 * 1024;
/** What its messages with templates share, and what each of them has at least: about 100 ns a step. */
const MAX_PROMPT_STEPS = 1_000_000;
const MIN_MESSAGE_STEPS = 10_000;

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
   * @throws SluiceError `invalid_request` where the data lack something, or a limit is exceeded
   */
  readonly render: (input: ExactObject) => JsonObject;
  /** Names of the input that the templates mention, sorted. */
  readonly variables: readonly string[];
  /** Only the messages. @throws as `render` */
  readonly messages: (input: ExactObject) => RenderedMessage[];
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
  const moving = messages.filter(({ content }) => content.includes("{{")).length;
  const maxSteps = Math.max(MIN_MESSAGE_STEPS, Math.floor(MAX_PROMPT_STEPS / Math.max(1, moving)));
  const render = (input: ExactObject): RenderedMessage[] => {
    const given = defaults === undefined ? input : { ...defaults, ...input };
    const data = check === undefined ? given : check(given);
    let room = MAX_PROMPT_CHARACTERS;
    return templates.map(({ role, template }) => {
      const content = renderedText(template, data, { maxSteps });
      room -= content.length;
      // the limit on what one template may write is generous; what is beyond this no model reads
      if (room < 0) {
        throw new SluiceError("invalid_request", `The prompt becomes longer than ${MAX_PROMPT_CHARACTERS} characters.`);
      }
      return { role, content };
    });
  };
  return {
    variables: [...new Set(templates.flatMap(({ template }) => template.variables))].toSorted(),
    messages: render,
    render: (input) => ({ ...parameters, messages: render(input).map((message) => ({ ...message })) }),
  };
}

/** The caller learns what is wrong and where, and nothing of what the prompt says; that is in the error's cause. */
function renderedText(template: Template, data: ExactObject, limits: RenderLimits): string {
  try {
    return template.render(data, limits);
  } catch (error) {
    throw error instanceof TemplateError ? new SluiceError(error.code, error.withoutSource, { cause: error }) : error;
  }
}
