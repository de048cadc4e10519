/** The way of a generating request through the simulated engine. */
import { useCache } from "./cache-counts.ts";
import { StreamDelivery, deliverJson } from "./deliver.ts";
import { callAt, type SimulatedEngine } from "./engine.ts";
import type { Exchange } from "./exchange.ts";
import { faultNumber, type Fault } from "./faults.ts";
import type { ResolvedOptions } from "./options.ts";
import type { PrefixCache } from "./prefix-cache.ts";
import { composeAnswers, countUsage, promptTokens } from "./reply.ts";
import type { StatsKeeper } from "./stats.ts";
import type { Surface } from "./surface.ts";
import type { Outcome, Task } from "./task.ts";
import { VendorError } from "./vendor-error.ts";

const DEFAULT_PACE_MS = 250;
const DEFAULT_SLOW_MS = 1000;

/** What all requests of a simulator share. */
export interface Machine {
  readonly options: ResolvedOptions;
  readonly engine: SimulatedEngine;
  readonly cache: PrefixCache;
  readonly stats: StatsKeeper;
  /** Makes ids that are unique in one simulator. */
  readonly makeId: (prefix: string) => string;
}

/** Refuses what the model cannot take. @throws VendorError */
export function checkTask(task: Task, surface: Surface, machine: Machine): void {
  const { contextTokens, errorShape } = machine.options;
  const prompt = promptTokens(task);
  const answer = task.maxTokens ?? 0;
  if (prompt + (errorShape === "vllm" ? answer : 0) > contextTokens) {
    throw surface.contextOverflow({ prompt, answer, limit: contextTokens }, errorShape);
  }
  if (machine.engine.isFull) {
    throw new VendorError(503, "The engine is currently overloaded, please try again later.");
  }
}

/** Answers a task that was checked. */
export function generate(exchange: Exchange, surface: Surface, task: Task, machine: Machine): void {
  const { engine, stats } = machine;
  const answers = composeAnswers(task, machine.options.maxAnswerTokens, () => machine.makeId(surface.callPrefix));
  const cached = useCache(task, machine.cache);
  const usage = countUsage(task, answers, cached);
  const outcome: Outcome = {
    task,
    id: machine.makeId(surface.idPrefix),
    created: Math.floor(Date.now() / 1000),
    answers,
    usage,
  };
  stats.promptTokens += usage.promptTokens;
  stats.cachedTokens += usage.cachedTokens;
  const send = task.stream
    ? prepareStream(exchange, surface, outcome, machine)
    : prepareAnswer(exchange, surface, outcome, machine);
  exchange.phase = exchange.phase === "hanging" ? "hanging" : "waiting";
  let cancel: (() => void) | undefined;
  const place = engine.enter(() => {
    if (exchange.phase === "waiting") exchange.phase = "prefill";
    const firstMs = firstTokenMs(task, engine.prefillMs(promptTokens(task) - cached.read), exchange.fault);
    const run = (): void => {
      send(() => {
        place.leave();
        if (exchange.gone) stats.finishedAfterAbort += exchange.isDeaf ? 1 : 0;
      });
    };
    // Even without delay the place must exist before it can be left.
    if (firstMs > 0) cancel = callAt(performance.now() + firstMs, run);
    else queueMicrotask(run);
  });
  exchange.onGone(() => {
    cancel?.();
    place.leave();
  });
}

type Send = (onEnd: () => void) => void;

function prepareStream(exchange: Exchange, surface: Surface, outcome: Outcome, machine: Machine): Send {
  let onEnd = (): void => {};
  const delivery = new StreamDelivery(exchange, {
    frames: surface.encodeFrames(outcome),
    headers: surface.answerHeaders(exchange.requestId),
    errorEvent: surface.encodeErrorEvent(new VendorError(529, "simulated fault: overloaded"), exchange.requestId),
    tokenMs: () => tokenMs(outcome.task, machine.engine, exchange.fault),
    onToken: () => {
      machine.stats.completionTokens += 1;
    },
    onEnd: () => {
      onEnd();
    },
  });
  delivery.open();
  return (end) => {
    onEnd = end;
    delivery.start();
  };
}

function prepareAnswer(exchange: Exchange, surface: Surface, outcome: Outcome, machine: Machine): Send {
  return (onEnd) => {
    const tokens = outcome.usage.completionTokens;
    const deliver = (): void => {
      machine.stats.completionTokens += tokens;
      onEnd();
      deliverJson(exchange, 200, surface.answerHeaders(exchange.requestId), surface.encodeAnswer(outcome));
    };
    const totalMs = tokens * tokenMs(outcome.task, machine.engine, exchange.fault);
    if (totalMs === 0) deliver();
    else exchange.onGone(callAt(performance.now() + totalMs, deliver));
  };
}

function tokenMs(task: Task, engine: SimulatedEngine, fault: Fault | undefined): number {
  if (fault?.name === "pace") return faultNumber(fault, DEFAULT_PACE_MS);
  return task.directives.chunkMs ?? engine.tokenMs();
}

function firstTokenMs(task: Task, prefillMs: number, fault: Fault | undefined): number {
  const slowMs = fault?.name === "slow-token" ? faultNumber(fault, DEFAULT_SLOW_MS) : 0;
  return (task.directives.firstTokenMs ?? prefillMs) + slowMs;
}
