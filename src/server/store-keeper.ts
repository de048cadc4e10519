/** The store of this machine, opened when something needs it. */
import { existsSync } from "node:fs";
import type { StoreConfig } from "../config/snapshot.ts";
import type { NameDelta } from "../lib/name-table.ts";
import type { ProcessLog } from "../observability/log.ts";
import type { BudgetAlert } from "../quotas/budget-alerts.ts";
import type { LimitOverride } from "../quotas/overrides/override.ts";
import { CounterHandle } from "./counter-handle.ts";
import type { KnownMachines, OverrideWrite, ProcessSettings } from "./messages.ts";
import { messageOf } from "../lib/thrown.ts";

/** What the store's thread is started with. */
export interface StoreKeeperOptions {
  readonly url: URL;
  readonly buckets: SharedArrayBuffer;
  /** All names so far. */
  readonly names: () => NameDelta;
  readonly log: ProcessLog;
  /** Told of budgets that passed 80 % or 100 %. */
  readonly onPassed: (alerts: readonly BudgetAlert[]) => void;
  /** The thread has died after it was ready: it may have had the lock. */
  readonly onLost: () => void;
}

/** At most one open store; one that could not be opened is tried again when it is needed again. */
export class StoreKeeper {
  readonly #options: StoreKeeperOptions;
  #handle: CounterHandle | undefined;

  constructor(options: StoreKeeperOptions) {
    this.#options = options;
  }

  /** Counters cannot be written now. */
  get failing(): boolean {
    return this.#handle?.failing === true;
  }

  /** Opens it unless it is open. */
  open({ path }: StoreConfig): CounterHandle {
    if (this.#handle === undefined) {
      const { url, buckets, names, log, onPassed, onLost } = this.#options;
      const handle = new CounterHandle(url, { buckets, names: names(), path }, log, onPassed, onLost);
      this.#handle = handle;
      handle.ready.catch(() => {
        this.#handle = undefined;
      });
    }
    return this.#handle;
  }

  /** Limits that were set at run time before the process began. @throws StoreError where there is a store, but not for us */
  async known(store: StoreConfig): Promise<readonly LimitOverride[]> {
    return existsSync(store.path) ? (await this.open(store).ready).overrides : [];
  }

  /** @throws StoreError */
  async writeOverrides(store: StoreConfig, write: OverrideWrite): Promise<void> {
    const handle = this.open(store);
    await handle.ready;
    await handle.writeOverrides(write);
  }

  /**
   * What is known of this machine and the others; undefined where nothing needs the store, or where limits are shared but
   * no file can be had: they still are.
   * @throws StoreError if monthly counters could not be kept
   */
  async knownMachines({ limitsMonths }: ProcessSettings): Promise<KnownMachines | undefined> {
    try {
      return (await this.#handle?.ready)?.known;
    } catch (error) {
      if (limitsMonths) {
        throw error;
      }
      const reason = messageOf(error);
      this.#options.log.warn(
        `this machine has a new name each time it starts, what it had leased then comes back late: ${reason}`,
      );
      return undefined;
    }
  }

  /** So many machines share limits now. */
  sawMachines(count: number): void {
    this.#handle?.sawMachines(count);
  }

  shareNames(delta: NameDelta): void {
    this.#handle?.shareNames(delta);
  }

  /** Writes what is left and ends. */
  async stop(): Promise<void> {
    await this.#handle?.stop();
  }
}
