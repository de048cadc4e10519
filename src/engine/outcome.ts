import type { UpstreamError } from "../dialects/contract.ts";
import type { Outcome } from "../ledger/entry.ts";
import { isSluiceError, type SluiceError } from "../lib/errors.ts";

/** What a usage entry says of a request that ended with this error. */
export function outcomeOf(error: SluiceError | UpstreamError): Outcome {
  if (!isSluiceError(error)) {
    return "upstream_error";
  }
  if (error.code.endsWith("_timeout") && error.code !== "request_timeout") {
    return "timeout";
  }
  if (error.code.startsWith("upstream_") || error.code === "no_target_available") {
    return "upstream_error";
  }
  return error.status < 500 ? "refused" : "gateway_error";
}
