/** The load generator: plays the clients, as cheaply as Node can. Told what to do by commands (protocol.ts). */
import { LoadConnection } from "./load-connection.ts";
import type { ConnectionOwner, Ending } from "./load-connection.ts";
import type { LoadCommand, LoadJob, LoadStats } from "./protocol.ts";
import { percentile } from "./statistics.ts";

const MAX_SAMPLES = 200_000;
/** A peer that fails this often is not asked any more. */
const MAX_FAILURES = 2_000;
/** Connections of a `once` job that may wait for their first event at a time. */
const MAX_OPENING = 64;

class Run implements ConnectionOwner {
  readonly #job: LoadJob;
  readonly #requests: readonly Buffer[];
  readonly #connections: LoadConnection[] = [];
  readonly #free: LoadConnection[] = [];
  readonly #samples = new Float64Array(MAX_SAMPLES);
  #sampleCount = 0;
  #started = 0;
  #completed = 0;
  #failed = 0;
  #aborted = 0;
  #skipped = 0;
  #events = 0;
  #firstEvents = 0;
  #running = 0;
  #firstError = "";
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(job: LoadJob) {
    this.#job = job;
    this.#requests = job.requests.map((text) => Buffer.from(text));
    for (let index = 0; index < job.connections; index++) {
      this.#connections.push(new LoadConnection(job, this));
    }
  }

  start(): void {
    const shape = this.#job.shape;
    if (shape.kind === "closed") {
      for (const connection of this.#connections) {
        this.#next(connection);
      }
    } else if (shape.kind === "once") {
      this.#free.push(...this.#connections);
      this.#openMore();
    } else {
      this.#free.push(...this.#connections);
      this.#pace(performance.now(), 1000 / shape.perSecond);
    }
  }

  async stop(graceMs: number): Promise<LoadStats> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        const giveUp = setTimeout(resolve, graceMs);
        this.#whenIdle = () => {
          clearTimeout(giveUp);
          resolve();
        };
      });
    }
    for (const connection of this.#connections) {
      connection.close();
    }
    return this.stats();
  }

  stats(): LoadStats {
    const sorted = this.#samples.slice(0, this.#sampleCount).sort();
    return {
      started: this.#started,
      completed: this.#completed,
      failed: this.#failed,
      aborted: this.#aborted,
      skipped: this.#skipped,
      events: this.#events,
      firstEvents: this.#firstEvents,
      running: this.#running,
      latencyMs: {
        count: sorted.length,
        p50: percentile(sorted, 0.5),
        p99: percentile(sorted, 0.99),
        max: percentile(sorted, 1),
      },
      firstError: this.#firstError,
    };
  }

  events(count: number): void {
    this.#events += count;
  }

  firstEvent(sentAt: number): void {
    this.#firstEvents++;
    if (this.#job.latency === "first-event") {
      this.#sample(sentAt);
    }
    if (this.#job.shape.kind === "once") {
      this.#openMore();
    }
  }

  ended(connection: LoadConnection, ending: Ending, sentAt: number, reason: string): void {
    this.#running--;
    if (ending === "ok") {
      this.#completed++;
      if (this.#job.latency === "end") {
        this.#sample(sentAt);
      }
    } else if (ending === "aborted") {
      this.#aborted++;
    } else {
      this.#failed++;
      this.#firstError ||= reason;
    }
    if (this.#running === 0 && this.#stopped) {
      this.#whenIdle?.();
    }
    if (this.#job.shape.kind === "closed") {
      // A broken connection is made anew in the next turn, so that a refusing peer does not recurse.
      if (ending === "ok") {
        this.#next(connection);
      } else {
        setImmediate(() => this.#next(connection));
      }
    } else if (this.#job.shape.kind === "paced") {
      this.#free.push(connection);
    }
  }

  #sample(sentAt: number): void {
    if (this.#sampleCount < MAX_SAMPLES) {
      this.#samples[this.#sampleCount++] = performance.now() - sentAt;
    }
  }

  #next(connection: LoadConnection): void {
    const shape = this.#job.shape;
    if (shape.kind !== "closed" || this.#stopped || this.#failed > MAX_FAILURES || connection.busy) {
      return;
    }
    if (shape.maxRequests > 0 && this.#started >= shape.maxRequests) {
      return;
    }
    const number = this.#started;
    const aborts = shape.abortEvery > 0 && number % shape.abortEvery === 0;
    this.#send(connection, aborts ? (number % (2 * shape.abortEvery) === 0 ? "at-first-event" : "at-once") : "never");
  }

  #send(connection: LoadConnection, abort: "never" | "at-once" | "at-first-event"): void {
    const request = this.#requests[this.#started % this.#requests.length];
    if (request !== undefined) {
      this.#started++;
      this.#running++;
      connection.send(request, abort);
    }
  }

  #openMore(): void {
    while (!this.#stopped && this.#running - this.#firstEvents < MAX_OPENING && this.#failed <= MAX_FAILURES) {
      const connection = this.#free.pop();
      if (connection === undefined) {
        return;
      }
      this.#send(connection, "never");
    }
  }

  #pace(next: number, stepMs: number): void {
    let due = next;
    while (due <= performance.now()) {
      const connection = this.#free.pop();
      if (connection === undefined) {
        this.#skipped++;
      } else {
        this.#send(connection, "never");
      }
      due += stepMs;
    }
    this.#timer = setTimeout(() => this.#pace(due, stepMs), Math.max(0, due - performance.now()));
  }
}

let run: Run | undefined;

/** Does what the bench asks of the clients. Throws when there is no load to speak of. */
export async function handleLoad(command: LoadCommand): Promise<LoadStats | undefined> {
  if (command.kind === "start") {
    run = new Run(command.job);
    run.start();
    return undefined;
  }
  if (run === undefined) {
    throw new Error("no load runs");
  }
  return command.kind === "stats" ? run.stats() : run.stop(command.graceMs);
}
