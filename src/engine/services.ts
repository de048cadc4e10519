/** What a worker gives to the requests it serves: the registries that outlive engines. */
import type { Cooldowns } from "../balancing/cooldowns.ts";
import type { Operation } from "../dialects/contract.ts";
import type { DialectName } from "../dialects/form.ts";
import type { DirectoryReader } from "../directory/reader.ts";
import type { UsageWriter } from "../ledger/usage-writer.ts";
import type { DeadlineTicker } from "../lib/timer.ts";
import type { Admission } from "../quotas/admission.ts";
import type { TokenCorrection } from "../quotas/token-correction.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { Exchange } from "./exchange.ts";
import type { QuotaPlans } from "./quota-plan.ts";
import type { Policy } from "./policy.ts";

/** The process log, as far as the data plane uses it: faults of our own, never a line per request. */
export interface FaultLog {
  error(details: object, message: string): void;
}

/** Name-table ids of the words that usage entries use. */
export interface WordIds {
  readonly gateway: number;
  readonly operations: Readonly<Record<Operation, number>>;
  readonly dialects: Readonly<Record<DialectName, number>>;
  readonly errors: ReadonlyMap<string, number>;
}

/** What quotas need of a worker. */
export interface QuotaServices {
  readonly admission: Admission;
  readonly plans: QuotaPlans;
  /** Makes estimates of prompts what the upstream model will count. */
  readonly correction: TokenCorrection;
}

export interface Services {
  readonly usage: UsageWriter;
  readonly directory: DirectoryReader;
  readonly cooldowns: Cooldowns;
  readonly quotas: QuotaServices;
  readonly deadlines: DeadlineTicker;
  /** Of requests. */
  readonly bodies: BodyBudget;
  /** Of answers that are collected before they are sent. */
  readonly answers: BodyBudget;
  readonly ids: WordIds;
  readonly log: FaultLog;
  /** Streams that clients wait for, for heartbeats. */
  readonly streams: Set<Exchange>;
  /** The name of a name-table id. */
  name(this: void, id: number): string;
  /** The policy that a directory record names. */
  policy(id: number): Policy;
  /** The worker is shutting down: connections should not be kept. */
  draining(): boolean;
  /** The exchange has ended. */
  ended(exchange: Exchange): void;
}
