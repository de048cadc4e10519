/** Dollars, kept as billionths so that sums are exact. */
import { z } from "zod";

/** So many dollars in billionths stay below 2^53, up to which whole numbers are exact. */
export const MAX_USD = 9_000_000;

const DECIMALS = 9;
const WRONG = `must be dollars from 0 to ${MAX_USD}: more cannot be counted exactly in billionths of a dollar`;
const TOO_FINE = `may have at most ${DECIMALS} decimals: less than a billionth of a dollar is not counted`;

/** Billionths of a dollar (a whole number); undefined if the amount has more decimals. */
export function parseNanoUsd(amount: number): number | undefined {
  // The decimal digits of a number are rounded correctly, which its product with 10^9 is not.
  const digits = amount.toFixed(DECIMALS);
  return Number(digits) === amount ? Number(digits.replace(".", "")) : undefined;
}

/** An amount of dollars, as billionths. */
export const usd = z
  .union([z.number(), z.string().regex(/^(\d{1,16}(\.\d{1,32})?|.*\$\{.*\}.*)$/, WRONG)], { error: WRONG })
  .transform((written, context) => {
    const amount = Number(written);
    const isInRange = amount >= 0 && amount <= MAX_USD;
    const nano = isInRange ? parseNanoUsd(amount) : undefined;
    if (nano === undefined) {
      context.addIssue({ code: "custom", message: isInRange ? TOO_FINE : WRONG });
      return z.NEVER;
    }
    return nano;
  })
  .meta({ title: "dollars" });
