/** What the threads of a gateway say to each other. */
import type { CooldownsMemory } from "../balancing/cooldowns.ts";
import type {
  AccessLogConfig,
  AdminConfig,
  ListenConfig,
  QuotasConfig,
  ServerConfig,
  StateConfig,
  StoreConfig,
} from "../config/snapshot.ts";
import type { DirectoryHandle } from "../directory/table.ts";
import type { JsonObject } from "../lib/json.ts";
import type { NameDelta } from "../lib/name-table.ts";
import type { BudgetAlert } from "../quotas/budget-alerts.ts";
import type { NamedSubject } from "../quotas/bucket.ts";
import type { OverrideChange } from "../quotas/overrides/limit-overrides.ts";
import type { LimitOverride } from "../quotas/overrides/override.ts";
import type { UsageQuery } from "../quotas/usage-report.ts";

/** What a worker is started with. */
export interface WorkerStart {
  readonly index: number;
  readonly gateway: string;
  readonly server: ServerConfig;
  /** Several workers share the port by SO_REUSEPORT; without it there is one worker. */
  readonly reusePort: boolean;
  readonly names: NameDelta;
  readonly usage: SharedArrayBuffer;
  readonly cooldowns: CooldownsMemory;
  /** All quota buckets. */
  readonly buckets: SharedArrayBuffer;
  /** What this worker's requests hold of them. */
  readonly reservations: SharedArrayBuffer;
  readonly tokenCorrection: SharedArrayBuffer;
  readonly directory: DirectoryHandle;
  readonly snapshot: SharedSnapshot;
  /** Limits that were set at run time. */
  readonly overrides: readonly OverrideChange[];
}

/** A snapshot in shared memory. */
export interface SharedSnapshot {
  readonly version: string;
  readonly parts: readonly SharedArrayBuffer[];
}

export type ToWorker =
  | { readonly kind: "names"; readonly delta: NameDelta }
  | { readonly kind: "directory"; readonly handle: DirectoryHandle }
  | { readonly kind: "snapshot"; readonly snapshot: SharedSnapshot }
  /** Limits were set at run time; the worker says with the same id that they hold. */
  | { readonly kind: "overrides"; readonly id: number; readonly changes: readonly OverrideChange[] }
  | { readonly kind: "listen"; readonly listen: ListenConfig }
  | { readonly kind: "drain"; readonly timeoutMs: number };

export type FromWorker =
  /** The first engine is compiled; the worker can listen. */
  | { readonly kind: "ready" }
  | { readonly kind: "listening"; readonly port: number }
  | { readonly kind: "listenFailed"; readonly message: string; readonly code: string }
  | { readonly kind: "names"; readonly size: number }
  | { readonly kind: "overrides"; readonly id: number }
  | { readonly kind: "swapped"; readonly version: string; readonly durationMs: number; readonly longestSliceMs: number }
  | { readonly kind: "swapFailed"; readonly version: string; readonly message: string }
  | { readonly kind: "fault"; readonly message: string; readonly stack: string }
  | { readonly kind: "delay"; readonly maxMs: number }
  | { readonly kind: "drained" };

/** What the thread of the monthly counters is started with. */
export interface CounterStart {
  readonly buckets: SharedArrayBuffer;
  readonly names: NameDelta;
  /** The store's file. */
  readonly path: string;
}

export type ToCounter =
  | { readonly kind: "names"; readonly delta: NameDelta }
  /** So many machines share limits. */
  | { readonly kind: "machines"; readonly count: number }
  /** Write limits that were set at run time, and forget those of some subjects. It is told how that went. */
  | ({ readonly kind: "overrides"; readonly id: number } & OverrideWrite)
  /** Write what is left, and end. */
  | { readonly kind: "stop" };

/** What the store knows of this machine and the others. */
export interface KnownMachines {
  /** This machine's name. */
  readonly machineId: string;
  /** How often it has been started, this time included. */
  readonly run: number;
  /** How many shared limits lately, this one included. */
  readonly machines: number;
}

/** What is to be changed in the store, all or none. */
export interface OverrideWrite {
  readonly entries: readonly LimitOverride[];
  /** Subjects. */
  readonly forgotten: readonly string[];
}

/** What a store knew when it was opened. */
export interface StoreContent {
  readonly known: KnownMachines;
  /** Limits that were set at run time. */
  readonly overrides: readonly LimitOverride[];
}

export type FromCounter =
  | ({ readonly kind: "ready" } & StoreContent)
  /** `problem`: nothing was written, for this reason. */
  | { readonly kind: "overrides"; readonly id: number; readonly problem: string | undefined }
  | { readonly kind: "writeFailed"; readonly message: string }
  | { readonly kind: "passed"; readonly alerts: readonly BudgetAlert[] }
  /** After it had failed. */
  | { readonly kind: "writes" };

/** Where the loader takes the configuration from. */
export type ConfigSource =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "builtin"; readonly firstKeyHash: string };

