/**
 * The one base class of everything Sluice throws on purpose, and the closed list of its codes.
 * A message names the remedy; it never holds a secret or an address inside the company.
 */

/** Every code that a client can meet, with the HTTP status that goes with it. */
export const ERROR_STATUS = {
  // the caller's request
  invalid_json: 400,
  invalid_request: 400,
  unsupported_field: 400,
  unsupported_operation: 400,
  missing_api_key: 401,
  invalid_api_key: 401,
  expired_api_key: 401,
  route_not_found: 404,
  model_not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  body_too_large: 413,
  unsupported_media_type: 415,
  header_too_large: 431,
  rate_limit_exceeded: 429,
  insufficient_quota: 429,
  model_not_priced: 403,
  // the upstream side
  upstream_error: 502,
  upstream_unreachable: 502,
  upstream_invalid_answer: 502,
  upstream_stream_broken: 502,
  no_target_available: 503,
  connect_timeout: 504,
  first_token_timeout: 504,
  idle_timeout: 504,
  total_timeout: 504,
  // the operator's configuration, refused as a whole
  invalid_configuration: 422,
  // the gateway itself
  internal_error: 500,
  directory_unavailable: 503,
  overloaded: 503,
  shutting_down: 503,
} as const;

/** One of the closed set of error codes. */
export type ErrorCode = keyof typeof ERROR_STATUS;

/** What may accompany an error besides code and message. */
export interface SluiceErrorOptions {
  /** The request field that is at fault, in the client's words (`messages[2].content`). */
  readonly param?: string;
  /** Milliseconds after which a retry makes sense; becomes `retry-after` and `retry-after-ms`. */
  readonly retryAfterMs?: number;
  /** A retry by the client's library makes no sense; becomes `x-should-retry: false`. */
  readonly retry?: "never";
  readonly cause?: unknown;
}

/** An error with a code of the closed set; `status` is the HTTP status that a client gets for it. */
export class SluiceError extends Error {
  override readonly name = "SluiceError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly param: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly retry: "never" | undefined;

  constructor(code: ErrorCode, message: string, options: SluiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = ERROR_STATUS[code];
    this.param = options.param;
    this.retryAfterMs = options.retryAfterMs;
    this.retry = options.retry;
  }
}

/** Tells a SluiceError from everything else that can be thrown or passed as an error. */
export function isSluiceError(value: unknown): value is SluiceError {
  return value instanceof SluiceError;
}
