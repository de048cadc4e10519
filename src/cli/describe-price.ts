/** Prices for people, and for programs, to read: in dollars per million tokens. */
import { isFree, type Period, type Price, type PriceSource, type Rates, type Tariff } from "../ledger/prices/price.ts";
import type { ModelPrices, TargetPrice } from "./model-prices.ts";

const PICO_TO_USD_PER_MILLION = 1e6;
const SECONDS_START = 11;
const MINUTES_END = 16;
const DATE_END = 10;

/** Lines of text: a model and its targets. */
export function describeModelPrices({ name, targets }: ModelPrices): string[] {
  return [name, ...targets.flatMap((target) => describeTarget(target).map((line) => `  ${line}`))];
}

function describeTarget({ provider, upstreamModel, price }: TargetPrice): string[] {
  const target = `→ ${provider} ${upstreamModel}:`;
  if (price === "open") {
    return [`${target} by the model's name; ask for one`];
  }
  if (price === "unpriced") {
    return [`${target} unpriced: it never serves under a budget in money; give it a \`price\`, or \`free: true\``];
  }
  const from = `    from ${describeSource(price.source)}`;
  if (isFree(price)) {
    return [`${target} free`, from];
  }
  const exceptions = price.exceptions.flatMap(({ period, tariff }) => [
    `    ${describePeriod(period)}: ${describeRates(tariff.base)}`,
    ...describeTiers(tariff).map((line) => `  ${line}`),
  ]);
  return [`${target} ${describeRates(price.tariff.base)}`, ...describeTiers(price.tariff), ...exceptions, from];
}

/** Kinds of tokens that cost what their kind in general costs are left out. */
function describeRates(rates: Rates): string {
  const { input, cachedInput, cacheWrite, cacheWriteHour, output, reasoning, audioInput, audioOutput } = rates;
  const parts = [
    ["input", input, undefined],
    ["cached input", cachedInput, input],
    ["cache write", cacheWrite, input],
    ["cache write for an hour", cacheWriteHour, cacheWrite],
    ["audio input", audioInput, input],
    ["output", output, undefined],
    ["reasoning", reasoning, output],
    ["audio output", audioOutput, output],
  ] as const;
  return parts
    .filter(([, rate, usual]) => rate !== usual)
    .map(([name, rate]) => `${name} ${toUsd(rate)}`)
    .join(", ");
}

function describeTiers({ tiers }: Tariff): string[] {
  return tiers.map(({ above, rates }) => `    above ${above} prompt tokens: ${describeRates(rates)}`);
}

function describePeriod(period: Period): string {
  return period.kind === "from"
    ? `from ${isoOf(period.startMs).slice(0, DATE_END)} on`
    : `each day from ${timeOf(period.startMs)} to ${timeOf(period.endMs)} UTC`;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

function timeOf(ms: number): string {
  return isoOf(ms).slice(SECONDS_START, MINUTES_END);
}

function describeSource(source: PriceSource): string {
  switch (source.kind) {
    case "target":
      return "`price` of the target";
    case "rule":
      return `\`prices\`: ${source.provider === undefined ? "" : `${source.provider} `}${source.model}`;
    case "catalogue":
      return `the catalogue: ${source.provider} ${source.model}`;
    case "builtin":
      return "Sluice: its test model";
  }
}

function toUsd(rate: number): number {
  return rate / PICO_TO_USD_PER_MILLION;
}

/** A model and its targets as JSON; `price` is null where nobody knows it, and "open" where a name is needed. */
export function modelPricesToJson({ name, targets }: ModelPrices): object {
  return {
    model: name,
    targets: targets.map(({ provider, upstreamModel, price }) => ({
      provider,
      upstreamModel,
      price: typeof price === "object" ? priceToJson(price) : price === "open" ? price : null,
    })),
  };
}

function priceToJson({ source, tariff, exceptions }: Price): object {
  return {
    source,
    usdPerMillionTokens: tariffToJson(tariff),
    exceptions: exceptions.map((exception) => ({
      when: describePeriod(exception.period),
      usdPerMillionTokens: tariffToJson(exception.tariff),
    })),
  };
}

function tariffToJson({ base, tiers }: Tariff): object {
  return { ...ratesToJson(base), tiers: tiers.map(({ above, rates }) => ({ above, ...ratesToJson(rates) })) };
}

function ratesToJson(rates: Rates): Record<string, number> {
  return Object.fromEntries(Object.entries(rates).map(([kind, rate]: [string, number]) => [kind, toUsd(rate)]));
}
