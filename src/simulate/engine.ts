/** The simulated hardware: so many requests at once, the others wait; how long prefill and each token take. */
import { performance } from "node:perf_hooks";

export interface EngineSpeed {
  /** Prompt tokens computed a second; infinite for no time at all. */
  readonly prefillTokensPerSecond: number;
  /** Milliseconds an output token takes when the request is alone. */
  readonly decodeMs: number;
  /** Milliseconds that each other running request adds to an output token. */
  readonly decodeLoadMs: number;
  /** Requests that run at once. */
  readonly concurrency: number;
  /** Requests that wait at most; one more is refused. */
  readonly queueLimit: number;
}

/** A request's place in the engine. */
export interface EnginePlace {
  /** Gives the place back; may be called twice. */
  leave(): void;
}

export class SimulatedEngine {
  readonly #speed: EngineSpeed;
  #running = 0;
  readonly #queue = new Set<() => void>();

  constructor(speed: EngineSpeed) {
    this.#speed = speed;
  }

  /** One more request would be refused. */
  get isFull(): boolean {
    return this.#running >= this.#speed.concurrency && this.#queue.size >= this.#speed.queueLimit;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Takes a place, or waits for one: ask `isFull` before.
   * @param onReady called once the request runs, at once if there is room
   */
  enter(onReady: () => void): EnginePlace {
    let state: "waiting" | "running" | "gone" = "waiting";
    const start = (): void => {
      state = "running";
      this.#running += 1;
      onReady();
    };
    const leave = (): void => {
      if (state === "waiting") this.#queue.delete(start);
      if (state === "running") {
        this.#running -= 1;
        this.#startNext();
      }
      state = "gone";
    };
    if (this.#running < this.#speed.concurrency) {
      start();
    } else {
      this.#queue.add(start);
    }
    return { leave };
  }

  prefillMs(tokens: number): number {
    return (tokens / this.#speed.prefillTokensPerSecond) * 1000;
  }

  /** Milliseconds of one output token at the present load. */
  tokenMs(): number {
    return this.#speed.decodeMs + this.#speed.decodeLoadMs * Math.max(this.#running - 1, 0);
  }

  #startNext(): void {
    for (const next of this.#queue) {
      this.#queue.delete(next);
      next();
      return;
    }
  }
}

/**
 * Calls back at a time of `performance.now()`, at once if it has passed; late is possible, early is not.
 * Returns what cancels it.
 */
export function callAt(atMs: number, run: () => void): () => void {
  let timer: NodeJS.Timeout;
  const check = (): void => {
    if (performance.now() >= atMs) run();
    else timer = setTimeout(check, Math.max(1, Math.ceil(atMs - performance.now())));
  };
  timer = setTimeout(check, Math.max(0, Math.ceil(atMs - performance.now())));
  return () => {
    clearTimeout(timer);
  };
}
