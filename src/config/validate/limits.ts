/** What the schema of limits cannot see: a month limited twice, limits that limit nothing, and those that never bite. */
import type { Limitable } from "../build-limits.ts";
import type { ConfigDocument } from "../document.ts";
import type { Findings } from "../findings.ts";
import type { DocumentPath } from "../problem.ts";
import type { ConsumerDocument, GrantDocument } from "../schema/consumer.ts";
import type { LimitsDocument } from "../schema/limits.ts";

/** One number of some limits, and where it was written. */
interface Amount {
  readonly value: number;
  readonly path: DocumentPath;
}

/** By what they limit: `rpm`, `monthly.usd`. */
type Amounts = ReadonlyMap<string, Amount>;

/** Limits that may be narrower than others, in words. */
interface Wider {
  readonly amounts: Amounts;
  readonly whose: string;
}

const NONE: Amounts = new Map();
const NANO = 1e9;

/** Limits of models, targets and credentials. */
export function validateSupplyLimits(document: ConfigDocument, findings: Findings): void {
  for (const [index, provider] of document.providers.items.entries()) {
    for (const [credentialIndex, credential] of (provider?.credentials ?? []).entries()) {
      amountsOf(credential, ["providers", index, "credentials", credentialIndex], findings);
    }
  }
  for (const [index, model] of document.models.items.entries()) {
    if (model !== undefined) {
      amountsOf(model, ["models", index], findings);
    }
    for (const [targetIndex, target] of (model?.targets ?? []).entries()) {
      amountsOf(target, ["models", index, "targets", targetIndex], findings);
    }
  }
}

/** Limits of a consumer, its keys and all their grants. */
export function validateConsumerLimits(consumer: ConsumerDocument, path: DocumentPath, findings: Findings): void {
  const own: Wider = { amounts: amountsOf(consumer, path, findings), whose: "its consumer" };
  const consumerGrants = new Map<string, Wider>();
  for (const [index, grant] of consumer.grants.entries()) {
    const amounts = grantAmounts(grant, [...path, "grants", index], findings);
    warnIfWider(amounts, [own], findings);
    consumerGrants.set(grant.model, { amounts, whose: `its consumer of "${grant.model}"` });
  }
  for (const [index, key] of consumer.keys.entries()) {
    const here = [...path, "keys", index];
    const keyOwn: Wider = { amounts: amountsOf(key, here, findings), whose: "its key" };
    warnIfWider(keyOwn.amounts, [own], findings);
    for (const [grantIndex, grant] of (key.grants ?? []).entries()) {
      const same = consumerGrants.get(grant.model);
      const amounts = grantAmounts(grant, [...here, "grants", grantIndex], findings);
      warnIfWider(amounts, [keyOwn, ...(same === undefined ? [] : [same]), own], findings);
    }
  }
}

function amountsOf(limited: Limitable, path: DocumentPath, findings: Findings): Amounts {
  const { limits, budgets } = limited;
  if (limits === undefined && budgets === undefined) {
    return NONE;
  }
  if (limits?.monthly !== undefined && budgets?.monthly !== undefined) {
    findings.addKey([...path, "budgets", "monthly"], "stands beside `limits.monthly`", "Keep one of them.");
  }
  const amounts = new Map(limits === undefined ? [] : collect(limits, [...path, "limits"]));
  if (limits !== undefined && amounts.size === 0) {
    findings.warn([...path, "limits"], "limits nothing", "Add `rpm`, `tpm`, `concurrency` or `monthly`, or remove it.");
  }
  const monthly = budgets?.monthly;
  if (budgets !== undefined && monthly === undefined) {
    findings.warn([...path, "budgets"], "limits nothing", "Add `monthly`, or remove it.");
  }
  for (const [name, amount] of monthly === undefined ? [] : collect({ monthly }, [...path, "budgets"])) {
    amounts.set(name, amount);
  }
  return amounts;
}

function grantAmounts(grant: GrantDocument, path: DocumentPath, findings: Findings): Amounts {
  const amounts = new Map(collect(grant, path));
  for (const key of ["burst", "mode"] as const) {
    if (amounts.size === 0 && grant[key] !== undefined) {
      findings.warn(
        [...path, key],
        "is about limits, of which this grant has none",
        "Remove it, or add `rpm` or others.",
      );
    }
  }
  return amounts.size === 0 ? NONE : amounts;
}

function* collect({ monthly, ...limits }: LimitsDocument, path: DocumentPath): Generator<[string, Amount]> {
  for (const key of ["rpm", "tpm", "concurrency"] as const) {
    const value = limits[key];
    if (value !== undefined) {
      yield [key, { value, path: [...path, key] }];
    }
  }
  for (const key of ["tokens", "usd"] as const) {
    const value = monthly?.[key];
    if (value !== undefined) {
      yield [`monthly.${key}`, { value, path: [...path, "monthly", key] }];
    }
  }
}

/** Every limit that applies must admit a request, so one that is wider than another never bites. */
function warnIfWider(amounts: Amounts, others: readonly Wider[], findings: Findings): void {
  for (const [name, { value, path }] of amounts) {
    const narrower = others.find((other) => (other.amounts.get(name)?.value ?? Infinity) < value);
    if (narrower !== undefined) {
      const bound = (narrower.amounts.get(name)?.value ?? 0) / (name === "monthly.usd" ? NANO : 1);
      findings.warn(path, `is more than the limit of ${narrower.whose} (${bound}), which holds as well`, "Lower it.");
    }
  }
}
