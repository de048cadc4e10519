/** Why an attempt failed before the client saw anything of it, and what follows from that. */
import type { RetryCause } from "../config/snapshot.ts";
import type { UpstreamError } from "../dialects/contract.ts";
import { isSluiceError, SluiceError } from "../lib/errors.ts";
import type { UpstreamFailure } from "../upstreams/origin.ts";
import { retryAfter } from "./answer-head.ts";
import type { Endpoint } from "./engine.ts";
import type { Exchange } from "./exchange.ts";

/** A key that the provider refuses rests this long before it is tried again. */
const REFUSED_CREDENTIAL_REST_MS = 60_000;
/** After a 429 that does not say how long; what a client is told then, and after a 503. */
const DEFAULT_REST_MS = 1_000;

export interface AttemptFailure {
  /**
   * The configured cause under which it may be retried; `elsewhere`: at another endpoint, without being asked; `never`:
   * the caller's mistake.
   */
  readonly retryable: RetryCause | "elsewhere" | "never";
  /** So long rests what `rests` says; 0 for not at all. */
  readonly restMs: number;
  /** `credentialOrNode`: the node where there is no credential. */
  readonly rests: "credential" | "node" | "credentialOrNode";
  /** Counts against the node. */
  readonly blamesNode: boolean;
  /** Answers the client when this failure is the last. */
  answer(exchange: Exchange): void;
}

/** The id of what rests after a failure; 0 for nothing. */
export function whatRests({ nodeId, credentialId }: Endpoint, { rests }: AttemptFailure): number {
  if (rests === "node" || (rests === "credentialOrNode" && credentialId === 0)) {
    return nodeId;
  }
  return credentialId;
}

/** The connection failed, or what came over it was not HTTP. */
export function connectionFailure(failure: UpstreamFailure): AttemptFailure {
  const unreachable = failure.kind === "connect";
  const error =
    failure.kind === "connectTimeout"
      ? timeoutError("connect")
      : new SluiceError(
          unreachable ? "upstream_unreachable" : "upstream_error",
          unreachable
            ? "The model's provider could not be reached. Try again; if it lasts, tell your platform team."
            : "The connection to the model's provider broke before it answered. Try again.",
          { cause: failure },
        );
  return ownError(error, "connect");
}

/**
 * One of the clocks of the attempt ran out. A connection that is not made in time fails by itself: where the clock is
 * first, the request waited for one of the pool to be free, which is no fault of the node.
 */
export function clockFailure(clock: "connect" | "firstToken" | "idle"): AttemptFailure {
  const failure = ownError(timeoutError(clock), clock === "firstToken" ? "firstTokenTimeout" : "connect");
  return clock === "connect" ? { ...failure, blamesNode: false } : failure;
}

/** The upstream answered 2xx with something that is no answer. */
export function invalidAnswer(message: string): AttemptFailure {
  return ownError(new SluiceError("upstream_invalid_answer", message), "5xx");
}

/** The answers that are collected have all the memory that they may: not the node's fault, and no better the next time. */
export function noRoomForAnswer(): AttemptFailure {
  const message =
    "The gateway holds as many answers as it may (server.maxBufferedBytes). Try again in a moment, or stream.";
  const error = new SluiceError("overloaded", message, { retryAfterMs: DEFAULT_REST_MS });
  return { ...ownError(error, "connect"), retryable: "never", blamesNode: false };
}

/** The stream ended or broke before its first content. */
export function brokenBeforeContent(): AttemptFailure {
  return ownError(
    new SluiceError("upstream_error", "The provider's answer ended before it began. Try again."),
    "connect",
  );
}

/** The stream ended after its first content and before its protocol's end. */
export function brokenStream(): SluiceError {
  return new SluiceError("upstream_stream_broken", "The model's answer broke off before its end.");
}

