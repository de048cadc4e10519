/** The usage entry: the record of one request, exactly one however it ends. Everything costly is derived from it on the main thread. */

/** How a request ended. */
export const OUTCOMES = [
  "ok",
  "refused", // the caller's mistake: 4xx made by Sluice
  "upstream_error", // the upstream's error was passed on, or no attempt succeeded
  "broken", // the answer began and could not be finished
  "timeout",
  "aborted", // the client left
  "gateway_error",
  "worker_lost", // the worker died with the request open
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** A usage entry as the main thread sees it. Names are resolved; "" where there is none. */
export interface UsageEntry {
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly gateway: string;
  readonly domain: string;
  readonly route: string;
  readonly operation: string;
  readonly clientDialect: string;
  readonly targetDialect: string;
  readonly stream: boolean;
  readonly consumer: string;
  readonly key: string;
  /** The prompt template that answered, with its version (`summary@3`); "" if none of a name did. */
  readonly template: string;
  /** The user model that was asked for; only names of the configuration, "" for unknown ones. */
  readonly model: string;
  /** The user model that served: another one after a fallback. */
  readonly servedModel: string;
  readonly provider: string;
  readonly upstreamModel: string;
  readonly credential: string;
  readonly node: string;
  readonly outcome: Outcome;
  /** HTTP status the client got; 499 when it left before any. */
  readonly status: number;
  /** Error code of Sluice, "" if none. */
  readonly error: string;
  /** Upstream hits. */
  readonly attempts: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly cacheWriteTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  /** What the tokens cost, in billionths of a dollar; 0 also where no price is known. */
  readonly costNanoUsd: number;
  /** The tokens are Sluice's count (the upstream reported none, or not to the end). */
  readonly tokensEstimated: boolean;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Milliseconds from start to the dispatch of the attempt that served; 0 if none was. */
  readonly dispatchMs: number;
  /** Milliseconds from start to the first content token (for a whole answer: to its head); 0 if none came. */
  readonly firstTokenMs: number;
  /** Milliseconds from start to end. */
  readonly totalMs: number;
}
