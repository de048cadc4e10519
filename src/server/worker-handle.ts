/** The main thread's side of one worker: its thread, its usage table, and the messages to and from it. */
import { Worker } from "node:worker_threads";
import type { ListenConfig } from "../config/snapshot.ts";
import { createUsageBuffer, usageSlotCount } from "../ledger/usage-layout.ts";
import { UsageReader } from "../ledger/usage-reader.ts";
import type { NameDelta } from "../lib/name-table.ts";
import type { OverrideChange } from "../quotas/overrides/limit-overrides.ts";
import { createReservationMemory } from "../quotas/reservation-table.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";

/** What a worker may take beyond the drain timeout to end what is left. */
const DRAIN_GRACE_MS = 1_000;

/**
 * Node's default lets garbage grow until a collection that meets much living data (a snapshot being compiled) stops the
 * worker for 10 ms; with this it is 3 ms, and requests of 50 KB cost a third less CPU because buffers are freed sooner.
 */
const YOUNG_GENERATION_MB = 9;

export class WorkerHandle {
  readonly usage: SharedArrayBuffer;
  readonly usageReader: UsageReader;
  /** What the worker's requests hold of quotas. */
  readonly reservations: SharedArrayBuffer;
  /** Resolves when the first engine is compiled. */
  readonly ready: Promise<void>;
  onMessage: (message: FromWorker) => void = () => {};
  onExit: (error: Error | undefined) => void = () => {};
  listening = false;
  readonly #worker: Worker;
  #alive = true;
  #failure: Error | undefined;
  #waiters: ((message: FromWorker | undefined) => void)[] = [];

  /** @param predecessor a dead worker, accounted for, whose memory this one takes over */
  constructor(url: URL, start: Omit<WorkerStart, "usage" | "reservations">, predecessor: WorkerHandle | undefined) {
    this.usage = predecessor?.usage ?? createUsageBuffer();
    this.usageReader = new UsageReader(this.usage);
    this.reservations = predecessor?.reservations ?? createReservationMemory(usageSlotCount(this.usage));
    const workerStart: WorkerStart = { ...start, usage: this.usage, reservations: this.reservations };
    this.#worker = new Worker(url, {
      workerData: workerStart,
      name: `worker ${start.index}`,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.#worker.on("message", (message: FromWorker) => {
      this.onMessage(message);
      for (const waiter of [...this.#waiters]) {
        waiter(message);
      }
    });
    this.#worker.on("error", (error) => {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    });
    this.#worker.on("exit", () => {
      this.#alive = false;
      this.listening = false;
      for (const waiter of [...this.#waiters]) {
        waiter(undefined);
      }
      this.onExit(this.#failure);
    });
    this.ready = this.#answer((message) => (message.kind === "ready" ? true : undefined)).then(() => undefined);
  }

  get alive(): boolean {
    return this.#alive;
  }

  send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** @throws Error with the system's `code` if the port cannot be had */
  async listen(listen: ListenConfig): Promise<number> {
    this.send({ kind: "listen", listen });
    const answer = await this.#answer((message) =>
      message.kind === "listening" || message.kind === "listenFailed" ? message : undefined,
    );
    if (answer.kind === "listenFailed") {
      throw Object.assign(new Error(answer.message), { code: answer.code });
    }
    this.listening = true;
    return answer.port;
  }

  /** Resolves when the worker knows the names up to `size`, or is dead. */
  async shareNames(delta: NameDelta, size: number): Promise<void> {
    this.send({ kind: "names", delta });
    await this.#answer((message) => (message.kind === "names" && message.size >= size ? true : undefined)).catch(
      () => undefined,
    );
  }

  /** Resolves when these limits hold in the worker, or it is dead. */
  async override(id: number, changes: readonly OverrideChange[]): Promise<void> {
    this.send({ kind: "overrides", id, changes });
    await this.#answer((message) => (message.kind === "overrides" && message.id === id ? true : undefined)).catch(
      () => undefined,
    );
  }

  /** Lets the worker end its requests; resolves when it has, or when its time is over. */
  async drain(timeoutMs: number): Promise<void> {
    if (!this.#alive) {
      return;
    }
    this.listening = false;
    this.send({ kind: "drain", timeoutMs });
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs + DRAIN_GRACE_MS);
    const drained = this.#answer((message) => (message.kind === "drained" ? true : undefined)).catch(() => undefined);
    await Promise.race([drained, promise]);
    clearTimeout(timer);
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  /** The first message that `pick` takes. @throws Error if the worker dies before it comes, or is dead */
  #answer<Result>(pick: (message: FromWorker) => Result | undefined): Promise<Result> {
    if (!this.#alive) {
      return Promise.reject(this.#death());
    }
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const waiter = (message: FromWorker | undefined): void => {
      const result = message && pick(message);
      if (message !== undefined && result === undefined) {
        return;
      }
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
      if (result === undefined) {
        reject(this.#death());
      } else {
        resolve(result);
      }
    };
    this.#waiters.push(waiter);
    return promise;
  }

  #death(): Error {
    return this.#failure ?? new Error("the worker ended");
  }
}
