/** Many requests with clients that leave: memory must stay flat and nothing may stay open. Sluice only. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "../bench.ts";
import { httpRequest, job } from "../measure.ts";
import { chatRequest } from "../payloads.ts";
import type { RunningPeer } from "../peers/contract.ts";
import { median } from "../statistics.ts";
import type { OwnScenario } from "./contract.ts";

const ABORT_EVERY = 10;
const SAMPLE_MS = 1_000;
const CONNECTIONS = 256;
/** A stream lasts 200 ms: long enough for a client's leaving to be seen before its end. */
const STREAM_EVENTS = 10;
const EVENTS_PER_SECOND = 50;

export const soak: OwnScenario = {
  name: "soak",
  kind: "own",
  async run(bench) {
    const sluice = bench.peers.find((peer) => peer.name === "sluice");
    if (sluice === undefined) {
      return;
    }
    const running = await sluice.start(bench.startContext("sluice-soak"));
    try {
      await measure(bench, running);
    } finally {
      await running.group.end();
    }
  },
};

async function measure(bench: Bench, running: RunningPeer): Promise<void> {
  const total = bench.options.soakRequests;
  const target = running.target("stream");
  const before = await bench.upstream.setMode({
    answer: "stream",
    bytes: 1024,
    pace: { kind: "rate", perSecond: EVENTS_PER_SECOND, events: STREAM_EVENTS },
  });
  // Every 10th is a stream and every 10th is aborted, half of them streams after their first event, half whole requests at once.
  const requests = Array.from({ length: 2 * ABORT_EVERY }, (_, index) => {
    const stream = index % (2 * ABORT_EVERY) === 0 || index % (2 * ABORT_EVERY) === 7 ? "stream" : "whole";
    return httpRequest(target, chatRequest({ bytes: 2048, model: "first", stream }));
  });
  const shape = { kind: "closed", maxRequests: total, abortEvery: ABORT_EVERY } as const;
  await bench.load.begin(
    job(target, "", { requests, connections: CONNECTIONS, shape, answers: "events", latency: "first-event" }),
  );
  const samples: number[] = [];
  let stats = await bench.load.stats();
  do {
    await sleep(SAMPLE_MS);
    stats = await bench.load.stats();
    samples.push(running.group.rssKiB() / 1024);
  } while ((stats.started < total || stats.running > 0) && stats.failed < 1_000 && running.group.running);
  stats = await bench.load.stop();
  await sleep(2_000);
  const left = await bench.upstream.stats();

  const record = (metric: string, unit: string, value: number): void =>
    bench.record("soak", "sluice", metric, unit, [value]);
  const fifth = Math.max(1, Math.floor(samples.length / 5));
  record("requests", "requests", stats.started);
  record("aborted by clients", "requests", stats.aborted);
  record("failed", "requests", stats.failed);
  record("RSS in the second fifth", "MiB", median(samples.slice(fifth, 2 * fifth)));
  record("RSS in the last fifth", "MiB", median(samples.slice(-fifth)));
  record("RSS grown", "×", median(samples.slice(-fifth)) / median(samples.slice(fifth, 2 * fifth)));
  record("upstream requests left open", "requests", left.openStreams);
  record("aborts that reached the upstream", "requests", left.aborted - before.aborted);
  if (stats.firstError !== "") {
    bench.remark(`soak: ${stats.firstError}`);
  }
}
