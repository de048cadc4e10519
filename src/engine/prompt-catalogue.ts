/** What there is to say to those who call prompts: which routes have one, and how each is called, as OpenAPI 3.1. */
import type { MiddlewareConfig, Snapshot, TemplateConfig } from "../config/snapshot.ts";
import { REQUEST_FILTERS } from "../filters/builtin.ts";
import type { PromptHook } from "../filters/contract.ts";
import type { JsonObject } from "../lib/json.ts";
import { openApiOf } from "./prompt-openapi.ts";
import { promptVariants } from "./prompt-variants.ts";

const PROMPT_FILTERS: ReadonlySet<string> = new Set(["prompt_template", "v1_chat_template"]);

/** A route with a prompt. */
interface PromptRouteEntry {
  /** Made of host and path; unique. */
  readonly name: string;
  readonly host: string;
  readonly path: string;
  readonly middleware: MiddlewareConfig;
}

/** What of a snapshot is about prompts. */
type PromptSnapshot = Pick<Snapshot, "version" | "templates" | "domains">;

/** The prompts of one snapshot. */
export class PromptCatalogue {
  readonly #snapshot: PromptSnapshot;
  readonly #routes: ReadonlyMap<string, PromptRouteEntry>;

  constructor(snapshot: PromptSnapshot) {
    this.#routes = routesOf(snapshot);
    this.#snapshot = snapshot;
  }

  /** All routes with prompts, and all templates. @param urlOf where a route's OpenAPI document is */
  list(urlOf: (name: string) => string): JsonObject {
    const routes = [...this.#routes.values()].map(({ name, host, path, middleware: { options } }) => ({
      name,
      host,
      path,
      ...(typeof options["template"] === "string" && { template: options["template"] }),
      openapi: urlOf(name),
    }));
    return { version: this.#snapshot.version, routes, templates: this.#snapshot.templates.map(templateInfo) };
  }

  /** The OpenAPI document of a route; undefined if there is no such route. */
  openApi(name: string): JsonObject | undefined {
    const entry = this.#routes.get(name);
    return entry && openApiOf(entry, this.#hooks(entry.middleware), this.#snapshot.version);
  }

  #hooks({ name, options }: MiddlewareConfig): PromptHook[] {
    const prompt = REQUEST_FILTERS.find((factory) => factory.name === name)?.create(options).prompt;
    return prompt === undefined ? [] : promptVariants(prompt, this.#snapshot).variants.map(({ hook }) => hook);
  }
}

function routesOf({ domains }: PromptSnapshot): ReadonlyMap<string, PromptRouteEntry> {
  const routes = new Map<string, PromptRouteEntry>();
  for (const { host, routes: all } of domains) {
    for (const { path, middlewares } of all) {
      const middleware = middlewares.find(({ name }) => PROMPT_FILTERS.has(name));
      if (middleware !== undefined) {
        const name = freeName(`${host === "*" ? "" : `${host}-`}${path.replace(/^\/|\/?\*$/g, "")}`, routes);
        routes.set(name, { name, host, path, middleware });
      }
    }
  }
  return routes;
}

/** Letters, digits, dots and dashes; a number behind it where two would be the same. */
function freeName(text: string, taken: ReadonlyMap<string, unknown>): string {
  const name = text.replaceAll(/[^\w.-]+/g, "-").replace(/^-/, "") || "root";
  let free = name;
  for (let number = 2; taken.has(free); number++) {
    free = `${name}-${number}`;
  }
  return free;
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