/** What the loader is started with: the source, and the command line's own word on some of it. */
export interface LoaderStart {
  readonly source: ConfigSource;
  readonly listen: ListenConfig | undefined;
  readonly adminListen: ListenConfig | undefined;
  readonly workers: number | undefined;
}

/** What the loader's thread is started with. */
export interface LoaderThreadStart extends LoaderStart {
  /** All quota buckets: who knows the configuration tells what is used of it. */
  readonly buckets: SharedArrayBuffer;
}

/** A question about what is used. */
export interface UsageQuestion extends UsageQuery {
  /** A consumer that must exist: else the answer is `consumer_not_found`. */
  readonly of?: string;
}

export type UsageAnswer =
  /** `body` is JSON: a page of the report. */
  | { readonly outcome: "page"; readonly body: string }
  | { readonly outcome: "consumer_not_found" }
  /** A defect; the message is for the log. */
  | { readonly outcome: "failed"; readonly message: string }
  /** The message says what is wrong with the question. */
  | { readonly outcome: "invalid_request"; readonly message: string };

/** About limits that are set at run time. */
export type LimitsQuestion =
  /** Everything that was set. `isShared`: other machines are told of it. */
  | { readonly ask: "all"; readonly isShared: boolean }
  /** What holds for one subject, and why. `changed`: it was just changed, and this held before. */
  | { readonly ask: "one"; readonly subject: NamedSubject; readonly isShared: boolean; readonly before?: string }
  /** Whether limits may be set, by a JSON text; or be removed. */
  | { readonly ask: "set"; readonly subject: NamedSubject; readonly text: string }
  | { readonly ask: "remove"; readonly subject: NamedSubject }
  /** Put this into force. */
  | ({ readonly ask: "take" } & OverrideWrite);

export type LimitsRefusal = "subject_not_found" | "limits_not_set" | "invalid_limits" | "too_many_limits";

export type LimitsAnswer =
  /** `body` is JSON. */
  | { readonly outcome: "found"; readonly body: string }
  /** It may be set or removed. `before`: JSON, what holds now. */
  | {
      readonly outcome: "allowed";
      readonly subject: string;
      readonly limits: JsonObject | null;
      readonly before: string;
    }
  | { readonly outcome: "taken" }
  /** A defect; the message is for the log. */
  | { readonly outcome: "failed"; readonly message: string }
  /** The message says what to do. */
  | { readonly outcome: "refused"; readonly reason: LimitsRefusal; readonly message: string };

export type ToLoader =
  | { readonly kind: "reload" }
  /** All workers know the names up to this size. */
  | { readonly kind: "namesKnown"; readonly size: number }
  | { readonly kind: "usage"; readonly id: number; readonly question: UsageQuestion }
  | { readonly kind: "limits"; readonly id: number; readonly question: LimitsQuestion }
  /** What the store knows of limits that were set at run time: the loader waits for it before it publishes anything. */
  | { readonly kind: "known"; readonly overrides: readonly LimitOverride[] };

/** The settings of a snapshot that the main thread itself acts on. */
export interface ProcessSettings {
  readonly gateway: string;
  readonly server: ServerConfig;
  readonly admin: AdminConfig;
  readonly accessLog: AccessLogConfig;
  readonly quotas: QuotasConfig;
  /** Where monthly counters, the machine's name and limits that are set at run time are kept. */
  readonly store: StoreConfig;
  /** Something needs it: months are limited, or limits are shared. */
  readonly needsStore: boolean;
  /** Something is limited by the month: without the store its counters would be lost. */
  readonly limitsMonths: boolean;
  /** What several machines share; undefined: this one is alone. */
  readonly state: StateConfig | undefined;
}

export type FromLoader =
  | { readonly kind: "names"; readonly delta: NameDelta }
  | { readonly kind: "directory"; readonly handle: DirectoryHandle }
  | {
      readonly kind: "loaded";
      readonly snapshot: SharedSnapshot;
      readonly settings: ProcessSettings;
      readonly warnings: readonly string[];
      /** Credentials of providers, passwords of Redis: what no log may show. */
      readonly secrets: readonly string[];
      readonly counts: Readonly<Record<string, number>>;
      readonly durationMs: number;
    }
  | { readonly kind: "failed"; readonly message: string }
  /** The first configuration is read, and waits for what the store knows. */
  | { readonly kind: "read"; readonly store: StoreConfig }
  /** Limits that were set at run time hold, or no longer do. */
  | {
      readonly kind: "inForce";
      readonly changes: readonly OverrideChange[];
      /** How many hold, and how many do not. */
      readonly counts: OverrideCounts;
      /** For the log: why some have no effect. */
      readonly warnings: readonly string[];
    }
  | { readonly kind: "usage"; readonly id: number; readonly answer: UsageAnswer }
  | { readonly kind: "limits"; readonly id: number; readonly answer: LimitsAnswer };

export interface OverrideCounts {
  readonly inForce: number;
  /** The configuration has no such subject, or they cannot be read. */
  readonly withoutEffect: number;
}
