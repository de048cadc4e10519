/** What a client is told when a limit refuses its request: which limit, of whom, and when to come back. */
import { SluiceError } from "../lib/errors.ts";
import type { PlannedBucket, Refusal } from "../quotas/admission.ts";
import { isMonthly, KIND, SUBJECT_TYPES, type SubjectType } from "../quotas/bucket.ts";

const UNITS: Readonly<Record<number, string>> = {
  [KIND.requests]: "requests a minute",
  [KIND.tokens]: "tokens a minute",
  [KIND.concurrency]: "requests at a time",
  [KIND.monthlyTokens]: "tokens a month",
  [KIND.monthlyUsd]: "dollars a month",
};
const NANO_USD = 1e9;
/** A request at a time ends at no known moment. */
const CONCURRENCY_RETRY_MS = 1_000;
/** The total of waits that an error asks for: what is longer than this is as good as no answer. */
const LONGEST_RETRY_AFTER_MS = 86_400_000;

/**
 * The error for a refusal.
 * @param name resolves name-table ids @param now milliseconds since the epoch, as is `monthEndsAt`
 */
export function quotaError(
  refusal: Refusal,
  name: (id: number) => string,
  now: number,
  monthEndsAt: number,
): SluiceError {
  const { bucket, reason, waitMs } = refusal;
  if (reason === "noRoom") {
    return new SluiceError("overloaded", "The gateway counts too many things at once. Try again in a moment.", {
      retryAfterMs: waitMs,
    });
  }
  const what = `${amountText(bucket.limit, bucket.kind)} ${UNITS[bucket.kind]!} ${ownerText(bucket, name)}`;
  if (reason === "tooLarge") {
    const need = `it needs ${amountText(refusal.amount, bucket.kind)}, and at most ${amountText(bucket.capacity, bucket.kind)} may come at once`;
    return new SluiceError(
      codeOf(bucket.kind),
      `The request is larger than the limit of ${what} allows: ${need}. Send less, or ask for less with max_tokens.`,
      { retry: "never" },
    );
  }
  if (isMonthly(bucket.kind)) {
    const ends = new Date(monthEndsAt).toISOString().replace(/\.\d+Z$/, "Z");
    return new SluiceError(
      "insufficient_quota",
      `The budget of ${what} is used up until ${ends}. Ask your platform team to raise it.`,
      { retry: "never", retryAfterMs: Math.max(1, monthEndsAt - now) },
    );
  }
  const retryAfterMs =
    bucket.kind === KIND.concurrency ? CONCURRENCY_RETRY_MS : Math.min(LONGEST_RETRY_AFTER_MS, Math.max(1, waitMs));
  const seconds = (retryAfterMs / 1_000).toFixed(retryAfterMs < 10_000 ? 1 : 0);
  return new SluiceError("rate_limit_exceeded", `The limit of ${what} is reached. Try again in ${seconds} s.`, {
    retryAfterMs,
  });
}

function codeOf(kind: number): "rate_limit_exceeded" | "insufficient_quota" {
  return isMonthly(kind) ? "insufficient_quota" : "rate_limit_exceeded";
}

function amountText(amount: number, kind: number): string {
  return kind === KIND.monthlyUsd ? (amount / NANO_USD).toFixed(2) : String(Math.ceil(amount));
}

function ownerText(bucket: PlannedBucket, name: (id: number) => string): string {
  const type: SubjectType = SUBJECT_TYPES[(bucket.identity - 1) >> 3]!;
  const quoted = (id: number): string => JSON.stringify(name(id));
  switch (type) {
    case "consumer":
      return `for consumer ${quoted(bucket.first)}`;
    case "key":
      return `for key ${quoted(bucket.second)} of consumer ${quoted(bucket.first)}`;
    case "grant":
      return `for consumer ${quoted(bucket.first)} on model ${quoted(bucket.second)}`;
    case "keyGrant":
      return `for key ${quoted(bucket.second)} of consumer ${quoted(bucket.first)} on model ${quoted(bucket.third)}`;
    case "model":
      return `for model ${quoted(bucket.first)}, all callers together,`;
    case "target":
    case "credential":
      return "that the model's providers allow";
  }
}
