/** What a domain's schema cannot see: unique hosts and paths, consumers that exist, routes that answer. */
import type { ConfigDocument, Entries } from "../document.ts";
import type { Findings } from "../findings.ts";
import type { KnownFilters } from "../known-filters.ts";
import { didYouMean } from "../nearest.ts";
import type { DocumentPath } from "../problem.ts";
import type { DomainDocument } from "../schema/domain.ts";
import { validateFilters } from "./filters.ts";
import type { ModelNames } from "./model-names.ts";
import { validatePrompts } from "./prompts.ts";
import { Unique } from "./unique.ts";

export function validateDomains(
  document: ConfigDocument,
  models: ModelNames,
  filters: KnownFilters,
  findings: Findings,
): void {
  const domains: Entries<DomainDocument> | undefined = document.domains;
  if (domains?.items.length === 0) {
    findings.warn(["domains"], "is empty, so nothing is served", "Leave it out for the usual routes on every host.");
  }
  const hosts = new Unique("this host");
  for (const [index, domain] of (domains?.items ?? []).entries()) {
    if (domain !== undefined) {
      const path = ["domains", index];
      hosts.claim(domain.host, [...path, "host"], findings);
      validateConsumers(domain, path, document.consumers.names, findings);
      validateRoutes(domain, path, document, models, filters, findings);
    }
  }
}

function validateConsumers(
  domain: DomainDocument,
  path: DocumentPath,
  consumers: ReadonlySet<string>,
  findings: Findings,
): void {
  if (domain.consumers?.length === 0) {
    findings.warn(
      [...path, "consumers"],
      "is empty, so nobody may use this domain",
      "Leave it out to allow everybody.",
    );
  }
  for (const [index, name] of (domain.consumers ?? []).entries()) {
    if (!consumers.has(name)) {
      findings.add([...path, "consumers", index], `there is no consumer "${name}"`, () =>
        didYouMean(name, consumers, "Add it under `consumers`."),
      );
    }
  }
}

function validateRoutes(
  domain: DomainDocument,
  path: DocumentPath,
  document: ConfigDocument,
  models: ModelNames,
  filters: KnownFilters,
  findings: Findings,
): void {
  const paths = new Unique("this path");
  for (const [index, route] of domain.routes.entries()) {
    const here = [...path, "routes", index];
    paths.claim(route.path, [...here, "path"], findings);
    if (route.api === undefined && route.middlewares.length === 0) {
      findings.add(here, "has neither `api` nor `middlewares`, so nothing answers", "Add `api: openai`.");
    }
    if (Array.isArray(route.api) && new Set(route.api).size < route.api.length) {
      findings.add([...here, "api"], "names one dialect twice", "Remove one.");
    }
    validateFilters(route.middlewares, "request", filters, [...here, "middlewares"], findings);
    validatePrompts(route, document, models, [...here, "middlewares"], findings);
  }
}
