import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "./bench.ts";
import type { RunningPeer, Target } from "./peers/contract.ts";
import type { LoadJob, LoadStats, Rest, UpstreamMode } from "./protocol.ts";

const POLL_MS = 100;
/** Time for what a gateway still does after the last answer (batches, logs): it belongs to the round. */
const SETTLE_MS = 250;

/** The bytes of a POST. */
export function httpRequest(target: Target, body: string): string {
  const headers = {
    host: `127.0.0.1:${target.port}`,
    accept: "application/json",
    "content-type": "application/json",
    "user-agent": "bench/1",
    ...target.headers,
    "content-length": String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${target.path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

/** A job with the usual settings. */
export function job(target: Target, body: string, special: Partial<LoadJob>): LoadJob {
  return {
    host: "127.0.0.1",
    port: target.port,
    requests: [httpRequest(target, body)],
    connections: 64,
    shape: { kind: "closed", maxRequests: 0, abortEvery: 0 },
    answers: "whole",
    latency: "end",
    ...special,
  };
}

export interface RoundPlan {
  readonly mode: UpstreamMode;
  readonly job: LoadJob;
  readonly cpuSeconds: number;
  readonly maxSeconds: number;
  /** Awake only where load and upstream have a core of their own. */
  readonly rest: Rest;
}

export interface RoundResult {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly load: LoadStats;
  /** Events that the upstream wrote during the round. */
  readonly eventsWritten: number;
  /** Share of one core that the measured process used. */
  readonly busy: number;
}

/**
 * Puts load on a peer until it has used its CPU time, then lets everything end before the second reading,
 * so that work and CPU time are of exactly the same requests.
 */
export async function cpuRound(bench: Bench, peer: RunningPeer, plan: RoundPlan): Promise<RoundResult> {
  peer.group.resume();
  const before = await bench.upstream.setMode(plan.mode);
  await bench.helper.rest(plan.rest);
  await sleep(POLL_MS);
  const cpuBefore = peer.group.cpuSeconds();
  const startedAt = performance.now();
  await bench.load.begin(plan.job);
  let wallSeconds = 0;
  do {
    await sleep(POLL_MS);
    wallSeconds = (performance.now() - startedAt) / 1000;
  } while (peer.group.cpuSeconds() - cpuBefore < plan.cpuSeconds && wallSeconds < plan.maxSeconds);
  const stopping = bench.load.stop();
  const finished = plan.mode.answer === "stream" ? await bench.upstream.finish() : before;
  const load = await stopping;
  wallSeconds = (performance.now() - startedAt) / 1000;
  await bench.helper.rest("asleep");
  await sleep(SETTLE_MS);
  const cpuSeconds = peer.group.cpuSeconds() - cpuBefore;
  peer.group.pause();
  return {
    cpuSeconds,
    wallSeconds,
    load,
    eventsWritten: finished.events - before.events,
    busy: cpuSeconds / wallSeconds,
  };
}

/** One request through a peer, before it is measured. Throws with what was wrong. */
export async function checkAnswer(
  bench: Bench,
  peer: RunningPeer,
  mode: UpstreamMode,
  checked: LoadJob,
): Promise<void> {
  peer.group.resume();
  await bench.upstream.setMode(mode);
  await bench.load.begin({ ...checked, connections: 1, shape: { kind: "once" } });
  const giveUpAt = Date.now() + 20_000;
  let stats = await bench.load.stats();
  while (stats.running > 0 && stats.firstEvents === 0 && Date.now() < giveUpAt) {
    await sleep(20);
    stats = await bench.load.stats();
  }
  if (mode.answer === "stream") {
    await bench.upstream.finish();
  }
  stats = await bench.load.stop(5_000);
  peer.group.pause();
  if (stats.completed !== 1) {
    throw new Error(`it did not answer as it should: ${stats.firstError}`);
  }
  if (checked.answers === "events" && stats.events < 2) {
    throw new Error("it did not pass the stream's events on");
  }
}
