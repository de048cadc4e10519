/** Errors in Anthropic's words: `ErrorResponse` of the vendor's types. */
import type { JsonObject } from "../../lib/json.ts";
import type { ContextTokens, ErrorWording } from "../surface.ts";
import { VendorError } from "../vendor-error.ts";

const TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  409: "conflict_error",
  413: "request_too_large",
  422: "invalid_request_error",
  429: "rate_limit_error",
  500: "api_error",
  504: "timeout_error",
  529: "overloaded_error",
};

/** The vendor's answers carry its request id, rate limits and a cookie of its load balancer. */
export const anthropicErrors: ErrorWording = {
  answerHeaders: (requestId) => [
    "request-id",
    requestId,
    "anthropic-organization-id",
    "00000000-0000-4000-8000-000000000000",
    "anthropic-ratelimit-requests-limit",
    "1000",
    "anthropic-ratelimit-requests-remaining",
    "999",
    "anthropic-ratelimit-requests-reset",
    "2026-01-01T00:00:00Z",
    "set-cookie",
    "__simulated=1; path=/; HttpOnly",
  ],

  encodeError(error: VendorError, requestId: string): JsonObject {
    const type =
      error.details.type ?? TYPES[error.status] ?? (error.status >= 500 ? "api_error" : "invalid_request_error");
    const place = error.details.param === undefined ? "" : `${error.details.param}: `;
    return { type: "error", error: { type, message: place + error.message }, request_id: requestId };
  },

  encodeErrorEvent(error: VendorError, requestId: string): string {
    return `event: error\ndata: ${JSON.stringify(anthropicErrors.encodeError(error, requestId))}\n\n`;
  },

  contextOverflow(tokens: ContextTokens): VendorError {
    return new VendorError(400, `prompt is too long: ${tokens.prompt} tokens > ${tokens.limit} maximum`, {
      type: "invalid_request_error",
    });
  },
};
