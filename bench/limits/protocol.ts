/** What the bench says to the processes ("machines") that share limits, and what they answer. */
import type { LatencyCounts } from "../latency-histogram.ts";

/** Processes that share limits. */
export const MACHINES = 4;

/** Requests a second that the contested limits allow, one after the other. */
export const CONTESTED_PER_SECOND = [400, 50] as const;

/** A limit as both contenders can have it. */
export interface SharedLimit {
  /** The same on every machine, and never used before. */
  readonly id: number;
  /** Requests in a window. */
  readonly requests: number;
  /** Tokens in a window; left out: only requests are limited. */
  readonly tokens?: number;
  /** Whole seconds. */
  readonly windowSeconds: number;
  /** So much of the limit may come at once, where a contender lets one say so. */
  readonly burstSeconds: number;
}

/** When requests come. */
export type Arrivals =
  /** Each asks again when it has been decided on. */
  | { readonly kind: "closed"; readonly inFlight: number }
  /** One at once, and after `pauseMs` so many a second, whatever the decisions do. */
  | { readonly kind: "paced"; readonly perSecond: number; readonly pauseMs: number };

export interface LimitsJob {
  readonly limit: SharedLimit;
  readonly arrivals: Arrivals;
  /** When to begin, by the system's monotonic clock (`sharedNowMs`). */
  readonly startAt: number;
}

/** A part of a job's time. What was asked within it belongs to it, whenever it is decided. */
export interface Lap {
  readonly decisions: number;
  readonly admitted: number;
  /** Decisions that ended in an error. */
  readonly failed: number;
  readonly latency: LatencyCounts;
  /** Of them, of those admitted. */
  readonly admittedLatency: LatencyCounts;
}

export interface LoopResult {
  readonly laps: readonly Lap[];
  /** Of paced arrivals: when each admitted request was, by the system's monotonic clock. */
  readonly admittedAt: readonly number[];
  /** Requests that found too many undecided ones before them. */
  readonly skipped: number;
  readonly firstError: string;
}

export type MachineCommand =
  | { readonly kind: "start"; readonly job: LimitsJob }
  /** Begins the next lap. */
  | { readonly kind: "lap" }
  /** Starts no more requests and waits for those that are not decided yet. */
  | { readonly kind: "stop" };
