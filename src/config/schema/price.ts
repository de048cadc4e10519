/** Prices as people write them: dollars per million tokens, the unit of vendors' price lists. */
import { z } from "zod";
import { flag, integer, modelName, name } from "./scalars.ts";
import { section } from "./section.ts";

/** A cent a token: a price beyond it is a mistake of the unit. */
const MAX_USD_PER_MILLION = 10_000;
const MAX_PROMPT_TOKENS = 1_000_000_000;
const MAX_TIERS = 16;
const DECIMALS = 6;

const WRONG = `must be dollars per million tokens, from 0 to ${MAX_USD_PER_MILLION}`;
const TOO_FINE = `may have at most ${DECIMALS} decimals`;
const PER_TOKEN = "Prices are dollars per million tokens, not per token.";

/** Picodollars a token (a whole number), which are millionths of the dollars per million tokens. */
const rate = z
  .union([z.number(), z.string().regex(/^(\d{1,16}(\.\d{1,32})?|.*\$\{.*\}.*)$/, WRONG)], { error: WRONG })
  .transform((written, context) => {
    const amount = Number(written);
    const isInRange = amount >= 0 && amount <= MAX_USD_PER_MILLION;
    // The decimal digits of a number are rounded correctly, which its product with 10^6 is not.
    const digits = isInRange ? amount.toFixed(DECIMALS) : "";
    if (!isInRange || Number(digits) !== amount) {
      const [message, remedy] = isInRange ? [TOO_FINE, PER_TOKEN] : [WRONG, ""];
      context.addIssue({ code: "custom", message, params: { remedy } });
      return z.NEVER;
    }
    return Number(digits.replace(".", ""));
  })
  .meta({ title: "dollars" });

const rateKeys = {
  input: rate.optional().describe("Dollars per million tokens of the prompt"),
  cachedInput: rate.optional().describe("The same, for tokens that the provider had in its cache; `input` if left out"),
  cacheWrite: rate
    .optional()
    .describe("The same, for tokens that the provider put into its cache; `input` if left out"),
  cacheWriteHour: rate
    .optional()
    .describe("The same, for tokens that it keeps there for an hour; `cacheWrite` if left out"),
  output: rate.optional().describe("Dollars per million tokens of the answer"),
  reasoning: rate.optional().describe("The same, for tokens spent on reasoning; `output` if left out"),
};

const tierSchema = section({
  above: integer(1, MAX_PROMPT_TOKENS).describe("The tier holds for the whole request if its prompt has more tokens"),
  ...rateKeys,
});

const priceKeys = {
  ...rateKeys,
  tiers: z
    .array(tierSchema)
    .max(MAX_TIERS)
    .optional()
    .describe("Other prices for long prompts; what a tier leaves out is as above"),
  free: flag.optional().describe("It costs nothing"),
};

/** `price` of a target. */
export const priceSchema = section(priceKeys).superRefine(checkPrice);

/** One entry of `prices`. */
export const priceRuleSchema = section({
  provider: name.optional().describe("A provider's name; every provider if left out"),
  model: modelName.describe("The model's name at the provider; may end in `*`"),
  ...priceKeys,
}).superRefine(checkPrice);

export type RatesDocument = Omit<z.output<typeof tierSchema>, "above">;
export type PriceDocument = z.output<typeof priceSchema>;
export type PriceRuleDocument = z.output<typeof priceRuleSchema>;

function checkPrice(price: PriceDocument, context: z.core.$RefinementCtx): void {
  const complain = (path: (string | number)[], message: string, remedy: string): void => {
    context.addIssue({ code: "custom", path, message, params: { remedy } });
  };
  const written = Object.keys(rateKeys).find((key) => price[key as keyof RatesDocument] !== undefined);
  if (price.free === true) {
    const other = written ?? (price.tiers === undefined ? undefined : "tiers");
    if (other !== undefined) {
      complain([other], "stands beside `free: true`", "Keep one of them.");
    }
    return;
  }
  for (const key of ["input", "output"] as const) {
    if (price[key] === undefined) {
      complain([], `has no \`${key}\``, "Give `input` and `output`; 0 where nothing is charged, or `free: true`.");
      return;
    }
  }
  let previous = 0;
  for (const [index, { above }] of (price.tiers ?? []).entries()) {
    if (above <= previous) {
      complain(["tiers", index, "above"], "must be more than that of the tier before", "Put tiers in ascending order.");
    }
    previous = above;
  }
}
