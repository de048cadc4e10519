/** The main thread's side of the thread that keeps monthly counters. */
import { Worker } from "node:worker_threads";
import type { NameDelta } from "../lib/name-table.ts";
import type { ProcessLog } from "../observability/log.ts";
import type { BudgetAlert } from "../quotas/budget-alerts.ts";
import type { CounterStart, FromCounter, KnownMachines, ToCounter } from "./messages.ts";

/** Writing what is left takes no longer than this, or is given up. */
const STOP_MS = 5_000;

export class CounterHandle {
  /** What the store knows of machines, when it is open. Rejects with what is wrong with the store. */
  readonly ready: Promise<KnownMachines>;
  /** Counters cannot be written now. */
  failing = false;
  readonly #thread: Worker;
  readonly #ended: Promise<void>;

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
    const ready = Promise.withResolvers<KnownMachines>();
    const ended = Promise.withResolvers<void>();
    let isReady = false;
    this.ready = ready.promise;
    this.#ended = ended.promise;
    this.#thread.on("message", (message: FromCounter) => {
      switch (message.kind) {
        case "ready":
          isReady = true;
          ready.resolve(message.known);
          return;
        case "writeFailed":
          this.failing = true;
          log.error(`${message.message}; counted in memory meanwhile, and written as soon as that is possible`);
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
      ready.reject(new Error("the store's thread ended before it was ready"));
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
