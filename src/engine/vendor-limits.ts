/** A provider's answers tell what is left of its own limits: traffic goes elsewhere before it has to refuse any. */
import type { Remaining, VendorHeaders } from "../dialects/contract.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";
import { KIND } from "../quotas/bucket.ts";
import type { Endpoint } from "./engine.ts";
import type { Services } from "./services.ts";

/** A credential that has nothing left rests no longer than this at a time, whatever its provider says. */
const LONGEST_REST_MS = 60_000;
/** Where the provider does not say when there is more. */
const DEFAULT_REST_MS = 1_000;

/** Takes note of the headers of an answer. */
export function learnVendorLimits(services: Services, endpoint: Endpoint, headers: VendorHeaders): void {
  const now = Date.now();
  const limits = endpoint.target.dialect.target.readRateLimits(headers, now);
  if (limits === undefined) {
    return;
  }
  const { buckets } = services.quotas.plans.ofEndpoint(endpoint, now);
  for (const [kind, remaining] of [
    [KIND.requests, limits.requests],
    [KIND.tokens, limits.tokens],
  ] as const) {
    if (remaining !== undefined) {
      if (buckets.length > 0) {
        services.quotas.admission.believe(buckets, kind, remaining.amount);
      }
      restIfExhausted(services, endpoint, remaining);
    }
  }
}

function restIfExhausted(services: Services, { credentialId }: Endpoint, remaining: Remaining): void {
  if (remaining.amount === 0 && credentialId !== 0) {
    services.cooldowns.rest(
      credentialId,
      Math.min(LONGEST_REST_MS, remaining.resetMs ?? DEFAULT_REST_MS),
      sharedNowMs(),
    );
  }
}
