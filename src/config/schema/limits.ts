/** Quotas: what may be limited, wherever it stands. */
import { z } from "zod";
import { duration } from "./duration.ts";
import { integer } from "./scalars.ts";
import { notYet, section } from "./section.ts";
import type { RefusedKeys } from "./section.ts";
import { timeZone } from "./time-zone.ts";
import { MAX_USD, usd } from "./usd.ts";

const MAX_REQUESTS = 1_000_000_000;
const MAX_TOKENS = 1_000_000_000_000;
const MAX_CONCURRENCY = 1_000_000;

const BURST = "must be from 1s to 60s";

/** So much of a minute's worth may come at once. More than a minute's worth would make the limit of a minute a lie. */
const burst = duration.refine((milliseconds) => milliseconds >= 1_000 && milliseconds <= 60_000, BURST);

const mode = z.enum(["hard", "soft"]);

const monthlySchema = section(
  {
    tokens: integer(0, MAX_TOKENS).optional().describe("Tokens a calendar month, input and output together"),
    usd: usd.optional().describe(`Dollars a calendar month: up to ${MAX_USD}, up to 9 decimals`),
  },
  { requests: notYet("a month's number of requests is"), rpm: notYet("a month's number of requests is") },
).refine(({ tokens, usd: money }) => tokens !== undefined || money !== undefined, {
  message: "limits nothing",
  params: { remedy: "Add `tokens` or `usd`." },
});

const limitKeys = {
  rpm: integer(0, MAX_REQUESTS).optional().describe("Requests a minute; 0 admits nothing"),
  tpm: integer(0, MAX_TOKENS).optional().describe("Tokens a minute, input and output together"),
  concurrency: integer(0, MAX_CONCURRENCY).optional().describe("Requests that run at one time"),
  monthly: monthlySchema.optional().describe("What a calendar month may take"),
  burst: burst
    .optional()
    .describe("How much may come at once: so much of a minute's worth; `quotas.burst` if left out"),
  mode: mode
    .optional()
    .describe(
      "`hard`: never passed; `soft`: a request that uses more than expected ends in the red; `quotas.mode` if left out",
    ),
};

const ELSEWHERE: RefusedKeys = {
  daily: notYet("a limit of a day is"),
  weekly: notYet("a limit of a week is"),
  hourly: notYet("a limit of an hour is"),
  budgets: { message: "belongs beside `limits`", remedy: "Write `monthly` here, or move `budgets` one step out." },
};

/** `limits` of a consumer, key, model, target or credential. */
export const limitsSchema = section(limitKeys, ELSEWHERE);

/** Limits as they stand in a grant, beside its `model`. */
export const grantLimitKeys = limitKeys;

/** Keys that a grant does not take, since its limits need no map of their own. */
export const REFUSED_IN_GRANT: RefusedKeys = {
  ...ELSEWHERE,
  limits: { message: "is not needed in a grant", remedy: "Write them beside `model`: `{ model: …, rpm: 60 }`." },
  budgets: { message: "is not needed in a grant", remedy: "Write `monthly` beside `model`." },
};

/** Limits written where only `limits` and `budgets` may stand. */
export const REFUSED_BESIDE_LIMITS: RefusedKeys = {
  ...Object.fromEntries(
    ["rpm", "tpm", "concurrency", "monthly", "burst", "mode"].map((key) => [
      key,
      { message: "is a limit, and limits stand together", remedy: `Write \`limits: { ${key}: … }\`.` },
    ]),
  ),
  daily: notYet("a limit of a day is"),
};

/** `budgets`: another way to write a month's limits. */
export const budgetsSchema = section(
  { monthly: monthlySchema.optional().describe("What a calendar month may take; the same as `limits.monthly`") },
  { daily: notYet("a budget of a day is"), weekly: notYet("a budget of a week is") },
);

/** `quotas`: what holds for every limit that says nothing else. */
export const quotasSchema = section(
  {
    mode: mode
      .default("soft")
      .describe("`hard`: no limit is ever passed; `soft`: a request that uses more than expected ends in the red"),
    burst: burst.prefault("60s").describe("How much of a minute's worth may come at once"),
    onAuthorityLoss: z
      .enum(["share", "open", "closed"])
      .default("share")
      .describe(
        "What a machine admits that cannot reach the quotas shared with others: its share, everything, or nothing",
      ),
    timeZone: timeZone.prefault("UTC").describe("Whose calendar months count where no consumer's do"),
  },
  Object.fromEntries(
    ["rpm", "tpm", "concurrency", "monthly"].map((key) => [
      key,
      {
        message: "limits nobody here",
        remedy: "Limits stand under consumers, keys, grants, models, targets, credentials.",
      },
    ]),
  ),
);

export type LimitsDocument = z.output<typeof limitsSchema>;
export type BudgetsDocument = z.output<typeof budgetsSchema>;
export type QuotasDocument = z.output<typeof quotasSchema>;
