import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { ProcessMetrics } from "./process-metrics.ts";

test("a blocked main thread shows in the event loop's delay, and only until the next scrape", async (context) => {
  const metrics = new ProcessMetrics("1.2.3");
  context.after(() => metrics.stop());
  const value = (name: string, quantile?: string): number => {
    const family = metrics.source().find((candidate) => candidate.name === name);
    const sample = family?.samples.find(({ labels }) => labels?.["quantile"] === quantile);
    return sample?.value ?? Number.NaN;
  };
  await setTimeout(60);
  value("sluice_main_event_loop_delay_seconds", "1");
  const until = performance.now() + 150;
  while (performance.now() < until);
  await setTimeout(60);
  const blocked = value("sluice_main_event_loop_delay_seconds", "1");
  assert.ok(blocked > 0.1 && blocked < 5, `${blocked} s`);
  await setTimeout(60);
  assert.ok(value("sluice_main_event_loop_delay_seconds", "1") < blocked / 2);
  assert.ok(value("sluice_process_resident_memory_bytes") > 1e7);
  assert.ok(value("sluice_process_cpu_seconds_total") > 0);
  assert.ok(Math.abs(value("sluice_process_start_time_seconds") - (Date.now() / 1000 - process.uptime())) < 5);
  assert.deepEqual(metrics.source()[0]?.samples[0]?.labels, { version: "1.2.3", node: process.version });
});
