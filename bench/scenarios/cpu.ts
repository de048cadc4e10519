/** CPU time per request and per event of a stream: the primary figures. */
import type { Bench, NamedPeer } from "../bench.ts";
import { checkAnswer, cpuRound, job } from "../measure.ts";
import type { RoundResult } from "../measure.ts";
import type { ScenarioName } from "../options.ts";
import { chatRequest } from "../payloads.ts";
import type { RequestShape } from "../payloads.ts";
import type { Traffic } from "../peers/contract.ts";
import type { LoadJob, UpstreamMode } from "../protocol.ts";
import type { SharedScenario } from "./contract.ts";
import { messageOf } from "../../src/lib/thrown.ts";

const STREAMS = 100;
const SATURATION_EVENTS = 500;
/** CPU time before the first round: what is measured is optimised code. */
const WARM_UP_CPU_SECONDS = 2.5;
const WARM_UP_MAX_SECONDS = 12;

/** What distinguishes one CPU scenario from another. */
export interface CpuPlan {
  readonly name: ScenarioName;
  readonly traffic: Traffic;
  readonly request: RequestShape;
  readonly mode: UpstreamMode;
  readonly load: Partial<LoadJob>;
  readonly metric: string;
  readonly rateMetric: string;
}

const WHOLE = {
  traffic: "whole",
  mode: { answer: "whole", bytes: 1024 },
  load: {},
  metric: "CPU per request",
  rateMetric: "requests/s reached",
} as const;

const STREAM = {
  traffic: "stream",
  request: { bytes: 2048, model: "first", stream: "stream" },
  load: { connections: STREAMS, shape: { kind: "once" }, answers: "events" },
  metric: "CPU per chunk",
  rateMetric: "chunks/s reached",
} as const;

export const CPU_PLANS: readonly CpuPlan[] = [
  { ...WHOLE, name: "json-2k", request: { bytes: 2048, model: "first", stream: "whole" } },
  { ...WHOLE, name: "json-50k", request: { bytes: 51_200, model: "first", stream: "whole" } },
  { ...WHOLE, name: "json-50k-tail", request: { bytes: 51_200, model: "last", stream: "whole" } },
  {
    ...STREAM,
    name: "sse-10k",
    mode: { answer: "stream", bytes: 1024, pace: { kind: "rate", perSecond: 100, events: 0 } },
  },
  {
    ...STREAM,
    name: "sse-saturation",
    // Streams that end and are asked for again, so that no peer has more before it than a bounded backlog.
    load: { connections: STREAMS, answers: "events" },
    mode: { answer: "stream", bytes: 1024, pace: { kind: "saturate", events: SATURATION_EVENTS } },
  },
];

export const cpuScenarios: readonly SharedScenario[] = CPU_PLANS.map((plan) => ({
  name: plan.name,
  kind: "shared",
  run: (bench, peers) => runPlan(bench, plan, peers),
}));

async function runPlan(bench: Bench, plan: CpuPlan, peers: readonly NamedPeer[]): Promise<void> {
  const results = new Map<NamedPeer, RoundResult[]>();
  for (const peer of peers) {
    try {
      await checkAnswer(bench, peer.running, plan.mode, planJob(plan, peer));
      await measured(bench, plan, peer, WARM_UP_CPU_SECONDS, WARM_UP_MAX_SECONDS);
      results.set(peer, []);
    } catch (error) {
      bench.remark(`${plan.name}: ${peer.name} left out: ${messageOf(error)}`);
      peer.running.group.pause();
    }
  }
  for (let number = 0; number < bench.options.rounds; number++) {
    for (const [peer, rounds] of results) {
      rounds.push(await measured(bench, plan, peer, bench.options.cpuSeconds, bench.options.maxRoundSeconds));
    }
  }
  for (const [peer, rounds] of results) {
    report(bench, plan, peer, rounds);
  }
}

function measured(
  bench: Bench,
  plan: CpuPlan,
  peer: NamedPeer,
  cpuSeconds: number,
  maxSeconds: number,
): Promise<RoundResult> {
  const { rest } = bench.options;
  return cpuRound(bench, peer.running, { mode: plan.mode, job: planJob(plan, peer), cpuSeconds, maxSeconds, rest });
}

/** The load of a plan on one peer. */
export function planJob(plan: CpuPlan, peer: Pick<NamedPeer, "running">): LoadJob {
  return job(peer.running.target(plan.traffic), chatRequest(plan.request), plan.load);
}

/** Requests or chunks that a round's CPU time was spent on. */
export function workOf(plan: CpuPlan, result: RoundResult): number {
  return plan.traffic === "whole" ? result.load.completed : result.load.events;
}

function report(bench: Bench, plan: CpuPlan, peer: NamedPeer, rounds: readonly RoundResult[]): void {
  const perUnit = rounds.map((result) => (result.cpuSeconds * 1e6) / workOf(plan, result));
  bench.record(plan.name, peer.name, plan.metric, "µs", perUnit);
  const rates = rounds.map((result) => workOf(plan, result) / result.wallSeconds);
  bench.record(plan.name, peer.name, plan.rateMetric, "/s", rates);
  bench.record(
    plan.name,
    peer.name,
    "busy",
    "% of a core",
    rounds.map((result) => result.busy * 100),
  );
  const failed = rounds.reduce((sum, result) => sum + result.load.failed, 0);
  if (failed > 0) {
    const reason = rounds.find((result) => result.load.failed > 0)?.load.firstError ?? "";
    bench.remark(`${plan.name}: ${peer.name}: ${failed} requests failed (${reason})`);
  }
  const lost = rounds.reduce((sum, result) => sum + Math.max(0, result.eventsWritten - result.load.events), 0);
  if (plan.traffic === "stream" && lost > 0) {
    bench.remark(`${plan.name}: ${peer.name}: ${lost} events were written by the upstream and did not arrive`);
  }
}
