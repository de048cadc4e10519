/**
 * The layout of the usage table: one shared buffer a worker, with a slot for each request that is open or not yet
 * read. The worker writes slots, the main thread reads them; slot numbers travel through two rings (done → main,
 * returned → worker). No message, no copy, no serialisation; and what a dead worker left open is still there.
 */
import { indexRingBytes } from "../lib/index-ring.ts";
import { OUTCOMES } from "./entry.ts";
import type { Outcome } from "./entry.ts";

/** Fields that are doubles: index of the 8-byte word in a slot. */
export const NUMBER_FIELD = {
  startedAt: 0,
  dispatchMs: 1,
  firstTokenMs: 2,
  totalMs: 3,
  promptTokens: 4,
  cachedTokens: 5,
  cacheWriteTokens: 6,
  completionTokens: 7,
  reasoningTokens: 8,
  bytesIn: 9,
  bytesOut: 10,
  costNanoUsd: 11,
} as const;
export type NumberField = (typeof NUMBER_FIELD)[keyof typeof NUMBER_FIELD];

/**
 * Fields that are integers (name ids where the entry has a name): index of the 4-byte word in a slot.
 * They start behind the doubles, so that no index is valid for both kinds and the compiler tells them apart.
 */
export const INTEGER_FIELD = {
  status: 27,
  attempts: 28,
  gateway: 31,
  domain: 32,
  route: 33,
  operation: 34,
  clientDialect: 35,
  targetDialect: 36,
  consumer: 37,
  key: 38,
  model: 39,
  servedModel: 40,
  provider: 41,
  upstreamModel: 42,
  credential: 43,
  node: 44,
  error: 45,
  template: 46,
} as const;
export type IntegerField = (typeof INTEGER_FIELD)[keyof typeof INTEGER_FIELD];

/** Yes-or-no facts, bits of one word. */
export const FLAG = { stream: 1, tokensEstimated: 2 } as const;
export type Flag = (typeof FLAG)[keyof typeof FLAG];

// Words of a slot that only writer and reader touch.
export const STATE_WORD = 24;
export const OUTCOME_WORD = 25;
export const FLAGS_WORD = 26;
export const ID_LENGTH_WORD = 29;
export const UPSTREAM_NAME_LENGTH_WORD = 47;
/** What `open` clears, in doubles: all numbers and integers. The request id follows, then the upstream model's name. */
export const CLEARED_DOUBLES = 24;
export const ID_BYTE = CLEARED_DOUBLES * 8;
export const MAX_ID_BYTES = 128;
export const UPSTREAM_NAME_BYTE = ID_BYTE + MAX_ID_BYTES;
export const MAX_UPSTREAM_NAME_BYTES = 128;
/** Seven cache lines; the last two are touched only by names that a `*` of the configuration stands for. */
export const SLOT_BYTES = UPSTREAM_NAME_BYTE + MAX_UPSTREAM_NAME_BYTES;
export const SLOT_WORDS = SLOT_BYTES / 4;
export const SLOT_DOUBLES = SLOT_BYTES / 8;

export const STATE_FREE = 0;
export const STATE_OPEN = 1;
export const STATE_DONE = 2;

// Words of the table's header.
export const SLOT_COUNT_WORD = 0;
/** Slots below this number have been used since the table was made or reset. */
export const HIGH_WATER_WORD = 1;
/** Requests opened, closed and refused for want of a slot; wrap around at 2^32. Written by the worker. */
export const OPENED_WORD = 2;
export const CLOSED_WORD = 3;
export const REJECTED_WORD = 4;
const HEADER_BYTES = 128;
export const HEADER_WORDS = HEADER_BYTES / 4;

/** The number that stands for an outcome in a slot. */
export const OUTCOME_INDEX = Object.freeze(
  Object.fromEntries(OUTCOMES.map((outcome, index) => [outcome, index])),
) as Readonly<Record<Outcome, number>>;

const DEFAULT_SLOTS = 65_536;
const MAX_SLOTS = 1_048_576;

/** Where the parts of a table of `slots` slots lie, in bytes. */
export interface UsageTableParts {
  readonly doneRing: number;
  readonly returnedRing: number;
  readonly slots: number;
  readonly total: number;
}

/** Computes the parts' offsets. */
export function usageTableParts(slots: number): UsageTableParts {
  const ring = indexRingBytes(slots);
  const returnedRing = HEADER_BYTES + ring;
  const slotsAt = Math.ceil((returnedRing + ring) / 64) * 64;
  return { doneRing: HEADER_BYTES, returnedRing, slots: slotsAt, total: slotsAt + slots * SLOT_BYTES };
}

/**
 * Makes the shared buffer of one worker's usage table. Memory is taken only as slots come into use.
 * @param slots how many requests may be open or unread at once: a power of two.
 */
export function createUsageBuffer(slots: number = DEFAULT_SLOTS): SharedArrayBuffer {
  if (slots < 1 || slots > MAX_SLOTS || (slots & (slots - 1)) !== 0)
    throw new RangeError(`${slots} usage slots: give a power of two up to ${MAX_SLOTS}`);
  const buffer = new SharedArrayBuffer(usageTableParts(slots).total);
  new Int32Array(buffer, 0, HEADER_WORDS)[SLOT_COUNT_WORD] = slots;
  return buffer;
}

/** The number of slots that a table's buffer says it has. */
export function usageSlotCount(buffer: SharedArrayBuffer): number {
  return new Int32Array(buffer, 0, HEADER_WORDS)[SLOT_COUNT_WORD] ?? 0;
}
