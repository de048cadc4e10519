/** The model that a prompt is for. */
import type { ConfigDocument } from "../document.ts";
import type { Findings } from "../findings.ts";
import { didYouMean } from "../nearest.ts";
import type { DocumentPath } from "../problem.ts";
import type { ModelNames } from "./model-names.ts";

/** A user model, or one that the published form makes of a provider and its model. What is no text is told of elsewhere. */
export function validatePromptModel(
  model: unknown,
  document: ConfigDocument,
  models: ModelNames,
  path: DocumentPath,
  findings: Findings,
): void {
  if (typeof model !== "string" || model === "" || models.find(model) !== undefined) {
    return;
  }
  const slash = model.indexOf("/");
  if (slash < 0 || !document.providers.names.has(model.slice(0, slash))) {
    findings.add(path, `there is no model "${model}"`, () =>
      didYouMean(model, models.names(), "Add it under `models`."),
    );
  }
}
