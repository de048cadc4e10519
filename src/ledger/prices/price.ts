/** What the tokens of one upstream model cost, and who says so. */
import type { PriceConfig, RatesConfig } from "../../config/snapshot.ts";

/** Picodollars (10^-12 USD) a token: a whole number, millionths of the dollars per million tokens of price lists. */
export interface Rates extends RatesConfig {
  /** Of the input: sound. */
  readonly audioInput: number;
  /** Of the output: sound. */
  readonly audioOutput: number;
}

/** Rates by the length of the prompt. */
export interface Tariff {
  readonly base: Rates;
  /** Hold for the whole request if its prompt has more than `above` tokens; ascending, the last that fits counts. */
  readonly tiers: readonly { readonly above: number; readonly rates: Rates }[];
}

/** When a tariff holds: from a moment on (milliseconds since the epoch), or between two times of each UTC day. */
export type Period =
  | { readonly kind: "from"; readonly startMs: number }
  | { readonly kind: "daily"; readonly startMs: number; readonly endMs: number };

/** Who says what it costs. */
export type PriceSource =
  /** `price` of the target. */
  | { readonly kind: "target" }
  /** An entry of the configuration's `prices`. */
  | { readonly kind: "rule"; readonly provider: string | undefined; readonly model: string }
  /** The price catalogue: its names of provider and model. */
  | { readonly kind: "catalogue"; readonly provider: string; readonly model: string }
  /** The test model inside Sluice, which is free. */
  | { readonly kind: "builtin" };

/** A price. Frozen; models that nobody knows a price of have none, which is not the same as a free one. */
export interface Price {
  readonly tariff: Tariff;
  /** Tariffs that hold instead at certain times; the last whose time it is counts. */
  readonly exceptions: readonly { readonly period: Period; readonly tariff: Tariff }[];
  readonly source: PriceSource;
}

const DAY_MS = 86_400_000;
const NO_EXCEPTIONS: Price["exceptions"] = Object.freeze([]);

/** The tariff in force. @param atMs milliseconds since the epoch */
export function tariffAt(price: Price, atMs: number): Tariff {
  const { exceptions } = price;
  for (let index = exceptions.length - 1; index >= 0; index--) {
    const { period, tariff } = exceptions[index]!;
    if (isWithin(period, atMs)) {
      return tariff;
    }
  }
  return price.tariff;
}

function isWithin(period: Period, atMs: number): boolean {
  if (period.kind === "from") {
    return atMs >= period.startMs;
  }
  const time = atMs % DAY_MS;
  const { startMs, endMs } = period;
  return startMs <= endMs ? time >= startMs && time < endMs : time >= startMs || time < endMs;
}

/** A price as the configuration has it. */
export function priceOfConfig(config: PriceConfig, source: PriceSource): Price {
  const tiers = config.tiers.map(({ above, rates }) => Object.freeze({ above, rates: withAudio(rates) }));
  const tariff = Object.freeze({ base: withAudio(config.base), tiers: Object.freeze(tiers) });
  return Object.freeze({ tariff, exceptions: NO_EXCEPTIONS, source: Object.freeze(source) });
}

/** Configurations have one price for text and sound. */
function withAudio(rates: RatesConfig): Rates {
  return Object.freeze({ ...rates, audioInput: rates.input, audioOutput: rates.output });
}

/** Costs nothing. */
export function freePrice(source: PriceSource): Price {
  const base = { input: 0, cachedInput: 0, cacheWrite: 0, cacheWriteHour: 0, output: 0, reasoning: 0 };
  return priceOfConfig({ base, tiers: [] }, source);
}

/** Nothing costs anything, at any time. */
export function isFree({ tariff, exceptions }: Price): boolean {
  return [tariff, ...exceptions.map((exception) => exception.tariff)].every(({ base, tiers }) =>
    [base, ...tiers.map(({ rates }) => rates)].every((rates) => Object.values(rates).every((rate) => rate === 0)),
  );
}
