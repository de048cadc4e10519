/** Limits as they were written, with the defaults that hold for them. */
import type { BudgetsDocument, LimitsDocument, QuotasDocument } from "./schema/limits.ts";
import type { LimitsConfig } from "./snapshot.ts";

/** What may carry limits in the file. */
export interface Limitable {
  readonly limits?: LimitsDocument | undefined;
  readonly budgets?: BudgetsDocument | undefined;
}

/** `{ limits }`, to be spread into what is limited; nothing if nothing is limited. */
export function buildLimits(
  limited: Limitable,
  quotas: Pick<QuotasDocument, "burst" | "mode">,
): { readonly limits?: LimitsConfig } {
  const { rpm, tpm, concurrency, burst, mode } = limited.limits ?? {};
  const monthly = limited.limits?.monthly ?? limited.budgets?.monthly;
  const values = {
    ...(rpm !== undefined && { rpm }),
    ...(tpm !== undefined && { tpm }),
    ...(concurrency !== undefined && { concurrency }),
    ...(monthly?.tokens !== undefined && { monthlyTokens: monthly.tokens }),
    ...(monthly?.usd !== undefined && { monthlyNanoUsd: monthly.usd }),
  };
  return Object.keys(values).length === 0
    ? {}
    : { limits: { ...values, burstMs: burst ?? quotas.burst, mode: mode ?? quotas.mode } };
}
