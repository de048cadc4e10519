/** Where Sluice spends its time: a scenario's load under V8's sampling profiler, summed up by function. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { round } from "./bench.ts";
import { cpuRound } from "./measure.ts";
import type { ScenarioName } from "./options.ts";
import { CPU_PLANS, planJob, workOf } from "./scenarios/cpu.ts";

const SAMPLING_US = 200;
const TOP = 45;
/** So much CPU time before the window that what is profiled is optimised code. */
const WARM_UP_CPU_SECONDS = 3;
/** A thread that did less is not shown. */
const MIN_BUSY_US = 20_000;

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Microseconds of the system's monotonic clock. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Runs one CPU scenario on a Sluice under `--cpu-prof`; returns the functions with the most self time. */
export async function profileSluice(bench: Bench, name: ScenarioName): Promise<string> {
  const plan = CPU_PLANS.find((candidate) => candidate.name === name);
  const sluice = bench.peers.find((peer) => peer.name === "sluice");
  if (plan === undefined || sluice === undefined) {
    throw new Error(`only these can be profiled: ${CPU_PLANS.map((candidate) => candidate.name).join(", ")}`);
  }
  const context = bench.startContext("sluice-profile");
  const nodeArguments = ["--cpu-prof", `--cpu-prof-dir=${context.folder}`, `--cpu-prof-interval=${SAMPLING_US}`];
  const running = await sluice.start({ ...context, nodeArguments });
  const { cpuSeconds, maxRoundSeconds: maxSeconds, rest } = bench.options;
  const plain = { mode: plan.mode, job: planJob(plan, { running }), cpuSeconds: WARM_UP_CPU_SECONDS, maxSeconds, rest };
  await cpuRound(bench, running, plain);
  const from = monotonicUs();
  const result = await cpuRound(bench, running, { ...plain, cpuSeconds: cpuSeconds * 2 });
  const window = { from, to: monotonicUs() };
  const work = workOf(plan, result);
  await running.group.end();
  const unit = plan.traffic === "whole" ? "request" : "chunk";
  const lines = [
    `${name}: ${work} ${unit}s, ${round((result.cpuSeconds * 1e6) / work)} µs of CPU each, profiler included; ${result.load.failed} failed`,
  ];
  for (const file of readdirSync(context.folder).filter((candidate) => candidate.endsWith(".cpuprofile"))) {
    const profile = JSON.parse(readFileSync(join(context.folder, file), "utf8")) as Profile;
    lines.push(...summary(profile, { file, window, work, unit }));
  }
  if (lines.length === 1) {
    throw new Error(`no profile was written: ${running.group.lastWords()}`);
  }
  return `${lines.join("\n")}\n`;
}

function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

interface Scope {
  readonly file: string;
  /** Samples outside (starting, warming up) are left out. */
  readonly window: { readonly from: number; readonly to: number };
  readonly work: number;
  readonly unit: string;
}

function summary(profile: Profile, { file, window, work, unit }: Scope): string[] {
  const names = new Map<number, string>();
  for (const { id, callFrame } of profile.nodes) {
    const place = callFrame.url === "" ? "" : ` ${shortPath(callFrame.url)}:${callFrame.lineNumber + 1}`;
    names.set(id, `${callFrame.functionName || "(anonymous)"}${place}`);
  }
  const times = new Map<string, number>();
  let now = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const delta = profile.timeDeltas[index] ?? 0;
    now += delta;
    if (now >= window.from && now <= window.to) {
      const name = names.get(id) ?? "?";
      times.set(name, (times.get(name) ?? 0) + delta);
    }
  }
  times.delete("(idle)");
  times.delete("(root)");
  const busy = times.values().reduce((sum, time) => sum + time, 0);
  if (busy < MIN_BUSY_US) {
    return [];
  }
  const rows = [...times].toSorted(([, a], [, b]) => b - a).slice(0, TOP);
  return [
    "",
    `${file}: ${round(busy / 1e6)} s busy, ${round(busy / work)} µs per ${unit}`,
    ...rows.map(
      ([name, time]) =>
        `${(time / work).toFixed(2).padStart(8)} µs ${((time / busy) * 100).toFixed(1).padStart(5)} %  ${name}`,
    ),
  ];
}

function shortPath(url: string): string {
  return url.replace(/^file:\/\/.*\/(?=(?:src|node_modules)\/)/, "");
}
