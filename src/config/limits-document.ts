/** Limits that come from elsewhere than the file, in the words of the file: read strictly, and written again. */
import type { JsonObject } from "../lib/json.ts";
import { buildLimits } from "./build-limits.ts";
import { Findings } from "./findings.ts";
import { addIssues } from "./issues.ts";
import { formatPath } from "./problem.ts";
import { limitsSchema } from "./schema/limits.ts";
import type { LimitsConfig, QuotasConfig } from "./snapshot.ts";

const NANO = 1e9;
const SECOND_MS = 1_000;
const AMOUNTS = ["rpm", "tpm", "concurrency", "monthly"] as const;

/** Limits that were read, or what is wrong with them: a sentence each, with the key and what to do. */
export type LimitsReading =
  | { readonly isValid: true; readonly limits: LimitsConfig | undefined }
  | { readonly isValid: false; readonly problems: readonly string[] };

/**
 * Reads what may stand under `limits`. An empty map limits nothing.
 * @param value plain data @param quotas what holds where it says nothing
 */
export function readLimits(value: unknown, { burstMs, mode }: Pick<QuotasConfig, "burstMs" | "mode">): LimitsReading {
  const findings = new Findings();
  const result = limitsSchema.safeParse(value);
  if (!result.success) {
    addIssues(findings, limitsSchema, value, result.error.issues, []);
  } else if (Object.keys(result.data).length > 0 && AMOUNTS.every((key) => result.data[key] === undefined)) {
    findings.add([], "limits nothing", "Add `rpm`, `tpm`, `concurrency` or `monthly`; an empty map lifts all limits.");
  }
  if (findings.errors.length > 0 || !result.success) {
    const problems = findings.errors.map(({ path, message, remedy }) => {
      const what = path.length === 0 ? "" : `${formatPath(path)}: `;
      const advice = typeof remedy === "string" ? remedy : remedy();
      return `${what}${message}.${advice === "" ? "" : ` ${advice}`}`;
    });
    return { isValid: false, problems };
  }
  const { limits } = buildLimits({ limits: result.data }, { burst: burstMs, mode });
  return { isValid: true, limits };
}

/** Limits as the file would have them, everything said. */
export function limitsDocument(limits: LimitsConfig): JsonObject {
  const { rpm, tpm, concurrency, monthlyTokens, monthlyNanoUsd, burstMs, mode } = limits;
  const monthly = {
    ...(monthlyTokens !== undefined && { tokens: monthlyTokens }),
    ...(monthlyNanoUsd !== undefined && { usd: monthlyNanoUsd / NANO }),
  };
  return {
    ...(rpm !== undefined && { rpm }),
    ...(tpm !== undefined && { tpm }),
    ...(concurrency !== undefined && { concurrency }),
    ...(Object.keys(monthly).length > 0 && { monthly }),
    ...((rpm ?? tpm) !== undefined && {
      burst: burstMs % SECOND_MS === 0 ? `${burstMs / SECOND_MS}s` : `${burstMs}ms`,
    }),
    mode,
  };
}
