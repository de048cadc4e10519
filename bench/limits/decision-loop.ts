/** Asks a limiter for decisions, as a gateway's requests would, and measures them. The same for every contender. */
import { setTimeout as sleep } from "node:timers/promises";
import { sharedNowMs } from "../../src/lib/shared-clock.ts";
import { LatencyHistogram } from "../latency-histogram.ts";
import type { LimitsJob, LoopResult, MachineCommand, SharedLimit } from "./protocol.ts";

/** Requests of a process that can be undecided or running at a time. */
export const MAX_RUNNING = 4_096;
/** Of each request: reserved before it runs, and used when it ends. */
export const RESERVED_TOKENS = 1_200;
export const USED_TOKENS = 700;
const STOP_PATIENCE_MS = 5_000;

/** Decides on requests. */
export interface Limiter {
  /** @param slot the request's number, below `MAX_RUNNING` @param then called once, at once or later */
  decide(slot: number, then: (verdict: "admitted" | "refused" | Error) => void): void;
  /** An admitted request has ended. */
  end(slot: number): void;
}

/** Serves commands with loops, one after the other. @param limiterOf makes a limiter for a limit */
export function loopServer(limiterOf: (limit: SharedLimit) => Limiter): (command: MachineCommand) => Promise<unknown> {
  let loop: DecisionLoop | undefined;
  return async (command) => {
    if (command.kind === "start") {
      loop = new DecisionLoop(limiterOf(command.job.limit), command.job);
      loop.start();
    } else if (command.kind === "lap") {
      loop?.lap();
    } else {
      return loop?.stop();
    }
  };
}

/** A lap that is measured. */
interface OpenLap {
  decisions: number;
  admitted: number;
  failed: number;
  readonly all: LatencyHistogram;
  readonly admittedOnly: LatencyHistogram;
}

class DecisionLoop {
  readonly #limiter: Limiter;
  readonly #job: LimitsJob;
  readonly #laps: OpenLap[] = [];
  readonly #admittedAt: number[] = [];
  readonly #free = Array.from({ length: MAX_RUNNING }, (_, slot) => slot);
  #lap: OpenLap;
  #undecided = 0;
  #skipped = 0;
  #firstError = "";
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(limiter: Limiter, job: LimitsJob) {
    this.#limiter = limiter;
    this.#job = job;
    this.#lap = this.lap();
  }

  /** Begins a lap. */
  lap(): OpenLap {
    this.#lap = {
      ...{ decisions: 0, admitted: 0, failed: 0 },
      ...{ all: new LatencyHistogram(), admittedOnly: new LatencyHistogram() },
    };
    this.#laps.push(this.#lap);
    return this.#lap;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#begin();
    }, this.#job.startAt - sharedNowMs());
  }

  async stop(): Promise<LoopResult> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const giveUpAt = sharedNowMs() + STOP_PATIENCE_MS;
    while (this.#undecided > 0 && sharedNowMs() < giveUpAt) {
      await sleep(5);
    }
    const laps = this.#laps.map(({ decisions, admitted, failed, all, admittedOnly }) => ({
      ...{ decisions, admitted, failed },
      ...{ latency: [...all.counts], admittedLatency: [...admittedOnly.counts] },
    }));
    return { laps, admittedAt: this.#admittedAt, skipped: this.#skipped, firstError: this.#firstError };
  }

  #begin(): void {
    const { arrivals } = this.#job;
    if (arrivals.kind === "closed") {
      for (let index = 0; index < arrivals.inFlight; index++) {
        this.#ask(index);
      }
      return;
    }
    this.#arrive();
    this.#pace(this.#job.startAt + arrivals.pauseMs, 1_000 / arrivals.perSecond);
  }

  #pace(next: number, stepMs: number): void {
    let due = next;
    for (const now = sharedNowMs(); due <= now; due += stepMs) {
      this.#arrive();
    }
    this.#timer = setTimeout(
      () => {
        this.#pace(due, stepMs);
      },
      Math.max(0, due - sharedNowMs()),
    );
  }

  #arrive(): void {
    const slot = this.#free.pop();
    if (slot === undefined) {
      this.#skipped += 1;
    } else {
      this.#ask(slot);
    }
  }

  #ask(slot: number): void {
    const lap = this.#lap;
    const askedAt = performance.now();
    this.#undecided += 1;
    this.#limiter.decide(slot, (verdict) => {
      const tookMs = performance.now() - askedAt;
      lap.all.add(tookMs);
      lap.decisions += 1;
      this.#undecided -= 1;
      if (verdict === "admitted") {
        lap.admitted += 1;
        lap.admittedOnly.add(tookMs);
        if (this.#job.arrivals.kind === "paced") {
          this.#admittedAt.push(sharedNowMs());
        }
      } else if (verdict !== "refused") {
        lap.failed += 1;
        this.#firstError ||= verdict.message;
      }
      setImmediate(() => {
        this.#ended(slot, verdict);
      });
    });
  }

  #ended(slot: number, verdict: "admitted" | "refused" | Error): void {
    if (verdict === "admitted") {
      this.#limiter.end(slot);
    }
    if (this.#job.arrivals.kind === "paced") {
      this.#free.push(slot);
    } else if (!this.#isStopped) {
      this.#ask(slot);
    }
  }
}
