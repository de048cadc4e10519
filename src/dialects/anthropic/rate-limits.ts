/** What Anthropic says is left of its limits: `anthropic-ratelimit-*` (docs.claude.com, "Rate limits", response headers). */
import type { Remaining, VendorHeaders, VendorLimits } from "../contract.ts";

const COUNT = /^\d{1,15}$/;

/** Reads the headers; undefined where they say nothing, or nothing that can be understood. */
export function readRateLimits(headers: VendorHeaders, now: number): VendorLimits | undefined {
  const requests = remaining(headers, "requests", now);
  // the tightest of input and output is what `tokens` shows
  const tokens = remaining(headers, "tokens", now);
  return requests === undefined && tokens === undefined ? undefined : { requests, tokens };
}

function remaining(headers: VendorHeaders, what: "requests" | "tokens", now: number): Remaining | undefined {
  const left = headers[`anthropic-ratelimit-${what}-remaining`];
  if (typeof left !== "string" || !COUNT.test(left)) {
    return undefined;
  }
  const reset = headers[`anthropic-ratelimit-${what}-reset`];
  const at = typeof reset === "string" ? Date.parse(reset) : Number.NaN;
  return { amount: Number(left), resetMs: Number.isNaN(at) ? undefined : Math.max(0, at - now) };
}
