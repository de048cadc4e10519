/** What a model's schema cannot see: references to providers and other models, and where `*` may stand. */
import type { ConfigDocument } from "../document.ts";
import type { Findings } from "../findings.ts";
import type { KnownFilters } from "../known-filters.ts";
import { didYouMean } from "../nearest.ts";
import type { DocumentPath } from "../problem.ts";
import type { ModelDocument } from "../schema/model.ts";
import { validateFilters } from "./filters.ts";
import type { ModelNames } from "./model-names.ts";
import { Unique } from "./unique.ts";

export function validateModels(
  document: ConfigDocument,
  modelNames: ModelNames,
  filters: KnownFilters,
  findings: Findings,
): void {
  const names = new Unique("this model name");
  for (const [index, model] of document.models.items.entries()) {
    if (model === undefined) {
      continue;
    }
    const path = ["models", index];
    names.claim(model.name, [...path, "name"], findings);
    for (const [aliasIndex, alias] of model.aliases.entries()) {
      names.claim(alias, [...path, "aliases", aliasIndex], findings);
    }
    validateStars(model, path, findings);
    validateTargets(model, path, document, filters, findings);
    validateFallbacks(model, path, modelNames, findings);
  }
}

/** `*` stands for a name's ending: once, at the end of the model's name, and so in its upstream models. */
function validateStars(model: ModelDocument, path: DocumentPath, findings: Findings): void {
  const isPattern = model.name.endsWith("*");
  if (model.name.slice(0, -1).includes("*")) {
    findings.add([...path, "name"], "may have * only at its end");
  }
  for (const [index, alias] of model.aliases.entries()) {
    if (alias.includes("*")) {
      findings.add([...path, "aliases", index], "may not have *", "Make it a model of its own.");
    }
  }
  for (const [index, target] of model.targets.entries()) {
    const stars = target.model.split("*").length - 1;
    if (stars > 1 || (stars === 1 && !isPattern)) {
      const message = isPattern ? "may have * only once" : "has *, but the name of the user model does not end in *";
      findings.add([...path, "targets", index, "model"], message);
    }
  }
}

function validateTargets(
  model: ModelDocument,
  path: DocumentPath,
  document: ConfigDocument,
  filters: KnownFilters,
  findings: Findings,
): void {
  for (const [index, target] of model.targets.entries()) {
    const here = [...path, "targets", index];
    if (!document.providers.names.has(target.provider)) {
      findings.add([...here, "provider"], `there is no provider "${target.provider}"`, () =>
        didYouMean(target.provider, document.providers.names, "Add it under `providers`."),
      );
    }
    validateFilters(target.filters, "model", filters, [...here, "filters"], findings);
  }
}

/** Fallbacks of fallbacks are not followed, so two models may be each other's; only oneself is senseless. */
function validateFallbacks(model: ModelDocument, path: DocumentPath, names: ModelNames, findings: Findings): void {
  const seen = new Unique("this fallback");
  for (const [index, fallback] of model.fallbacks.entries()) {
    const here = [...path, "fallbacks", index];
    seen.claim(fallback, here, findings);
    const found = fallback.includes("*") ? undefined : names.find(fallback);
    if (fallback.includes("*")) {
      findings.add(here, "must be the name of one model, without *");
    } else if (found === undefined) {
      findings.add(here, `there is no model "${fallback}"`, () =>
        didYouMean(fallback, names.names(), "Add it under `models`."),
      );
    } else if (found === model.name && !found.endsWith("*")) {
      findings.add(here, "is the model itself", "Remove it.");
    }
  }
}
