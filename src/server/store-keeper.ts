/** The store of this machine, opened when something needs it. */
import { existsSync } from "node:fs";
import type { StoreConfig } from "../config/snapshot.ts";
import type { NameDelta } from "../lib/name-table.ts";
import type { ProcessLog } from "../observability/log.ts";
import type { BudgetAlert } from "../quotas/budget-alerts.ts";
import type { LimitOverride } from "../quotas/overrides/override.ts";
import { CounterHandle } from "./counter-handle.ts";
import type { OverrideWrite } from "./messages.ts";

/** What the store's thread is started with. */
export interface StoreKeeperOptions {
  readonly url: URL;
  readonly buckets: SharedArrayBuffer;
  /** All names so far. */
  readonly names: () => NameDelta;
  readonly log: ProcessLog;
  /** Told of budgets that passed 80 % or 100 %. */
  readonly onPassed: (alerts: readonly BudgetAlert[]) => void;
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
      const { url, buckets, names, log, onPassed } = this.#options;
      const handle = new CounterHandle(url, { buckets, names: names(), path }, log, onPassed);
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

  /** The machine's name, if the store is open. @throws StoreError */
  async machineId(): Promise<string | undefined> {
    return (await this.#handle?.ready)?.machineId;
  }

  shareNames(delta: NameDelta): void {
    this.#handle?.shareNames(delta);
  }

  /** Writes what is left and ends. */
  async stop(): Promise<void> {
    await this.#handle?.stop();
  }
}
