/**
 * The price catalogue: vendors' public prices, from the data of @pydantic/genai-prices. Only its data is used: its
 * functions count in floating-point dollars, and look a model up anew for every request.
 */
import { createRequire } from "node:module";
import type * as Catalogue from "@pydantic/genai-prices";
import type { MatchLogic, ModelInfo, ModelPrice, Provider } from "@pydantic/genai-prices";
import { freePrice, type Period, type Price, type PriceSource, type Rates, type Tariff } from "./price.ts";

/** What is priced by: the package's version, and the day it was published. */
export const CATALOGUE = { version: "0.1.8", date: "2026-09-23" } as const;

const MICRO = 1e6;
/** What a name ends in of which the vendor takes no money. */
const FREE_SUFFIX = ":free";

/** A date within a model's name, in the way that some vendors write it. */
const COMPACT_DATE = /-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g;

const require = createRequire(import.meta.url);

/** Loading it takes some 10 ms and a few MB, so those who need no vendor's price never do. */
function findProvider(id: string): Provider | undefined {
  const catalogue = require("@pydantic/genai-prices") as typeof Catalogue;
  return catalogue.findProvider({ providerId: id });
}

/**
 * The price of a vendor's model; undefined if the catalogue has none, or none by the token. Takes up to some 100 µs.
 * @param provider the vendor's id in the catalogue
 * @param model its name of the model
 */
export function cataloguePrice(provider: string, model: string): Price | undefined {
  const vendor = findProvider(provider);
  if (vendor === undefined) {
    return undefined;
  }
  const found = findModel(vendor, model) ?? findModel(vendor, model.replace(COMPACT_DATE, "-$1-$2-$3"));
  if (found === undefined) {
    return undefined;
  }
  const source: PriceSource = { kind: "catalogue", provider: found.vendor.id, model: found.model.id };
  return readPrice(found.model, model, source);
}

interface Found {
  readonly vendor: Provider;
  readonly model: ModelInfo;
}

/** Clouds that offer others' models (Azure) name the vendors whose prices hold for what they do not list themselves. */
function findModel(vendor: Provider, name: string): Found | undefined {
  const lower = name.toLowerCase();
  const model = vendor.models.find(({ match }) => matches(match, lower));
  if (model !== undefined) {
    return { vendor, model };
  }
  for (const id of vendor.fallback_model_providers ?? []) {
    const other = findProvider(id);
    const found = other && findModel(other, name);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

/** @param name in lower case, as the catalogue's patterns take any */
function matches(logic: MatchLogic, name: string): boolean {
  if ("or" in logic) {
    return logic.or.some((part) => matches(part, name));
  }
  if ("and" in logic) {
    return logic.and.every((part) => matches(part, name));
  }
  if ("equals" in logic) {
    return name === logic.equals.toLowerCase();
  }
  if ("starts_with" in logic) {
    return name.startsWith(logic.starts_with.toLowerCase());
  }
  if ("ends_with" in logic) {
    return name.endsWith(logic.ends_with.toLowerCase());
  }
  return "contains" in logic ? name.includes(logic.contains.toLowerCase()) : new RegExp(logic.regex).test(name);
}

/** Of several prices, one without a condition comes first. */
function readPrice({ prices }: ModelInfo, name: string, source: PriceSource): Price | undefined {
  const [first, ...others] = Array.isArray(prices) ? prices : [{ prices }];
  const tariff = first && readTariff(first.prices);
  if (tariff === undefined) {
    return name.endsWith(FREE_SUFFIX) ? freePrice(source) : undefined;
  }
  const exceptions = others.flatMap(({ constraint, prices: changed }) => {
    const other = readTariff(changed);
    return constraint === undefined || other === undefined
      ? []
      : [Object.freeze({ period: readPeriod(constraint), tariff: other })];
  });
  return Object.freeze({ tariff, exceptions: Object.freeze(exceptions), source: Object.freeze(source) });
}

type Constraint = NonNullable<Extract<ModelInfo["prices"], readonly unknown[]>[number]["constraint"]>;

function readPeriod(constraint: Constraint): Period {
  return constraint.type === "start_date"
    ? { kind: "from", startMs: Date.parse(constraint.start_date) }
    : { kind: "daily", startMs: timeOfDay(constraint.start_time), endMs: timeOfDay(constraint.end_time) };
}

/** Milliseconds from midnight. @param text `16:30:00Z` */
function timeOfDay(text: string): number {
  return Date.parse(`1970-01-01T${text}`);
}

/** Undefined if tokens of the prompt have no price: other things than tokens are charged, or nobody knows. */
function readTariff(prices: ModelPrice): Tariff | undefined {
  if (prices["input_mtok"] === undefined) {
    return undefined;
  }
  const starts = Object.values(prices).flatMap((price) =>
    typeof price === "object" ? price.tiers.map(({ start }) => start) : [],
  );
  const tiers = [...new Set(starts)]
    .toSorted((left, right) => left - right)
    .map((above) => Object.freeze({ above, rates: readRates(prices, above + 1) }));
  return Object.freeze({ base: readRates(prices, 0), tiers: Object.freeze(tiers) });
}

/** A kind of token without a price of its own costs what its kind in general costs; an answer without any, nothing. */
function readRates(prices: ModelPrice, promptTokens: number): Rates {
  const read = (key: string): number | undefined => {
    const price = prices[key];
    if (typeof price !== "object") {
      return price === undefined ? undefined : toPico(price);
    }
    const tiers = price.tiers.filter(({ start }) => promptTokens > start);
    return toPico(tiers.length === 0 ? price.base : tiers.reduce((a, b) => (b.start > a.start ? b : a)).price);
  };
  const input = read("input_mtok") ?? 0;
  const output = read("output_mtok") ?? 0;
  const cacheWrite = read("cache_write_mtok") ?? input;
  return Object.freeze({
    input,
    cachedInput: read("cache_read_mtok") ?? input,
    cacheWrite,
    cacheWriteHour: read("cache_write_1h_mtok") ?? cacheWrite,
    output,
    reasoning: read("output_reasoning_mtok") ?? output,
    audioInput: read("input_audio_mtok") ?? input,
    audioOutput: read("output_audio_mtok") ?? output,
  });
}

/** Some of its prices were divided out and have more decimals than their vendors' lists. */
function toPico(usdPerMillion: number): number {
  return Math.round(usdPerMillion * MICRO);
}
