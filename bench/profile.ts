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

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
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
  const { cpuSeconds, maxRoundSeconds: maxSeconds } = bench.options;
  const result = await cpuRound(bench, running, {
    mode: plan.mode,
    job: planJob(plan, { running }),
    cpuSeconds: cpuSeconds * 2,
    maxSeconds,
  });
  const work = workOf(plan, result);
  await running.group.end();
  const unit = plan.traffic === "whole" ? "request" : "chunk";
  const lines = [
    `${name}: ${work} ${unit}s, ${round((result.cpuSeconds * 1e6) / work)} µs of CPU each, profiler included; ${result.load.failed} failed`,
  ];
  for (const file of readdirSync(context.folder).filter((candidate) => candidate.endsWith(".cpuprofile"))) {
    lines.push(
      "",
      ...summary(JSON.parse(readFileSync(join(context.folder, file), "utf8")) as Profile, file, work, unit),
    );
  }
  if (lines.length === 1) {
    throw new Error(`no profile was written: ${running.group.lastWords()}`);
  }
  return `${lines.join("\n")}\n`;
}

function summary(profile: Profile, file: string, work: number, unit: string): string[] {
  const names = new Map<number, string>();
  for (const { id, callFrame } of profile.nodes) {
    const place = callFrame.url === "" ? "" : ` ${shortPath(callFrame.url)}:${callFrame.lineNumber + 1}`;
    names.set(id, `${callFrame.functionName || "(anonymous)"}${place}`);
  }
  const times = new Map<string, number>();
  profile.samples.forEach((id, index) => {
    const name = names.get(id) ?? "?";
    times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  });
  times.delete("(idle)");
  times.delete("(root)");
  const busy = times.values().reduce((sum, time) => sum + time, 0);
  const rows = [...times].toSorted(([, a], [, b]) => b - a).slice(0, TOP);
  return [
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