/** An answer that began ended with this error, and the node is to blame: not a client that takes all its time, nor us. */
export function isBreakOfNode(error: SluiceError | UpstreamError): boolean {
  if (!isSluiceError(error)) {
    return error.status >= 500;
  }
  return error.code.startsWith("upstream_") || error.code === "idle_timeout";
}

function ownError(error: SluiceError, retryable: RetryCause): AttemptFailure {
  return {
    retryable,
    restMs: 0,
    rests: "node",
    blamesNode: true,
    answer: (exchange) => {
      exchange.sendError(error);
    },
  };
}

/** The words for a clock that ran out. */
export function timeoutError(clock: "connect" | "firstToken" | "idle"): SluiceError {
  switch (clock) {
    case "connect":
      return new SluiceError(
        "connect_timeout",
        "No connection to the model's provider could be made in time. Try again.",
      );
    case "firstToken":
      return new SluiceError("first_token_timeout", "The model did not begin to answer in time. Try again.");
    case "idle":
      return new SluiceError("idle_timeout", "The model stopped in the midst of its answer; the request was ended.");
  }
}

/**
 * The upstream answered with an error status.
 * @param bytes the answer as it came, to pass on as it is where client and target speak one dialect
 */
export function upstreamErrorFailure(
  error: UpstreamError,
  retryAfterMs: number | undefined,
  bytes: { readonly body: Buffer; readonly headers: readonly string[] } | undefined,
): AttemptFailure {
  const { status } = error;
  if (status === 401 || status === 403) {
    return refusedCredential(status);
  }
  const answer = (exchange: Exchange): void => {
    const waitMs = retryAfterMs ?? (status === 429 || status === 503 ? DEFAULT_REST_MS : undefined);
    const headers = waitMs === undefined ? [] : retryAfter(waitMs);
    if (bytes === undefined || exchange.headSent) {
      exchange.sendError(error, headers);
    } else {
      exchange.sendUpstreamErrorBytes(status, [...bytes.headers, ...headers], bytes.body);
    }
  };
  if (status === 429) {
    return {
      retryable: "429",
      restMs: retryAfterMs ?? DEFAULT_REST_MS,
      rests: "credentialOrNode",
      blamesNode: false,
      answer,
    };
  }
  if (status >= 500) {
    return { retryable: "5xx", restMs: retryAfterMs ?? 0, rests: "node", blamesNode: true, answer };
  }
  return { retryable: "never", restMs: 0, rests: "node", blamesNode: false, answer };
}

/**
 * The provider refused our credential. That is no fault of the caller's key, so it is not told 401; and since a
 * vendor's message may quote part of the key, it is not passed on. A 403 may be about the one model that was asked for,
 * so it does not keep the credential from others.
 */
function refusedCredential(status: 401 | 403): AttemptFailure {
  const error = new SluiceError(
    "upstream_error",
    "The model's provider refused the gateway's credential. Tell your platform team; a retry will not help.",
  );
  return {
    retryable: "elsewhere",
    restMs: status === 401 ? REFUSED_CREDENTIAL_REST_MS : 0,
    rests: "credential",
    blamesNode: false,
    answer: (exchange) => {
      exchange.sendError(error, ["x-should-retry", "false"]);
    },
  };
}

/** A number as these headers have it; vendors write fractions, too. */
const DELAY = /^\d{1,12}(?:\.\d{1,9})?$/;

/** Milliseconds that `retry-after-ms` or `retry-after` (seconds or an HTTP date) asks for; undefined if neither does. */
export function retryAfterMsOf(headers: Readonly<Record<string, string | string[] | undefined>>): number | undefined {
  const exact = headers["retry-after-ms"];
  if (typeof exact === "string" && DELAY.test(exact)) {
    return Number(exact);
  }
  const value = headers["retry-after"];
  if (typeof value !== "string") {
    return undefined;
  }
  if (DELAY.test(value)) {
    return Number(value) * 1000;
  }
  // a date has letters; what is a number of another kind is none that was meant
  const ms = /[A-Za-z]{3}/.test(value) ? Date.parse(value) - Date.now() : Number.NaN;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
