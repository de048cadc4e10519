/** What the schema of a price cannot see: references to providers, where `*` may stand, and two prices of one thing. */
import type { ConfigDocument } from "../document.ts";
import type { Findings } from "../findings.ts";
import { didYouMean } from "../nearest.ts";
import { Unique } from "./unique.ts";

export function validatePrices(document: ConfigDocument, findings: Findings): void {
  const rules = new Unique("the price of this model");
  const { providers } = document;
  for (const [index, rule] of document.prices.items.entries()) {
    if (rule === undefined) {
      continue;
    }
    const path = ["prices", index];
    const { provider, model } = rule;
    rules.claim(JSON.stringify([provider ?? "", model]), [...path, "model"], findings);
    if (provider !== undefined && !providers.names.has(provider)) {
      findings.add([...path, "provider"], `there is no provider "${provider}"`, () =>
        didYouMean(provider, providers.names, "Add it under `providers`."),
      );
    }
    if (model.slice(0, -1).includes("*")) {
      findings.add([...path, "model"], "may have * only at its end");
    }
  }
}
