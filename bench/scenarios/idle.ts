/** Memory of open streams that say nothing, and whether all of them get their end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench, NamedPeer } from "../bench.ts";
import { cpuRound, job } from "../measure.ts";
import { chatRequest } from "../payloads.ts";
import type { InstalledPeer } from "../peers/contract.ts";
import type { LoadStats, UpstreamMode } from "../protocol.ts";
import type { OwnScenario } from "./contract.ts";

const HOLD: UpstreamMode = { answer: "stream", bytes: 1024, pace: { kind: "hold" } };
/** A peer that opens no further stream for this long opens none any more. */
const PATIENCE_MS = 10_000;
const IDLE_MS = 5_000;
/** Files that a process needs besides two for each stream. */
const OTHER_FILES = 500;

export const idleStreams: OwnScenario = {
  name: "idle-streams",
  kind: "own",
  async run(bench) {
    const possible = Math.floor((bench.machine.maxOpenFiles - OTHER_FILES) / 2);
    const count = Math.min(bench.options.idleStreams, possible);
    if (count < bench.options.idleStreams) {
      bench.remark(
        `idle-streams: ${count} streams, as many as a limit of ${bench.machine.maxOpenFiles} open files allows`,
      );
    }
    const rounds = Math.min(3, bench.options.rounds);
    for (const peer of bench.peers) {
      const results: IdleResult[] = [];
      for (let number = 0; number < rounds; number++) {
        const result = await once(bench, peer, count);
        if (result === undefined) {
          break;
        }
        results.push(result);
      }
      if (results.length > 0) {
        bench.record(
          "idle-streams",
          peer.name,
          "RSS per stream",
          "KiB",
          results.map((result) => result.kibEach),
        );
        bench.record(
          "idle-streams",
          peer.name,
          "lost when all end",
          "streams",
          results.map((result) => result.lost),
        );
        bench.record(
          "idle-streams",
          peer.name,
          "CPU to open and end one",
          "µs",
          results.map((result) => result.cpuEachUs),
        );
      }
    }
  },
};

interface IdleResult {
  readonly kibEach: number;
  readonly lost: number;
  readonly cpuEachUs: number;
}

async function once(bench: Bench, peer: InstalledPeer, count: number): Promise<IdleResult | undefined> {
  const running = await bench.startPeer(peer);
  if (running === undefined) {
    return undefined;
  }
  const named: NamedPeer = { name: peer.name, running };
  try {
    return await holdStreams(bench, named, count);
  } finally {
    await running.group.end();
  }
}

async function holdStreams(bench: Bench, { name, running }: NamedPeer, count: number): Promise<IdleResult | undefined> {
  const target = running.target("stream");
  const request = chatRequest({ bytes: 2048, model: "first", stream: "stream" });
  const opening = job(target, request, { connections: count, shape: { kind: "once" }, answers: "events" });
  // Some streams first, so that code, heap and pools are there before the first reading.
  const warmUp = { ...opening, connections: 200 };
  await cpuRound(bench, running, { mode: HOLD, job: warmUp, cpuSeconds: 60, maxSeconds: 2, rest: "asleep" });
  running.group.resume();
  const before = running.group.rssKiB();
  const cpuBefore = running.group.cpuSeconds();
  await bench.upstream.setMode(HOLD);
  await bench.load.begin(opening);
  const opened = await allOpen(bench, count);
  if (opened.firstEvents < count) {
    bench.remark(`idle-streams: ${name} opened only ${opened.firstEvents} of ${count} streams ${opened.firstError}`);
    await bench.load.stop(1_000);
    return undefined;
  }
  await sleep(IDLE_MS);
  const open = (await bench.load.stats()).running;
  const kibEach = (running.group.rssKiB() - before) / Math.max(1, open);
  await bench.upstream.finish();
  const stats = await bench.load.stop(30_000);
  await sleep(250);
  const cpuEachUs = ((running.group.cpuSeconds() - cpuBefore) * 1e6) / count;
  return { kibEach, lost: count - stats.completed, cpuEachUs };
}

async function allOpen(bench: Bench, count: number): Promise<LoadStats> {
  let stats = await bench.load.stats();
  let opened = 0;
  let progressAt = Date.now();
  while (stats.firstEvents < count && stats.failed === 0 && Date.now() - progressAt < PATIENCE_MS) {
    await sleep(100);
    stats = await bench.load.stats();
    if (stats.firstEvents > opened) {
      opened = stats.firstEvents;
      progressAt = Date.now();
    }
  }
  return stats;
}
