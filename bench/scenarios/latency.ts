/** What a gateway adds to the time of an answer, at a low fixed load, against the same requests sent straight to the upstream. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench, NamedPeer } from "../bench.ts";
import { job } from "../measure.ts";
import type { ScenarioName } from "../options.ts";
import { chatRequest } from "../payloads.ts";
import type { PeerName, Target, Traffic } from "../peers/contract.ts";
import type { LoadJob, LoadStats, UpstreamMode } from "../protocol.ts";
import type { SharedScenario } from "./contract.ts";

const PER_SECOND = 200;
const WARM_UP_SECONDS = 5;

interface Way {
  readonly name: PeerName | "direct";
  readonly target: Target;
  readonly peer?: NamedPeer;
}

interface LatencyPlan {
  readonly name: ScenarioName;
  readonly traffic: Traffic;
  readonly mode: UpstreamMode;
  readonly load: Partial<LoadJob>;
}

const PLANS: readonly LatencyPlan[] = [
  { name: "latency", traffic: "whole", mode: { answer: "whole", bytes: 1024 }, load: {} },
  {
    name: "first-token",
    traffic: "stream",
    mode: { answer: "stream", bytes: 1024, pace: { kind: "rate", perSecond: 100, events: 5 } },
    load: { answers: "events", latency: "first-event" },
  },
];

export const latencyScenarios: readonly SharedScenario[] = PLANS.map((plan) => ({
  name: plan.name,
  kind: "shared",
  run: (bench, peers) => runPlan(bench, plan, peers),
}));

async function runPlan(bench: Bench, plan: LatencyPlan, peers: readonly NamedPeer[]): Promise<void> {
  const straight: Target = {
    port: bench.upstream.port,
    path: "/v1/chat/completions",
    headers: { authorization: "Bearer sk-bench" },
  };
  const ways: Way[] = [
    { name: "direct", target: straight },
    ...peers.map((peer) => ({ name: peer.name, target: peer.running.target(plan.traffic), peer })),
  ];
  const results = new Map<Way, LoadStats[]>(ways.map((way) => [way, []]));
  for (const way of ways) {
    await measured(bench, plan, way, WARM_UP_SECONDS);
  }
  for (let number = 0; number < bench.options.rounds; number++) {
    for (const [way, rounds] of results) {
      rounds.push(await measured(bench, plan, way, bench.options.latencySeconds));
    }
  }
  const direct = results.get(ways[0] ?? { name: "direct", target: straight }) ?? [];
  for (const [way, rounds] of results) {
    report(bench, plan, way, rounds, direct);
  }
}

async function measured(bench: Bench, plan: LatencyPlan, way: Way, seconds: number): Promise<LoadStats> {
  way.peer?.running.group.resume();
  await bench.upstream.setMode(plan.mode);
  await sleep(100);
  const request = chatRequest({ bytes: 2048, model: "first", stream: plan.traffic });
  await bench.load.begin(
    job(way.target, request, { ...plan.load, connections: 128, shape: { kind: "paced", perSecond: PER_SECOND } }),
  );
  await sleep(seconds * 1000);
  const stats = await bench.load.stop(5_000);
  way.peer?.running.group.pause();
  return stats;
}

function report(
  bench: Bench,
  plan: LatencyPlan,
  way: Way,
  rounds: readonly LoadStats[],
  direct: readonly LoadStats[],
): void {
  for (const share of ["p50", "p99"] as const) {
    const own = rounds.map((stats) => stats.latencyMs[share]);
    if (way.name === "direct") {
      bench.record(plan.name, way.name, share, "ms", own);
    } else {
      const added = own.map((value, index) => value - (direct[index]?.latencyMs[share] ?? Number.NaN));
      bench.record(plan.name, way.name, `added ${share}`, "ms", added);
    }
  }
  const failed = rounds.reduce((sum, stats) => sum + stats.failed, 0);
  const skipped = rounds.reduce((sum, stats) => sum + stats.skipped, 0);
  if (failed + skipped > 0) {
    const why = rounds.find((stats) => stats.firstError !== "")?.firstError ?? "";
    bench.remark(
      `${plan.name}: ${way.name} could not keep up with ${PER_SECOND} requests/s: ${failed} failed, ${skipped} not sent ${why}`,
    );
  }
}
