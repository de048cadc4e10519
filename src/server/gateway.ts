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
import type { BudgetAlert } from "../quotas/budget-alerts.ts";
import type { LimitOverride } from "../quotas/overrides/override.ts";
import { requireFreePort } from "./free-port.ts";
import type { GatewayObserver } from "./gateway-observer.ts";
import { LimitsDesk } from "./limits-desk.ts";
import { LoaderDesk } from "./loader-desk.ts";
import type {
  FromLoader,
  KnownMachines,
  LoaderStart,
  LoaderThreadStart,
  ProcessSettings,
  SharedSnapshot,
} from "./messages.ts";
import type { LimitsAnswer, LimitsQuestion, OverrideWrite, ToLoader, UsageAnswer, UsageQuestion } from "./messages.ts";
import { OverrideBroadcast } from "./override-broadcast.ts";
import { PromptDesk } from "./prompt-desk.ts";
import { QuotaAlerts } from "./quota-alerts.ts";
import { QuotaMemory } from "./quota-memory.ts";
import { quotaMetrics } from "./quota-metrics.ts";
import { restartNeeded } from "./restart-needed.ts";
import { SharedLimits } from "./shared-limits.ts";
import { StoreKeeper } from "./store-keeper.ts";
import { threadUrl } from "./thread-url.ts";
import { WorkerHandle } from "./worker-handle.ts";

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
  readonly #usage = new LoaderDesk<UsageQuestion, UsageAnswer>((id, question) => {
    this.#toLoader({ kind: "usage", id, question });
  });
  readonly #limitsLoader = new LoaderDesk<LimitsQuestion, LimitsAnswer>((id, question) => {
    this.#toLoader({ kind: "limits", id, question });
  });
  readonly #prompts = new PromptDesk();
  readonly #store: StoreKeeper;
  /** Limits that are set at run time. */
  readonly limits: LimitsDesk;
  readonly #overrides: OverrideBroadcast;
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
    this.#store = new StoreKeeper({
      url: threadUrl("counter-thread"),
      buckets: this.#quotas.buckets,
      names: () => this.#names.since(0),
      log,
      onPassed: (alerts) => void this.#tell(alerts),
      onLost: () => this.#quotas.recoverStore(),
    });
    this.#overrides = new OverrideBroadcast(this.#workers, log);
    this.limits = new LimitsDesk({
      ask: (question) => this.#limitsLoader.ask(question),
      putIntoForce: (write) => this.#putIntoForce(write),
      store: (write) => this.#store.writeOverrides(this.#settings!.store, write),
      log,
    });
    observer.addMetrics(this.#alerts.source);
    observer.addMetrics(quotaMetrics(this.#quotas.table, this.#names, () => this.#store.failing));
    observer.addMetrics(() => [this.#overrides.metric(this.limits.unshared)]);
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
    await this.#share(first.settings, await this.#store.knownMachines(first.settings));
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

  /** What is used of what is limited. @throws LoaderUnavailable */
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
    this.#closeDesks("the gateway is shutting down");
    await Promise.all(this.#workers.map((worker) => worker.drain(timeoutMs)));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    this.#quotas.recoverAll(this.#workers);
    for (const worker of this.#workers) {
      this.#observer.collector.retire(worker.usageReader);
    }
    this.limits.stop();
    await this.#shared?.stop();
    this.#quotas.close();
    await this.#store.stop();
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
          this.#usage.answered(message.id, message.answer);
          return;
        case "limits":
          this.#limitsLoader.answered(message.id, message.answer);
          return;
        case "read":
          void this.#tellKnown(message.store);
          return;
        case "inForce":
          this.#overrides.send(message);
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
      this.#closeDesks("the configuration loader has failed; restart the gateway");
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
    this.#store.shareNames(message.delta);
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
    this.#openStore(message.settings);
    this.#shared?.setLossRule(message.settings.quotas.onAuthorityLoss);
    this.#workers.forEach((worker) => worker.send({ kind: "snapshot", snapshot: message.snapshot }));
  }

  /** Shares limits with other machines, if there is anything to share them by. */
  async #share(settings: ProcessSettings, known: KnownMachines | undefined): Promise<void> {
    const { state, gateway, quotas } = settings;
    if (state === undefined) {
      return;
    }
    const nameOf = (id: number): string => this.#names.name(id);
    const { table } = this.#quotas;
    const onMachines = (count: number): void => this.#store.sawMachines(count);
    const options = { state, gateway, onLoss: quotas.onAuthorityLoss, known, onMachines, table, nameOf };
    this.#shared = new SharedLimits(options, this.#log);
    this.#observer.sharing(this.#shared);
    await this.#shared.ready;
    await this.limits.share({ gateway, call: this.#shared.call });
  }

  /** Budgets run out. Where machines share them, one of them says so. */
  async #tell(alerts: readonly BudgetAlert[]): Promise<void> {
    this.#alerts.passed(this.#shared === undefined ? alerts : await this.#shared.claim(alerts));
  }

  /** Opens the store when something needs it; the next change of the configuration tries again. */
  #openStore({ store, needsStore }: ProcessSettings): void {
    if (needsStore) {
      this.#store.open(store).ready.catch((error: unknown) => {
        if (this.#listen !== undefined) {
          this.#log.error({ err: error }, "monthly counters are kept in memory only, and are lost with the process");
        }
      });
    }
  }

  /** Tells the loader of limits that were set at run time, before it publishes anything. */
  async #tellKnown(store: StoreConfig): Promise<void> {
    let overrides: readonly LimitOverride[] = [];
    try {
      overrides = await this.#store.known(store);
    } catch (error) {
      this.#log.error({ err: error }, "limits that were set at run time, if there are any, do not hold");
    }
    this.limits.load(overrides);
    this.#toLoader({ kind: "known", overrides });
  }

  async #putIntoForce(write: OverrideWrite): Promise<void> {
    const answer = await this.#limitsLoader.ask({ ask: "take", ...write });
    if (answer.outcome === "failed") {
      throw new Error(answer.message);
    }
    await this.#overrides.taken();
  }

  #closeDesks(reason: string): void {
    this.#usage.close(reason);
    this.#limitsLoader.close(reason);
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
        overrides: this.#overrides.all,
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
