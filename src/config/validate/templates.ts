/** What a template's schema cannot see: versions that exist, drafts that are in use, prompts that do not compile. */
import type { ConfigDocument } from "../document.ts";
import type { Findings } from "../findings.ts";
import type { KnownFilters } from "../known-filters.ts";
import { didYouMean } from "../nearest.ts";
import type { DocumentPath } from "../problem.ts";
import type { TemplateDocument } from "../schema/template.ts";
import { parseTemplateReference, sharesOf, type VersionShare } from "../template-reference.ts";
import { validateOptions } from "./filters.ts";
import type { ModelNames } from "./model-names.ts";
import { validatePromptModel } from "./prompt-model.ts";
import { Unique } from "./unique.ts";

/** Checks all templates. A version's prompt is what the options of `prompt_template` are. */
export function validateTemplates(
  document: ConfigDocument,
  models: ModelNames,
  filters: KnownFilters,
  findings: Findings,
): void {
  const names = new Unique("the template name");
  const filter = filters.request.find((candidate) => candidate.name === "prompt_template");
  for (const [index, template] of document.templates.items.entries()) {
    if (template === undefined) {
      continue;
    }
    const path = ["templates", index];
    names.claim(template.name, [...path, "name"], findings);
    const versions = new Unique("this version");
    for (const [place, { version, prompt }] of template.versions.entries()) {
      const here = [...path, "versions", place];
      versions.claim(String(version), [...here, "version"], findings);
      if ("template" in prompt) {
        findings.addKey([...here, "prompt", "template"], "a version is a prompt, not a reference", "Remove it.");
      } else if (filter !== undefined) {
        validateOptions(prompt, filter, [...here, "prompt"], findings);
        validatePromptModel(prompt["model"], document, models, [...here, "prompt", "model"], findings);
      }
    }
    validateShares(template, template.published, [...path, "published"], findings);
    for (const [label, shares] of Object.entries(template.labels)) {
      validateShares(template, shares, [...path, "labels", label], findings);
    }
  }
}

function validateShares(
  { versions }: TemplateDocument,
  shares: readonly VersionShare[] | undefined,
  path: DocumentPath,
  findings: Findings,
): void {
  for (const { version } of shares ?? []) {
    const found = versions.find((candidate) => candidate.version === version);
    if (found === undefined) {
      const known = versions.map((candidate) => candidate.version).join(", ");
      findings.add(path, `there is no version ${version}`, `Versions: ${known}.`);
    } else if (found.draft) {
      findings.add(path, `version ${version} is a draft`, "Take `draft` away from it, or name another.");
    }
  }
}

/** Checks what a route's `template` refers to. */
export function validateReference(
  text: string,
  document: ConfigDocument,
  path: DocumentPath,
  findings: Findings,
): void {
  const { name, at } = parseTemplateReference(text);
  const { names } = document.templates;
  if (!names.has(name)) {
    findings.add(path, `there is no template "${name}"`, () => didYouMean(name, names, "Add it under `templates`."));
    return;
  }
  const template = templatesOf(document).get(name);
  if (template !== undefined && sharesOf(template, at) === undefined) {
    const labels = Object.keys(template.labels);
    const [message, remedy] =
      at === undefined
        ? [`template "${name}" has nothing published`, `Give it \`published\`, or name a label or version (${name}@1).`]
        : [`template "${name}" has no label or version "${at}"`, `Labels: ${labels.join(", ") || "none"}.`];
    findings.add(path, message, remedy);
  }
}

/** Thousands of routes may refer to thousands of templates. */
const templatesByName = new WeakMap<ConfigDocument, ReadonlyMap<string, TemplateDocument>>();

function templatesOf(document: ConfigDocument): ReadonlyMap<string, TemplateDocument> {
  let byName = templatesByName.get(document);
  if (byName === undefined) {
    const valid = document.templates.items.filter((template) => template !== undefined);
    byName = new Map(valid.map((template) => [template.name, template]));
    templatesByName.set(document, byName);
  }
  return byName;
}
