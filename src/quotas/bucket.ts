/**
 * Buckets: what a limit counts in. A bucket belongs to a subject (a consumer, a key, a grant …) and counts one kind of
 * thing. It is named by integers (name-table ids), so that all threads find the same one without a string.
 */

/** What a bucket counts, and how. The order is the number that shared memory holds. */
export const BUCKET_KINDS = [
  "requests", // requests a minute
  "tokens", // tokens a minute
  "concurrency", // requests at once
  "monthlyTokens", // tokens a calendar month
  "monthlyUsd", // nano-dollars a calendar month
] as const;
export type BucketKind = (typeof BUCKET_KINDS)[number];

/** Who or what is limited. The order is the number that shared memory holds. */
export const SUBJECT_TYPES = ["consumer", "key", "grant", "keyGrant", "model", "target", "credential"] as const;
export type SubjectType = (typeof SUBJECT_TYPES)[number];

/** A subject by name-table ids; 0 where its type has no such part. */
export interface Subject {
  readonly type: SubjectType;
  /** Consumer; model of a target; name of a model or credential. */
  readonly first: number;
  /** Key; pattern of a consumer's grant; provider of a target. */
  readonly second: number;
  /** Pattern of a key's grant; upstream model of a target. */
  readonly third: number;
}

/** A kind as an integer. */
export const KIND: Readonly<Record<BucketKind, number>> = {
  requests: 0,
  tokens: 1,
  concurrency: 2,
  monthlyTokens: 3,
  monthlyUsd: 4,
};

/** Decays as time passes. */
export const isRate = (kind: number): boolean => kind <= KIND.tokens;
/** Counts within a calendar month. */
export const isMonthly = (kind: number): boolean => kind >= KIND.monthlyTokens;
/** Counts tokens. */
export const countsTokens = (kind: number): boolean => kind === KIND.tokens || kind === KIND.monthlyTokens;

/** The names of a subject's parts, in the order of its ids. */
export const SUBJECT_PARTS: Readonly<Record<SubjectType, readonly string[]>> = {
  consumer: ["consumer"],
  key: ["consumer", "key"],
  grant: ["consumer", "model"],
  keyGrant: ["consumer", "key", "model"],
  model: ["model"],
  target: ["model", "provider", "upstreamModel"],
  credential: ["credential"],
};

/**
 * A subject in words that last, for stores, other machines and people: `grant:search/index`. Parts are
 * percent-encoded where they hold a `/` or a `%`.
 */
export function subjectText({ type, first, second, third }: Subject, name: (id: number) => string): string {
  return namedSubjectText({ type, names: [first, second, third].slice(0, SUBJECT_PARTS[type].length).map(name) });
}

/** A subject by its names, as many as its type has parts. */
export interface NamedSubject {
  readonly type: SubjectType;
  readonly names: readonly string[];
}

/** `subjectText` of a subject by its names. */
export function namedSubjectText({ type, names }: NamedSubject): string {
  return `${type}:${names.map(encodePart).join("/")}`;
}

/** The parts of a subject's text. @throws Error if it is none */
export function parseSubjectText(text: string): NamedSubject {
  const colon = text.indexOf(":");
  const type = SUBJECT_TYPES.find((known) => known === text.slice(0, colon));
  const names = text
    .slice(colon + 1)
    .split("/")
    .map(decodeURIComponent);
  if (type === undefined || names.length !== SUBJECT_PARTS[type].length) {
    throw new Error(`${JSON.stringify(text)} names no subject; one looks like consumer:search or grant:search/index`);
  }
  return { type, names };
}

function encodePart(part: string): string {
  return part.replaceAll("%", "%25").replaceAll("/", "%2F");
}

/** A limit as one bucket has it. */
export interface BucketShape {
  /** As people say it: a minute, at once, or a month. */
  readonly limit: number;
  /** What fits in at once. */
  readonly capacity: number;
  /** What decays in a millisecond; 0 where nothing does. */
  readonly ratePerMs: number;
}

/** What names a bucket, as integers. Made by `bucketKey`. */
export interface BucketKey {
  /** Type of the subject and kind of the bucket in one. */
  readonly identity: number;
  readonly first: number;
  readonly second: number;
  readonly third: number;
  /** YYYYMM of a monthly bucket, else 0. */
  readonly period: number;
}

/** @param kind a number of `KIND` @param period YYYYMM of a monthly bucket, else 0 */
export function bucketKey({ type, first, second, third }: Subject, kind: number, period: number): BucketKey {
  return { identity: 1 + (SUBJECT_TYPES.indexOf(type) << 3) + kind, first, second, third, period };
}

/** What a request reserves or has used. */
export interface Amounts {
  readonly tokens: number;
  readonly nanoUsd: number;
}

/** What a bucket of this kind counts of a request. */
export function amountOf(kind: number, { tokens, nanoUsd }: Amounts): number {
  if (countsTokens(kind)) {
    return tokens;
  }
  return kind === KIND.monthlyUsd ? nanoUsd : 1;
}
