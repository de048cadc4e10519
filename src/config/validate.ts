/** Checks that need the whole document: references, uniqueness, agreement between fields. */
import type { ConfigDocument } from "./document.ts";
import type { Findings } from "./findings.ts";
import type { KnownFilters } from "./known-filters.ts";
import { validateAdmin } from "./validate/admin.ts";
import { validateConsumers } from "./validate/consumers.ts";
import { validateDomains } from "./validate/domains.ts";
import { validateSupplyLimits } from "./validate/limits.ts";
import { ModelNames } from "./validate/model-names.ts";
import { validateModels } from "./validate/models.ts";
import { validatePrices } from "./validate/prices.ts";
import { validateProviders } from "./validate/providers.ts";
import { validateState } from "./validate/state.ts";
import { validateTemplates } from "./validate/templates.ts";

/** @param now milliseconds since the epoch */
export function validateDocument(
  document: ConfigDocument,
  filters: KnownFilters,
  now: number,
  findings: Findings,
): void {
  const models = new ModelNames(document.models);
  if (document.settings !== undefined) {
    validateAdmin(document.settings.admin, findings);
  }
  if (document.settings?.state !== undefined) {
    validateState(document.settings.state, findings);
  }
  validateProviders(document.providers, findings);
  validateModels(document, models, filters, findings);
  validateSupplyLimits(document, findings);
  validateConsumers(document, models, now, findings);
  validateTemplates(document, models, filters, findings);
  validateDomains(document, models, filters, findings);
  validatePrices(document, findings);
  if (document.models.items.length === 0) {
    findings.warn([], "there are no models, so clients can ask for nothing", "Add `models`.");
  }
  if (document.consumers.items.every((consumer) => consumer?.keys.length === 0)) {
    findings.warn([], "there are no keys, so nobody can call", "Make one: `sluice keys new`.");
  }
}
