/** One prompt's route as an OpenAPI 3.1 document, from which clients are generated and pages are made. */
import type { PromptHook, PromptShape } from "../filters/contract.ts";
import type { JsonObject } from "../lib/json.ts";
import { addSchema } from "./openapi-schemas.ts";

/** The route that is described. */
export interface DescribedRoute {
  /** Unique; letters, digits, dots and dashes. */
  readonly name: string;
  readonly host: string;
  readonly path: string;
}

const ERRORS: readonly (readonly [status: string, description: string])[] = [
  ["400", "The input is not what the prompt takes; `error.param` names the field where one is at fault"],
  ["401", "The API key is missing, unknown or expired"],
  ["404", "The API key is not granted the model"],
  ["429", "A limit is reached; `retry-after` says when to come back"],
  ["502", "The model's provider failed, or its answer cannot be used"],
  ["503", "No provider of the model can serve now"],
  ["504", "It took too long"],
  ["default", "Anything else that goes wrong"],
];

/** @param prompts those that share the route's requests @param version the configuration's */
export function openApiOf(route: DescribedRoute, prompts: readonly PromptHook[], version: string): JsonObject {
  const inputs = distinct(prompts.map(({ shape }) => inputOf(shape)));
  const schemas: JsonObject = { Error: ERROR };
  const input = named(inputs, "Input", schemas);
  const errors = ERRORS.map(([status, description]) => [
    status,
    { description, content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } } },
  ]);
  const post: JsonObject = {
    operationId: route.name.replaceAll(/[^A-Za-z0-9]+/g, "_"),
    ...(mayStream(prompts) && { parameters: [STREAM] }),
    requestBody: { required: true, content: { "application/json": { schema: input } } },
    responses: {
      "200": { description: "The model's answer", content: contentOf(prompts, schemas) },
      ...(Object.fromEntries(errors) as JsonObject),
    },
  };
  return {
    openapi: "3.1.0",
    info: { title: `${route.host === "*" ? "" : route.host}${route.path}`, version },
    paths: { [route.path.replace(/\/\*$/, "") || "/"]: { post } },
    security: [{ apiKey: [] }],
    components: { securitySchemes: { apiKey: { type: "http", scheme: "bearer" } }, schemas },
  };
}

const ERROR: JsonObject = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["message", "type"],
      properties: {
        message: { type: "string" },
        type: { type: "string" },
        code: { type: ["string", "null"] },
        param: { type: ["string", "null"] },
      },
    },
  },
};

const STREAM: JsonObject = {
  name: "stream",
  in: "query",
  description: "Whether the answer is streamed; if left out, what `accept` says",
  schema: { type: "boolean" },
};

/** What is not checked as a whole can be streamed. */
function mayStream(prompts: readonly PromptHook[]): boolean {
  return prompts.some(({ output }) => output.kind !== "json");
}

/** A prompt's own schema of its input, or one of what its templates mention. */
export function inputOf({ input, variables, defaults = {} }: PromptShape): JsonObject {
  if (input !== undefined) {
    return input;
  }
  const names = [...new Set([...variables, ...Object.keys(defaults)])];
  const property = (name: string): JsonObject =>
    Object.hasOwn(defaults, name) ? { default: defaults[name] } : { description: "Used by the prompt" };
  return { type: "object", properties: Object.fromEntries(names.map((name) => [name, property(name)])) };
}

/** By media type. Versions that share the requests may answer with different ones. */
function contentOf(prompts: readonly PromptHook[], schemas: JsonObject): JsonObject {
  const kinds = new Set(prompts.map(({ output }) => output.kind));
  const content: JsonObject = {};
  if (kinds.has("text")) {
    content["text/plain"] = { schema: { type: "string" } };
  }
  const answers = distinct(prompts.map(answerOf).filter((answer) => answer !== undefined));
  if (answers.length > 0) {
    content["application/json"] = { schema: named(answers, "Answer", schemas) };
  }
  if (mayStream(prompts)) {
    const description = "With `?stream=true` or `accept: text/event-stream`";
    content["text/event-stream"] = { schema: { type: "string", description } };
  }
  return content;
}

function answerOf({ output, shape }: PromptHook): JsonObject | undefined {
  switch (output.kind) {
    case "text":
      return undefined;
    case "json":
      return shape.outputSchema ?? {};
    case "full":
      return {
        type: "object",
        description: "As /v1/chat/completions of OpenAI's API answers",
        additionalProperties: true,
      };
  }
}

function distinct(schemas: readonly JsonObject[]): JsonObject[] {
  return [...new Map(schemas.map((schema) => [JSON.stringify(schema), schema])).values()];
}

/** Puts schemas among the components, and returns what refers to them. */
function named(found: readonly JsonObject[], name: string, schemas: JsonObject): JsonObject {
  const references = found.map((schema, index) => {
    const key = found.length === 1 ? name : `${name}${index + 1}`;
    addSchema(schemas, key, schema);
    return { $ref: `#/components/schemas/${key}` };
  });
  return references.length === 1 ? references[0]! : { anyOf: references };
}
