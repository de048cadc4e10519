/** Prices as they were written, with the defaults that hold for what was left out. */
import type { PriceDocument, PriceRuleDocument, RatesDocument } from "./schema/price.ts";
import type { PriceConfig, PriceRuleConfig, RatesConfig } from "./snapshot.ts";

/** `free` is a price, too: nothing for everything. */
export function buildPrice(price: PriceDocument): PriceConfig {
  return {
    base: buildRates(price),
    tiers: (price.tiers ?? []).map(({ above, ...rates }) => ({
      above,
      rates: buildRates({ ...withoutGaps(price), ...withoutGaps(rates) }),
    })),
  };
}

export function buildPriceRule({ provider, model, ...price }: PriceRuleDocument): PriceRuleConfig {
  return { ...(provider !== undefined && { provider }), model, price: buildPrice(price) };
}

function withoutGaps(rates: RatesDocument): RatesDocument {
  return Object.fromEntries(Object.entries(rates).filter(([, value]) => value !== undefined));
}

function buildRates({ input = 0, output = 0, cacheWrite = input, ...rates }: RatesDocument): RatesConfig {
  return {
    input,
    cachedInput: rates.cachedInput ?? input,
    cacheWrite,
    cacheWriteHour: rates.cacheWriteHour ?? cacheWrite,
    output,
    reasoning: rates.reasoning ?? output,
  };
}
