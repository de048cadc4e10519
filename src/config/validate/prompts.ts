/** What prompts and decorators refer to (templates, user models, providers, consumers), and whether they can do anything. */
import type { ConfigDocument } from "../document.ts";
import type { Findings } from "../findings.ts";
import { didYouMean } from "../nearest.ts";
import type { DocumentPath } from "../problem.ts";
import type { DomainDocument } from "../schema/domain.ts";
import { parseTemplateReference } from "../template-reference.ts";
import type { ModelNames } from "./model-names.ts";
import { validatePromptModel } from "./prompt-model.ts";
import { validateReference } from "./templates.ts";
import { Unique } from "./unique.ts";

type RouteDocument = DomainDocument["routes"][number];

/** Filters that answer themselves. */
const PROMPTS: ReadonlySet<string> = new Set(["prompt_template", "v1_chat_template"]);

/** Checks a route's filters. @param path of the filters */
export function validatePrompts(
  route: RouteDocument,
  document: ConfigDocument,
  models: ModelNames,
  path: DocumentPath,
  findings: Findings,
): void {
  const apis = [route.api ?? []].flat();
  const prompts = route.middlewares.filter(({ name }) => PROMPTS.has(name));
  for (const [index, middleware] of route.middlewares.entries()) {
    const { name, options } = middleware;
    const here = [...path, index, "options"];
    const { template, templates, model, provider, when } = options;
    if (PROMPTS.has(name) && (apis.length > 0 || middleware !== prompts[0])) {
      findings.add([...path, index], "answers where something else does", "A route has one prompt, or `api`.");
    }
    switch (name) {
      case "prompt_template":
        if (typeof template === "string") validateReference(template, document, [...here, "template"], findings);
        validatePromptModel(model, document, models, [...here, "model"], findings);
        break;
      case "named_templates":
        if (!apis.includes("openai") || prompts.length > 0) {
          findings.add([...path, index], "does nothing here", "It is for routes with `api: openai`.");
        }
        validateNames(templates, document, [...here, "templates"], findings);
        break;
      case "prompt_decorator":
        if (apis.length === 0 && prompts.length === 0) {
          findings.add([...path, index], "does nothing here", "It is for routes with `api` or a prompt.");
        }
        validateWhen(when, document, models, [...here, "when"], findings);
        break;
      case "v1_chat_template":
        if (typeof provider === "string" && !document.providers.names.has(provider)) {
          findings.add([...here, "provider"], `there is no provider "${provider}"`, () =>
            didYouMean(provider, document.providers.names, "Add it under `providers`."),
          );
        }
        break;
      default:
    }
  }
}

/** The templates that calls may name; a name means one of them. */
function validateNames(templates: unknown, document: ConfigDocument, path: DocumentPath, findings: Findings): void {
  const names = new Unique("the template name");
  for (const [index, reference] of Array.isArray(templates) ? templates.entries() : []) {
    if (typeof reference === "string") {
      validateReference(reference, document, [...path, index], findings);
      names.claim(parseTemplateReference(reference).name, [...path, index], findings);
    }
  }
}

/** A decorator for requests that there cannot be is one that somebody believes in. */
function validateWhen(
  when: unknown,
  document: ConfigDocument,
  models: ModelNames,
  path: DocumentPath,
  findings: Findings,
): void {
  const { models: asked, consumers } = (when ?? {}) as Record<string, unknown>;
  const isConsumer = (pattern: string): boolean =>
    pattern.endsWith("*")
      ? document.consumers.names.values().some((name) => name.startsWith(pattern.slice(0, -1)))
      : document.consumers.names.has(pattern);
  const isModel = (pattern: string): boolean => pattern.includes("/") || models.matchesAny(pattern);
  const lists = [
    { key: "models", what: "model", names: asked, isKnown: isModel, known: () => models.names() },
    {
      key: "consumers",
      what: "consumer",
      names: consumers,
      isKnown: isConsumer,
      known: () => document.consumers.names,
    },
  ];
  for (const { key, what, names, isKnown, known } of lists) {
    for (const [index, name] of Array.isArray(names) ? names.entries() : []) {
      if (typeof name === "string" && !isKnown(name)) {
        const remedy = (): string => didYouMean(name, known(), "");
        findings.warn([...path, key, index], `there is no such ${what}: "${name}"`, remedy);
      }
    }
  }
}
