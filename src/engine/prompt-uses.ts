/** Where a snapshot's routes use prompts: routes that have one, by a name that callers can be told, and what uses each template. */
import type { MiddlewareConfig, Snapshot } from "../config/snapshot.ts";
import { parseTemplateReference } from "../config/template-reference.ts";

const PROMPT_FILTERS: ReadonlySet<string> = new Set(["prompt_template", "v1_chat_template"]);
/** Routes that are looked at before others get their turn. */
const ROUTES_PER_STEP = 100;

/** A route with a prompt. */
export interface PromptRouteEntry {
  /** Made of host and path; unique. */
  readonly name: string;
  readonly host: string;
  readonly path: string;
  readonly middleware: MiddlewareConfig;
}

/** One reference to a template. */
export interface TemplateUse {
  readonly host: string;
  readonly path: string;
  /** `summary@production`, as the route writes it. */
  readonly reference: string;
  /** Undefined: ordinary chat calls may name it there. */
  readonly promptRoute: PromptRouteEntry | undefined;
}

/** What was found. */
export interface PromptUses {
  /** By name. */
  readonly routes: ReadonlyMap<string, PromptRouteEntry>;
  /** By the template's name. */
  readonly templates: ReadonlyMap<string, readonly TemplateUse[]>;
}

/** Yields often. */
export function* findPromptUses({ domains }: Pick<Snapshot, "domains">): Generator<undefined, PromptUses> {
  const routes = new Map<string, PromptRouteEntry>();
  const templates = new Map<string, TemplateUse[]>();
  const nameOf = freeNames();
  let step = 0;
  for (const { host, routes: all } of domains) {
    for (const { path, middlewares } of all) {
      const middleware = middlewares.find(({ name }) => PROMPT_FILTERS.has(name));
      let promptRoute: PromptRouteEntry | undefined;
      if (middleware !== undefined) {
        promptRoute = { name: nameOf(host, path), host, path, middleware };
        routes.set(promptRoute.name, promptRoute);
      }
      for (const reference of middlewares.flatMap(referencesOf)) {
        const { name } = parseTemplateReference(reference);
        const uses = templates.get(name) ?? [];
        uses.push({ host, path, reference, promptRoute });
        templates.set(name, uses);
      }
      if (++step % ROUTES_PER_STEP === 0) {
        yield;
      }
    }
  }
  return { routes, templates };
}

function referencesOf({ name, options: { template, templates } }: MiddlewareConfig): string[] {
  switch (name) {
    case "prompt_template":
      return typeof template === "string" ? [template] : [];
    case "named_templates":
      return Array.isArray(templates) ? templates.map(String) : [];
    default:
      return [];
  }
}

/** Names of letters, digits, dots and dashes; a number behind it where two would be the same. */
function freeNames(): (host: string, path: string) => string {
  const taken = new Set<string>();
  const lastNumbers = new Map<string, number>();
  return (host, path) => {
    const text = `${host === "*" ? "" : `${host}-`}${path.replace(/^\/|\/?\*$/g, "")}`;
    const name = text.replaceAll(/[^\w.-]+/g, "-").replace(/^-/, "") || "root";
    let free = name;
    let number = lastNumbers.get(name) ?? 1;
    while (taken.has(free)) {
      number += 1;
      free = `${name}-${number}`;
    }
    lastNumbers.set(name, number);
    taken.add(free);
    return free;
  };
}
