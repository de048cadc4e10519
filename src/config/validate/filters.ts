/** Filters: that they exist, stand where their kind belongs, and take their options. */
import type { z } from "zod";
import type { Findings } from "../findings.ts";
import { addIssues } from "../issues.ts";
import { lastSegment, typeNameOf } from "../known-filters.ts";
import type { KnownFilter, KnownFilters } from "../known-filters.ts";
import { didYouMean } from "../nearest.ts";
import type { DocumentPath } from "../problem.ts";
import type { MiddlewareDocument } from "../schema/middleware.ts";

/** Filters of the design that this version has not got. */
const LATER_FILTERS: Readonly<Record<string, string>> = {
  v1_mcp_server: "MCP servers are",
};

const ELSEWHERE = {
  request: "is a filter for targets: it stands under `filters` of a model's target",
  model: "is a filter for routes: it stands under `middlewares` of a route",
} as const;

/** Checks a list of filters that stands where filters of `kind` belong. */
export function validateFilters(
  middlewares: readonly MiddlewareDocument[],
  kind: keyof KnownFilters,
  filters: KnownFilters,
  path: DocumentPath,
  findings: Findings,
): void {
  for (const [index, middleware] of middlewares.entries()) {
    const here = [...path, index];
    const filter = filters[kind].find((candidate) => candidate.name === middleware.name);
    if (filter === undefined) {
      complainAboutName(middleware.name, kind, filters, [...here, "name"], findings);
    } else {
      validateType(middleware, here, findings);
      validateOptions(optionsOf(middleware), filter, [...here, "options"], findings);
    }
  }
}

function complainAboutName(
  name: string,
  kind: keyof KnownFilters,
  filters: KnownFilters,
  path: DocumentPath,
  findings: Findings,
): void {
  const other = kind === "request" ? filters.model : filters.request;
  if (other.some((candidate) => candidate.name === name)) {
    findings.add(path, ELSEWHERE[kind], "Move it there.");
    return;
  }
  const later = Object.hasOwn(LATER_FILTERS, name) ? LATER_FILTERS[name] : undefined;
  if (later !== undefined) {
    findings.add(path, `${later} not supported yet`, "Remove it.");
    return;
  }
  const known = filters[kind].map((candidate) => candidate.name);
  findings.add(path, `there is no filter "${name}"`, didYouMean(name, known, `Filters here: ${known.join(", ")}.`));
}

function validateType(middleware: MiddlewareDocument, path: DocumentPath, findings: Findings): void {
  const type = middleware.options["@type"];
  const here = [...path, "options", "@type"];
  if (type === undefined) {
    return;
  }
  if (typeof type !== "string") {
    findings.add(here, "must be a text");
  } else if (lastSegment(type).toLowerCase() !== typeNameOf(middleware.name)) {
    findings.add(
      here,
      `names another filter's options than those of ${middleware.name}`,
      "Correct it or leave it out.",
    );
  }
}

/** Checks options against a filter's own schema. */
export function validateOptions(
  options: ReturnType<typeof optionsOf>,
  filter: KnownFilter,
  path: DocumentPath,
  findings: Findings,
): void {
  const result = filter.schema.safeParse(options);
  if (!result.success) {
    addIssues(findings, filter.schema, options, result.error.issues, path);
  }
}

/** The options as the filter takes them: `@type` only says which filter they are for. */
export function optionsOf(middleware: MiddlewareDocument): Record<string, z.core.util.JSONType> {
  const { "@type": _type, ...options } = middleware.options;
  return options;
}
