/** The main thread's side of the thread that keeps the store: monthly counters, and limits that were set at run time. */
import { Worker } from "node:worker_threads";
import type { NameDelta } from "../lib/name-table.ts";
import type { ProcessLog } from "../observability/log.ts";
import type { BudgetAlert } from "../quotas/budget-alerts.ts";
import { StoreError } from "../quotas/machine-store.ts";
import type { CounterStart, FromCounter, OverrideWrite, StoreContent, ToCounter } from "./messages.ts";

/** Writing what is left takes no longer than this, or is given up. */
const STOP_MS = 5_000;

const GONE = "the store's thread has ended; restart the gateway";

export class CounterHandle {
  /** What the store knows, when it is open. Rejects with what is wrong with it. */
  readonly ready: Promise<StoreContent>;
  /** Counters cannot be written now. */
  failing = false;
  readonly #thread: Worker;
  readonly #ended: Promise<void>;
  readonly #writes = new Map<number, PromiseWithResolvers<void>>();
  #lastWrite = 0;
  #isOver = false;

  /**
   * @param onPassed told of budgets that passed 80 % or 100 %
   * @param onLost the thread has died after it was ready: it may have had the lock
   */
  constructor(
    url: URL,
    start: CounterStart,
    log: ProcessLog,
    onPassed: (alerts: readonly BudgetAlert[]) => void,
    onLost: () => void,
  ) {
    this.#thread = new Worker(url, { workerData: start, name: "counters" });
    const ready = Promise.withResolvers<StoreContent>();
    const ended = Promise.withResolvers<void>();
    let isReady = false;
    this.ready = ready.promise;
    this.#ended = ended.promise;
    this.#thread.on("message", (message: FromCounter) => {
      switch (message.kind) {
        case "ready":
          isReady = true;
          ready.resolve(message);
          return;
        case "writeFailed":
          this.failing = true;
          log.error(`${message.message}; counted in memory meanwhile, and written as soon as that is possible`);
          return;
        case "overrides":
          this.#written(message.id, message.problem);
          return;
        case "passed":
          onPassed(message.alerts);
          return;
        case "writes":
          this.failing = false;
          log.info("monthly counters are written again");
      }
    });
    this.#thread.on("error", (error) => {
      ready.reject(error);
      if (isReady) {
        this.failing = true;
        log.error(
          { err: error },
          "the store's thread failed; monthly counters are kept in memory only: restart the gateway",
        );
        onLost();
      }
    });
    this.#thread.on("exit", () => {
      this.#isOver = true;
      ready.reject(new Error("the store's thread ended before it was ready"));
      for (const id of this.#writes.keys()) {
        this.#written(id, GONE);
      }
      ended.resolve();
    });
  }

  shareNames(delta: NameDelta): void {
    this.#send({ kind: "names", delta });
  }

  /** So many machines share limits now. */
  sawMachines(count: number): void {
    this.#send({ kind: "machines", count });
  }

  /** Resolves when it is on the disk. @throws StoreError; what was there before stays */
  writeOverrides(write: OverrideWrite): Promise<void> {
    if (this.#isOver) {
      return Promise.reject(new StoreError(GONE));
    }
    const id = ++this.#lastWrite;
    const waiting = Promise.withResolvers<void>();
    this.#writes.set(id, waiting);
    this.#send({ kind: "overrides", id, ...write });
    return waiting.promise;
  }

  #written(id: number, problem: string | undefined): void {
    const waiting = this.#writes.get(id);
    this.#writes.delete(id);
    if (problem === undefined) {
      waiting?.resolve();
    } else {
      waiting?.reject(new StoreError(problem));
    }
  }

  /** Writes what is left and ends. */
  async stop(): Promise<void> {
    this.#send({ kind: "stop" });
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, STOP_MS);
    await Promise.race([this.#ended, promise]);
    clearTimeout(timer);
    await this.#thread.terminate();
  }

  #send(message: ToCounter): void {
    this.#thread.postMessage(message);
  }
}
