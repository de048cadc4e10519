/**
 * What a request costs, in whole billionths of a dollar. Rates are whole picodollars a token, so the sum over all tokens
 * is exact; it is rounded up once, at its end.
 */
import type { Usage } from "../../dialects/form.ts";
import { tariffAt, type Price, type Rates, type Tariff } from "./price.ts";

const PICO_A_NANO = 1_000;
const NANO = 1e9;
const NANO_DIGITS = 9;

/**
 * What these tokens cost: a whole number, at most 2^53 - 1. Exact up to 9,007 USD, beyond which only a broken
 * provider's counts lie. Parts that are more than their whole are cut to it.
 * @param atMs when the request began, milliseconds since the epoch: some prices change with the time
 */
export function costNanoUsd(price: Price, usage: Usage, atMs: number): number {
  const { promptTokens, completionTokens } = usage;
  const rates = ratesFor(tariffAt(price, atMs), promptTokens);
  const cached = Math.min(usage.cachedTokens, promptTokens);
  const written = Math.min(usage.cacheWriteTokens, promptTokens - cached);
  const writtenForAnHour = Math.min(usage.cacheWriteHourTokens ?? 0, written);
  const heard = Math.min(usage.audioPromptTokens ?? 0, promptTokens - cached - written);
  const spoken = Math.min(usage.audioCompletionTokens ?? 0, completionTokens);
  const reasoned = Math.min(usage.reasoningTokens, completionTokens - spoken);
  return toNano(
    (promptTokens - cached - written - heard) * rates.input +
      cached * rates.cachedInput +
      (written - writtenForAnHour) * rates.cacheWrite +
      writtenForAnHour * rates.cacheWriteHour +
      heard * rates.audioInput +
      (completionTokens - spoken - reasoned) * rates.output +
      reasoned * rates.reasoning +
      spoken * rates.audioOutput,
  );
}

/**
 * The most that so many tokens of text may cost, whatever the cache does: nothing is expected to be read from it, and
 * all to be written to it where that is dearer. A price for sound is left out: nobody expects it of an unread request.
 * @param atMs when the request began, milliseconds since the epoch
 */
export function reserveNanoUsd(price: Price, promptTokens: number, outputTokens: number, atMs: number): number {
  const { base, tiers } = tariffAt(price, atMs);
  let most = dearest(base, promptTokens, outputTokens);
  for (const { above, rates } of tiers) {
    if (promptTokens > above) {
      most = Math.max(most, dearest(rates, promptTokens, outputTokens));
    }
  }
  return toNano(most);
}

/** Dollars as a plain decimal: `0.0123`. @param nanoUsd a whole number of billionths, not negative */
export function formatUsd(nanoUsd: number): string {
  const whole = Math.floor(nanoUsd / NANO);
  const fraction = String(nanoUsd % NANO)
    .padStart(NANO_DIGITS, "0")
    .replace(/0+$/, "");
  return fraction === "" ? String(whole) : `${whole}.${fraction}`;
}

function ratesFor({ base, tiers }: Tariff, promptTokens: number): Rates {
  for (let index = tiers.length - 1; index >= 0; index--) {
    const { above, rates } = tiers[index]!;
    if (promptTokens > above) {
      return rates;
    }
  }
  return base;
}

function dearest(rates: Rates, promptTokens: number, outputTokens: number): number {
  const input = Math.max(rates.input, rates.cachedInput, rates.cacheWrite, rates.cacheWriteHour);
  return promptTokens * input + outputTokens * Math.max(rates.output, rates.reasoning);
}

/** Rounded up. The quotient itself may be rounded to a whole number that is too small, so the rest decides. */
function toNano(pico: number): number {
  const rest = pico % PICO_A_NANO;
  return Math.min(Number.MAX_SAFE_INTEGER, (pico - rest) / PICO_A_NANO + (rest > 0 ? 1 : 0));
}
