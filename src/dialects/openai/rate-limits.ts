/** What a provider says is left of its own limits: `x-ratelimit-*` (platform.openai.com/docs/guides/rate-limits). */
import type { Remaining, VendorLimits, VendorHeaders } from "../contract.ts";

const COUNT = /^\d{1,15}$/;
/** `17ms`, `1s`, `6m0s`, `1h2m3.5s`; some gateways send plain seconds. */
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const PLAIN_SECONDS = /^\d+(?:\.\d+)?$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads the headers; undefined where they say nothing, or nothing that can be understood. */
export function readRateLimits(headers: VendorHeaders): VendorLimits | undefined {
  const requests = remaining(headers, "requests");
  const tokens = remaining(headers, "tokens");
  return requests === undefined && tokens === undefined ? undefined : { requests, tokens };
}

function remaining(headers: VendorHeaders, what: "requests" | "tokens"): Remaining | undefined {
  const left = headers[`x-ratelimit-remaining-${what}`];
  if (typeof left !== "string" || !COUNT.test(left)) {
    return undefined;
  }
  return { amount: Number(left), resetMs: durationMs(headers[`x-ratelimit-reset-${what}`]) };
}

function durationMs(text: string | readonly string[] | undefined): number | undefined {
  if (typeof text !== "string" || text.length > 32) {
    return undefined;
  }
  if (PLAIN_SECONDS.test(text)) {
    return Number(text) * 1_000;
  }
  if (!DURATION.test(text)) {
    return undefined;
  }
  let total = 0;
  for (const [, amount = "", unit = ""] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (UNIT_MS[unit] ?? 0);
  }
  return total;
}
