/** What there is to say of a snapshot's prompts: which routes have one and how each is called, and what each template holds. */
import type { MiddlewareConfig, Snapshot, TemplateConfig } from "../config/snapshot.ts";
import { REQUEST_FILTERS } from "../filters/builtin.ts";
import type { PromptHook } from "../filters/contract.ts";
import type { JsonObject } from "../lib/json.ts";
import { inputOf, openApiOf } from "./prompt-openapi.ts";
import { findPromptUses, type PromptRouteEntry, type PromptUses, type TemplateUse } from "./prompt-uses.ts";
import { promptVariants } from "./prompt-variants.ts";

/** What of a snapshot is about prompts. */
type PromptSnapshot = Pick<Snapshot, "version" | "templates" | "domains">;

/** JSON in pieces: with ten thousand templates it has megabytes, and the thread that writes it has other work. */
export type JsonPieces = Generator<string>;

/** Where the OpenAPI document of a route is. */
export type UrlOf = (routeName: string) => string;

/** Characters of a piece, about. */
const PIECE_LENGTH = 16_384;

/** The prompts of one snapshot. */
export class PromptCatalogue {
  readonly #snapshot: PromptSnapshot;
  readonly #uses: PromptUses;
  readonly #templates: ReadonlyMap<string, TemplateConfig>;

  private constructor(snapshot: PromptSnapshot, uses: PromptUses) {
    this.#snapshot = snapshot;
    this.#uses = uses;
    this.#templates = new Map(snapshot.templates.map((template) => [template.name, template]));
  }

  /** Yields often. */
  static *build(snapshot: PromptSnapshot): Generator<undefined, PromptCatalogue> {
    return new PromptCatalogue(snapshot, yield* findPromptUses(snapshot));
  }

  /** All routes with prompts, and all templates. */
  *list(urlOf: UrlOf): JsonPieces {
    yield `{"version":${JSON.stringify(this.#snapshot.version)},"routes":[`;
    yield* elements(this.#uses.routes.values(), (entry) => routeInfo(entry, urlOf));
    yield `],"templates":[`;
    yield* elements(this.#snapshot.templates, templateInfo);
    yield "]}";
  }

  /**
   * A template: its versions, each with its input and its source, and what uses it; or, by the name of a route with a
   * prompt of its own, that prompt. Undefined if there is neither.
   */
  one(name: string, urlOf: UrlOf): JsonPieces | undefined {
    const template = this.#templates.get(name);
    if (template !== undefined) {
      return this.#template(template, urlOf);
    }
    const entry = this.#uses.routes.get(name);
    return entry && this.#ownPrompt(entry, urlOf);
  }

  /** The OpenAPI document of a route; undefined if there is no such route. */
  openApi(name: string): JsonObject | undefined {
    const entry = this.#uses.routes.get(name);
    return entry && openApiOf(entry, this.#hooks(entry.middleware), this.#snapshot.version);
  }

  *#template(template: TemplateConfig, urlOf: UrlOf): JsonPieces {
    const { versions: _versions, ...info } = templateInfo(template);
    const uses = this.#uses.templates.get(template.name) ?? [];
    yield `${JSON.stringify(info).slice(0, -1)},"routes":[`;
    yield* elements(uses, (use) => useInfo(use, urlOf));
    yield `],"versions":[`;
    for (const [index, { version, draft, options }] of template.versions.entries()) {
      const [prompt] = promptVariants({ template: `${template.name}@${version}` }, this.#snapshot).variants;
      const input = prompt === undefined ? {} : inputOf(prompt.hook.shape);
      yield (index === 0 ? "" : ",") + JSON.stringify({ version, draft, input, prompt: options });
    }
    yield "]}";
  }

  *#ownPrompt(entry: PromptRouteEntry, urlOf: UrlOf): JsonPieces {
    const { options } = entry.middleware;
    const isOwn = options["template"] === undefined;
    const inputs = isOwn ? this.#hooks(entry.middleware).map(({ shape }) => inputOf(shape)) : [];
    yield JSON.stringify({ ...routeInfo(entry, urlOf), ...(isOwn && { input: inputs[0], prompt: options }) });
  }

  #hooks({ name, options }: MiddlewareConfig): PromptHook[] {
    const prompt = REQUEST_FILTERS.find((factory) => factory.name === name)?.create(options).prompt;
    return prompt === undefined ? [] : promptVariants(prompt, this.#snapshot).variants.map(({ hook }) => hook);
  }
}

function routeInfo({ name, host, path, middleware: { options } }: PromptRouteEntry, urlOf: UrlOf): JsonObject {
  const { template } = options;
  return { name, host, path, ...(typeof template === "string" && { template }), openapi: urlOf(name) };
}

function useInfo({ host, path, reference, promptRoute }: TemplateUse, urlOf: UrlOf): JsonObject {
  return promptRoute === undefined ? { host, path, template: reference, named: true } : routeInfo(promptRoute, urlOf);
}

function templateInfo({ name, published, labels, sticky, versions }: TemplateConfig): JsonObject {
  const shares = Object.entries(labels).map(([label, all]) => [label, all.map((share) => ({ ...share }))]);
  return {
    name,
    ...(published !== undefined && { published: published.map((share) => ({ ...share })) }),
    labels: Object.fromEntries(shares) as JsonObject,
    ...(sticky !== undefined && { sticky }),
    versions: versions.map(({ version, draft }) => ({ version, draft })),
  };
}

/** The elements of a JSON list, without its brackets, some in a piece. */
function* elements<Item>(items: Iterable<Item>, jsonOf: (item: Item) => JsonObject): JsonPieces {
  let text = "";
  let separator = "";
  for (const item of items) {
    text += separator + JSON.stringify(jsonOf(item));
    separator = ",";
    if (text.length >= PIECE_LENGTH) {
      yield text;
      text = "";
    }
  }
  yield text;
}
