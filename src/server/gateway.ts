/**
 * The main thread of a gateway: starts the loader and the workers, hands snapshots round, reads the usage tables,
 * serves the admin port, replaces workers that die, and shuts everything down in order.
 */
import { Worker } from "node:worker_threads";
import { availableParallelism } from "node:os";
import { createCooldownsMemory } from "../balancing/cooldowns.ts";
import type { ListenConfig, StoreConfig } from "../config/snapshot.ts";
import type { PromptCatalogue } from "../engine/prompt-catalogue.ts";
import type { NameTable } from "../lib/name-table.ts";
import type { ProcessLog } from "../observability/log.ts";
import type { DirectoryHandle } from "../directory/table.ts";
import type { UsageCollector } from "../ledger/usage-collector.ts";
import type { MetricSource } from "../observability/prometheus.ts";
import type { BudgetAlert } from "../quotas/budget-alerts.ts";
import { CounterHandle } from "./counter-handle.ts";
import { requireFreePort } from "./free-port.ts";
import type {
  FromLoader,
  KnownMachines,
  LoaderStart,
  LoaderThreadStart,
  ProcessSettings,
  SharedSnapshot,
} from "./messages.ts";
import type { ToLoader, UsageAnswer, UsageQuestion } from "./messages.ts";
import { PromptDesk } from "./prompt-desk.ts";
import { QuotaAlerts } from "./quota-alerts.ts";
import { QuotaMemory } from "./quota-memory.ts";
import { quotaMetrics } from "./quota-metrics.ts";
import { restartNeeded } from "./restart-needed.ts";
import { SharedLimits } from "./shared-limits.ts";
import { UsageDesk } from "./usage-desk.ts";
import { WorkerHandle } from "./worker-handle.ts";

/** What the gateway tells those who observe it. */
export interface GatewayObserver {
  readonly names: NameTable;
  /** Reads the workers' usage tables. */
  readonly collector: UsageCollector;
  loaded(message: Extract<FromLoader, { kind: "loaded" }>): void;
  loadFailed(message: string): void;
  swapped(durationMs: number, longestSliceMs: number): void;
  workerDelay(index: number, maxMs: number): void;
  workerLost(lostRequests: number): void;
  /** Limits are shared with other machines. */
  sharing(limits: SharedLimits): void;
  /** Has the source computed at each scrape. */
  addMetrics(source: MetricSource): void;
}

const FIRST_RESTART_MS = 10;
const LONGEST_RESTART_MS = 5_000;
/** More deaths in a row than this are no accident. */
const DEATHS_TO_NAME = 3;

