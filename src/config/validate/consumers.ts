/** What a consumer's schema cannot see: unique keys, grants that narrow, and what is hardly meant. */
import type { ConfigDocument } from "../document.ts";
import type { Findings } from "../findings.ts";
import { didYouMean } from "../nearest.ts";
import type { DocumentPath } from "../problem.ts";
import type { ConsumerDocument, GrantDocument } from "../schema/consumer.ts";
import { validateConsumerLimits } from "./limits.ts";
import type { ModelNames } from "./model-names.ts";
import { Unique } from "./unique.ts";

/** @param now milliseconds since the epoch, to tell expired keys */
export function validateConsumers(document: ConfigDocument, models: ModelNames, now: number, findings: Findings): void {
  const names = new Unique("this consumer name");
  const hashes = new Unique("this key's hash");
  const checkGrants = grantChecker(models, findings);
  for (const [index, consumer] of document.consumers.items.entries()) {
    if (consumer === undefined) {
      continue;
    }
    const path = ["consumers", index];
    names.claim(consumer.name, [...path, "name"], findings);
    if (consumer.grants.length === 0 && consumer.keys.length > 0) {
      findings.warn(path, "has no grants, so its keys can use no model", 'Add `grants: [{ model: "*" }]`.');
    }
    checkGrants(consumer.grants, [...path, "grants"]);
    validateKeys(consumer, path, hashes, now, findings);
    validateConsumerLimits(consumer, path, findings);
    for (const [keyIndex, key] of consumer.keys.entries()) {
      checkGrants(key.grants ?? [], [...path, "keys", keyIndex, "grants"]);
    }
  }
}

type GrantChecker = (grants: readonly GrantDocument[], path: DocumentPath) => void;

function grantChecker(models: ModelNames, findings: Findings): GrantChecker {
  /** Thousands of consumers share a few patterns. */
  const known = new Map<string, boolean>();
  return (grants, path) => {
    const seen = new Unique("this grant");
    for (const [index, { model }] of grants.entries()) {
      const here = [...path, index, "model"];
      seen.claim(model, here, findings);
      if (model.slice(0, -1).includes("*")) {
        findings.add(here, "may have * only at its end");
        continue;
      }
      let matches = known.get(model);
      if (matches === undefined) {
        matches = model === "*" || models.matchesAny(model);
        known.set(model, matches);
      }
      if (!matches) {
        const remedy = (): string => didYouMean(model, models.names(), "");
        findings.warn(here, `grants "${model}", and there is no such model`, remedy);
      }
    }
  };
}

function validateKeys(
  consumer: ConsumerDocument,
  path: DocumentPath,
  hashes: Unique,
  now: number,
  findings: Findings,
): void {
  const names = new Unique("this key name");
  for (const [index, key] of consumer.keys.entries()) {
    const here = [...path, "keys", index];
    names.claim(key.name, [...here, "name"], findings);
    hashes.claim(key.hash, [...here, "hash"], findings);
    if (key.expiresAt !== undefined && key.expiresAt <= now) {
      findings.warn([...here, "expiresAt"], "has passed: this key is refused", "Remove the key, or set a later time.");
    }
    for (const [grantIndex, grant] of (key.grants ?? []).entries()) {
      if (!consumer.grants.some((wider) => covers(wider.model, grant.model))) {
        findings.add(
          [...here, "grants", grantIndex, "model"],
          `grants "${grant.model}", which the consumer itself is not granted`,
          "A key's grants narrow those of its consumer; add it there first.",
        );
      }
    }
  }
}

/** Every name that `narrow` matches is matched by `wide`. */
function covers(wide: string, narrow: string): boolean {
  return wide.endsWith("*") ? narrow.startsWith(wide.slice(0, -1)) : wide === narrow;
}
