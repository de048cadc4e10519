/** What prompts refer to: templates, user models, providers. */
import type { ConfigDocument } from "../document.ts";
import type { Findings } from "../findings.ts";
import { didYouMean } from "../nearest.ts";
import type { DocumentPath } from "../problem.ts";
import type { MiddlewareDocument } from "../schema/middleware.ts";
import type { ModelNames } from "./model-names.ts";
import { validatePromptModel } from "./prompt-model.ts";
import { validateReference } from "./templates.ts";

/** Checks what a route's filters refer to. @param path of the filters */
export function validatePrompts(
  middlewares: readonly MiddlewareDocument[],
  document: ConfigDocument,
  models: ModelNames,
  path: DocumentPath,
  findings: Findings,
): void {
  for (const [index, { name, options }] of middlewares.entries()) {
    const here = [...path, index, "options"];
    const { template, templates, model, provider } = options;
    switch (name) {
      case "prompt_template":
        if (typeof template === "string") validateReference(template, document, [...here, "template"], findings);
        validatePromptModel(model, document, models, [...here, "model"], findings);
        break;
      case "named_templates":
        for (const [entry, reference] of Array.isArray(templates) ? templates.entries() : []) {
          if (typeof reference === "string") {
            validateReference(reference, document, [...here, "templates", entry], findings);
          }
        }
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