export class Gateway {
  readonly #start: LoaderStart;
  readonly #log: ProcessLog;
  readonly #observer: GatewayObserver;
  readonly #names: NameTable;
  readonly #cooldowns = createCooldownsMemory();
  readonly #quotas = new QuotaMemory();
  readonly #alerts: QuotaAlerts;
  readonly #usage = new UsageDesk((message) => {
    this.#toLoader(message);
  });
  readonly #prompts = new PromptDesk();
  #counters: CounterHandle | undefined;
  #shared: SharedLimits | undefined;
  readonly #workers: WorkerHandle[] = [];
  #loader: Worker | undefined;
  #directory: DirectoryHandle | undefined;
  #snapshot: SharedSnapshot | undefined;
  #settings: ProcessSettings | undefined;
  #startedWith: ProcessSettings | undefined;
  #listen: ListenConfig | undefined;
  #stopping = false;

  constructor(start: LoaderStart, log: ProcessLog, observer: GatewayObserver) {
    this.#start = start;
    this.#log = log;
    this.#observer = observer;
    this.#names = observer.names;
    this.#alerts = new QuotaAlerts(log);
    observer.addMetrics(this.#alerts.source);
    observer.addMetrics(quotaMetrics(this.#quotas.table, this.#names, () => this.#counters?.failing === true));
  }

  get settings(): ProcessSettings | undefined {
    return this.#settings;
  }

  get workers(): readonly WorkerHandle[] {
    return this.#workers;
  }

  /** Why requests cannot be served now, or undefined if they can. */
  notReady(): string | undefined {
    if (this.#stopping) {
      return "shutting down";
    }
    if (this.#listen === undefined) {
      return "starting";
    }
    return this.#workers.some((worker) => worker.listening) ? undefined : "no worker is listening";
  }

  /**
   * Loads the configuration, starts the workers and listens.
   * @returns where it listens
   * @throws Error with what is wrong: the configuration, or the port
   */
  async start(): Promise<ListenConfig> {
    const first = await this.#startLoader();
    this.#take(first);
    await this.#share(first.settings, await this.#knownMachines(first.settings));
    const { server } = first.settings;
    const reusePort = process.platform === "linux";
    const count = reusePort ? server.workers || availableParallelism() : 1;
    await requireFreePort(server.listen);
    for (let index = 0; index < count; index++) {
      this.#workers.push(this.#createWorker(index, reusePort));
    }
    await Promise.all(this.#workers.map((worker) => worker.ready));
    const [firstWorker, ...others] = this.#workers;
    const port = await firstWorker!.listen(server.listen);
    this.#listen = { host: server.listen.host, port };
    await Promise.all(others.map((worker) => worker.listen(this.#listen!)));
    return this.#listen;
  }

  /** What is used of what is limited. @throws UsageUnavailable */
  usage(question: UsageQuestion): Promise<UsageAnswer> {
    return this.#usage.ask(question);
  }

  /** The prompts of the configuration in use. */
  prompts(): Promise<PromptCatalogue> {
    return this.#prompts.catalogueOf(this.#snapshot!);
  }

  /** Asks the loader to read the configuration again. */
  reload(): void {
    this.#toLoader({ kind: "reload" });
  }

  /** Stops accepting, lets requests end for up to the drain timeout, then ends what is left. */
  async stop(timeoutMs = this.#settings?.server.drainTimeoutMs ?? 0): Promise<void> {
    this.#stopping = true;
    this.#usage.close("the gateway is shutting down");
    await Promise.all(this.#workers.map((worker) => worker.drain(timeoutMs)));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    this.#quotas.recoverAll(this.#workers);
    for (const worker of this.#workers) {
      this.#observer.collector.retire(worker.usageReader);
    }
    await this.#shared?.stop();
    this.#quotas.close();
    await this.#counters?.stop();
    await this.#loader?.terminate();
  }

  #startLoader(): Promise<Extract<FromLoader, { kind: "loaded" }>> {
    const { promise, resolve, reject } = Promise.withResolvers<Extract<FromLoader, { kind: "loaded" }>>();
    const workerData: LoaderThreadStart = { ...this.#start, buckets: this.#quotas.buckets };
    const loader = new Worker(threadUrl("loader-thread"), { workerData });
    this.#loader = loader;
    let started = false;
    loader.on("message", (message: FromLoader) => {
      switch (message.kind) {
        case "names":
          this.#shareNames(message);
          return;
        case "directory":
          this.#directory = message.handle;
          this.#workers.forEach((worker) => worker.send(message));
          return;
        case "usage":
          this.#usage.answered(message);
          return;
        case "failed":
          if (started) {
            this.#observer.loadFailed(message.message);
          }
          reject(new Error(message.message));
          return;
        case "loaded":
          if (started) {
            this.#take(message);
          }
          started = true;
          resolve(message);
      }
    });
    loader.on("error", (error) => {
      this.#log.error({ err: error }, "the configuration loader failed; the running configuration stays");
      this.#quotas.recoverLoader();
      this.#usage.close("the configuration loader has failed; restart the gateway");
      reject(error);
    });
    return promise;
  }

  #toLoader(message: ToLoader): void {
    this.#loader?.postMessage(message);
  }

  #shareNames(message: Extract<FromLoader, { kind: "names" }>): void {
    this.#names.append(message.delta);
    const { size } = this.#names;
    this.#counters?.shareNames(message.delta);
    void Promise.all(this.#workers.map((worker) => worker.shareNames(message.delta, size))).then(() => {
      this.#toLoader({ kind: "namesKnown", size });
    });
  }

  #take(message: Extract<FromLoader, { kind: "loaded" }>): void {
    this.#snapshot = message.snapshot;
    this.#settings = message.settings;
    this.#startedWith ??= message.settings;
    this.#observer.loaded(message);
    const waiting = restartNeeded(this.#startedWith, message.settings);
    if (waiting.length > 0) {
      this.#log.warn(`changed, but used only after a restart: ${waiting.join(", ")}`);
    }
    this.#keepMonths(message.settings.store);
    this.#shared?.setLossRule(message.settings.quotas.onAuthorityLoss);
    this.#workers.forEach((worker) => worker.send({ kind: "snapshot", snapshot: message.snapshot }));
  }

  /**
   * What the store knows of this machine and the others; undefined where nothing needs it, or where limits are shared
   * but no file can be had: they still are.
   * @throws StoreError if monthly counters could not be kept
   */
  async #knownMachines({ limitsMonths }: ProcessSettings): Promise<KnownMachines | undefined> {
    try {
      return await this.#counters?.ready;
    } catch (error) {
      if (limitsMonths) {
        throw error;
      }
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn(
        `this machine has a new name each time it starts, what it had leased then comes back late: ${reason}`,
      );
      return undefined;
    }
  }

  /** Shares limits with other machines, if there is anything to share them by. */
  async #share(settings: ProcessSettings, known: KnownMachines | undefined): Promise<void> {
    const { state, gateway, quotas } = settings;
    if (state === undefined) {
      return;
    }
    const nameOf = (id: number): string => this.#names.name(id);
    const { table } = this.#quotas;
    const onMachines = (count: number): void => this.#counters?.sawMachines(count);
    const options = { state, gateway, onLoss: quotas.onAuthorityLoss, known, onMachines, table, nameOf };
    this.#shared = new SharedLimits(options, this.#log);
    this.#observer.sharing(this.#shared);
    await this.#shared.ready;
  }

  /** Budgets run out. Where machines share them, one of them says so. */
  async #tell(alerts: readonly BudgetAlert[]): Promise<void> {
    this.#alerts.passed(this.#shared === undefined ? alerts : await this.#shared.claim(alerts));
  }

  /** Opens the store when something is first limited by the month. */
  #keepMonths(store: StoreConfig | undefined): void {
    if (store === undefined || this.#counters !== undefined) {
      return;
    }
    const counters = new CounterHandle(
      threadUrl("counter-thread"),
      { buckets: this.#quotas.buckets, names: this.#names.since(0), path: store.path },
      this.#log,
      (alerts) => void this.#tell(alerts),
      () => this.#quotas.recoverStore(),
    );
    this.#counters = counters;
    counters.ready.catch((error: unknown) => {
      // the next change of the configuration tries again
      this.#counters = undefined;
      if (this.#listen !== undefined) {
        this.#log.error({ err: error }, "monthly counters are kept in memory only, and are lost with the process");
      }
    });
  }

  #createWorker(index: number, reusePort: boolean, predecessor?: WorkerHandle, restarts = 0): WorkerHandle {
    const { gateway, server } = this.#settings!;
    const worker = new WorkerHandle(
      threadUrl("worker-thread"),
      {
        index,
        gateway,
        server,
        reusePort,
        names: this.#names.since(0),
        cooldowns: this.#cooldowns,
        buckets: this.#quotas.buckets,
        tokenCorrection: this.#quotas.tokenCorrection,
        directory: this.#directory!,
        snapshot: this.#snapshot!,
      },
      predecessor,
    );
    this.#observer.collector.add(worker.usageReader);
    this.#quotas.addWorker(worker.reservations);
    const startedAt = performance.now();
    worker.onMessage = (message) => {
      switch (message.kind) {
        case "swapped":
          this.#observer.swapped(message.durationMs, message.longestSliceMs);
          return;
        case "swapFailed":
          this.#log.error(
            { worker: index, version: message.version },
            `a worker could not compile: ${message.message}`,
          );
          return;
        case "fault":
          this.#log.error({ worker: index, stack: message.stack }, message.message);
          return;
        case "delay":
          this.#observer.workerDelay(index, message.maxMs);
          return;
        default:
      }
    };
    worker.onExit = (error) => {
      if (!this.#stopping) {
        const alive = performance.now() - startedAt;
        void this.#replace(index, reusePort, worker, alive > LONGEST_RESTART_MS ? 0 : restarts + 1, error);
      }
    };
    return worker;
  }

  /** A worker died: its open requests become entries, and another takes its place. */
  async #replace(
    index: number,
    reusePort: boolean,
    dead: WorkerHandle,
    restarts: number,
    error: Error | undefined,
  ): Promise<void> {
    await this.#quotas.recover(index, dead);
    const lost = this.#observer.collector.retire(dead.usageReader);
    this.#observer.workerLost(lost);
    const delayMs = Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** restarts);
    const what =
      restarts > DEATHS_TO_NAME
        ? `a worker died soon after its start, ${restarts} times in a row; the next try is in ${delayMs} ms`
        : "a worker died; another takes its place";
    this.#log.error({ worker: index, lost, err: error }, what);
    setTimeout(() => {
      if (this.#stopping) {
        return;
      }
      const worker = this.#createWorker(index, reusePort, dead, restarts);
      this.#workers[index] = worker;
      const listen = this.#listen;
      worker.ready
        .then(() => (listen === undefined ? undefined : worker.listen(listen)))
        .then(() => {
          this.#log.info({ worker: index }, "the replaced worker serves");
        })
        .catch((cause: unknown) => {
          if (!worker.alive) {
            // its end is told where another takes its place
            return;
          }
          this.#log.error({ worker: index, err: cause }, "the replaced worker cannot serve; another is tried");
          void worker.terminate();
        });
    }, delayMs);
  }
}

/** In development modules are `.ts`, in a release `.js`. */
function threadUrl(name: string): URL {
  return new URL(`./${name}${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
}
