/** `npm run bench`: measures Sluice and its peers side by side and prints one table. docs/benchmarks/README.md says how to read it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Bench, round } from "./bench.ts";
import type { CorePlan } from "./bench.ts";
import { cpuChart } from "./chart.ts";
import { checkGoals } from "./goals.ts";
import { BothSides } from "./helper.ts";
import { describeMachine } from "./machine.ts";
import type { Machine } from "./machine.ts";
import { HELP, readOptions } from "./options.ts";
import type { Options, ScenarioName } from "./options.ts";
import { bifrost } from "./peers/bifrost.ts";
import type { InstalledPeer, MissingPeer, PeerKind } from "./peers/contract.ts";
import { freePort } from "./peers/install.ts";
import { litellm } from "./peers/litellm.ts";
import { nginx } from "./peers/nginx.ts";
import { portkey } from "./peers/portkey.ts";
import { sluice } from "./peers/sluice.ts";
import { killAllGroups } from "./processes.ts";
import { profileSluice } from "./profile.ts";
import { markdown } from "./report.ts";
import type { Report } from "./report.ts";
import type { Scenario, SharedScenario } from "./scenarios/contract.ts";
import { admission } from "./scenarios/admission.ts";
import { cpuScenarios } from "./scenarios/cpu.ts";
import { idleStreams } from "./scenarios/idle.ts";
import { latencyScenarios } from "./scenarios/latency.ts";
import { sharedLimits } from "./scenarios/shared-limits.ts";
import { soak } from "./scenarios/soak.ts";
import { swap } from "./scenarios/swap.ts";
import { workers } from "./scenarios/workers.ts";
import { takeTurn } from "./turn.ts";
import { messageOf } from "../src/lib/thrown.ts";

const REPOSITORY = join(import.meta.dirname, "..");
const CACHE = join(REPOSITORY, ".bench-peers");
const RESULTS = join(REPOSITORY, "docs/benchmarks");

const PEERS: readonly PeerKind[] = [nginx, sluice, portkey, litellm, bifrost];
const SCENARIOS: readonly Scenario[] = [
  ...cpuScenarios,
  ...latencyScenarios,
  idleStreams,
  swap,
  workers,
  admission,
  sharedLimits,
  soak,
];

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(`${HELP}\n`);
    return;
  }
  if (process.platform !== "linux") {
    throw new Error("the benchmark needs Linux: it pins with taskset and measures through /proc");
  }
  const { installed, missing } = await installPeers(options);
  await takeTurn((text) => void process.stderr.write(`${text}\n`));
  const machine = describeMachine();
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  process.once("exit", () => {
    killAllGroups();
    rmSync(folder, { recursive: true, force: true });
  });
  const bench = await prepare(options, machine, installed, folder);
  if (options.profile !== undefined) {
    process.stdout.write(await profileSluice(bench, options.profile));
    return;
  }
  await runScenarios(bench);
  publish(bench, missing);
}

async function installPeers(options: Options): Promise<{ installed: InstalledPeer[]; missing: MissingPeer[] }> {
  const installed: InstalledPeer[] = [];
  const missing: MissingPeer[] = [];
  mkdirSync(CACHE, { recursive: true });
  const wanted = options.profile === undefined ? options.peers : ["sluice"];
  for (const kind of PEERS.filter(({ name }) => wanted.includes(name))) {
    try {
      installed.push(await kind.install(CACHE));
    } catch (error) {
      const reason = messageOf(error);
      missing.push({ name: kind.name, reason: reason.replaceAll(/\s+/g, " ").replaceAll("|", "/") });
      process.stderr.write(`${kind.name} cannot be installed here: ${reason}\n`);
    }
  }
  return { installed, missing };
}

/** One core for what is measured, another for load and upstream; more cores than two are used as far as they help. */
function planCores(machine: Machine): CorePlan {
  if (machine.cores < 2) {
    return { gateway: "", helpers: "", twoWorkers: "" };
  }
  return machine.cores >= 4
    ? { gateway: "0", helpers: "2,3", twoWorkers: "0,1" }
    : { gateway: "0", helpers: "1", twoWorkers: "0,1" };
}

async function prepare(
  options: Options,
  machine: Machine,
  peers: readonly InstalledPeer[],
  folder: string,
): Promise<Bench> {
  const cores = planCores(machine);
  const helper = await BothSides.start(await freePort(), cores.helpers, folder);
  return new Bench({ options, machine, cores, helper, peers, folder, cacheFolder: CACHE });
}

async function runScenarios(bench: Bench): Promise<void> {
  const chosen = SCENARIOS.filter(({ name }) => bench.options.scenarios.includes(name));
  const shared = chosen.filter((scenario) => scenario.kind === "shared");
  if (shared.length > 0) {
    await runShared(bench, shared);
  }
  for (const scenario of chosen) {
    if (scenario.kind === "own") {
      await guarded(bench, scenario.name, () => scenario.run(bench));
    }
  }
}

async function runShared(bench: Bench, scenarios: readonly SharedScenario[]): Promise<void> {
  const peers = await bench.startPeers();
  for (const scenario of scenarios) {
    await guarded(bench, scenario.name, () => scenario.run(bench, peers));
  }
  for (const peer of peers) {
    await peer.running.group.end();
  }
}

/** A scenario that cannot be run must not cost the results of the others. */
async function guarded(bench: Bench, name: ScenarioName, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    bench.remark(`${name} failed: ${messageOf(error)}`);
    process.exitCode = 1;
  }
}

function publish(bench: Bench, missing: readonly MissingPeer[]): void {
  const { rounds, cpuSeconds, scenarios } = bench.options;
  const report: Report = {
    date: new Date().toISOString(),
    machine: bench.machine,
    options: { rounds, cpuSeconds, scenarios },
    peers: [...bench.peers, ...bench.otherPeers].map(({ name, version, features }) => ({ name, version, features })),
    missing: [...missing, ...bench.missingPeers],
    figures: bench.figures,
    goals: checkGoals(bench.figures),
    remarks: bench.remarks,
  };
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  process.stdout.write(bench.options.output === "json" ? json : markdown(report));
  if (bench.options.saved === "save") {
    const day = report.date.slice(0, 10);
    const name = `${day}${bench.options.part}`;
    const subtitle = `2 KB request, 1 KB answer; ${bench.machine.cpu}; ${day}; features on: see docs/benchmarks/${name}.md`;
    const chart = cpuChart(bench.figures, subtitle);
    mkdirSync(RESULTS, { recursive: true });
    writeFileSync(join(RESULTS, `${name}.md`), markdown(report));
    writeFileSync(join(RESULTS, `${name}.json`), json);
    if (chart !== undefined) {
      writeFileSync(join(RESULTS, "cpu-per-request.svg"), chart);
    }
    bench.log(`written to docs/benchmarks/${name}.md (load average now ${round(describeMachine().loadBefore)})`);
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  // Processes and files are cleared away on "exit".
  process.once(signal, () => process.exit(130));
}
try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
// Helpers keep their IPC channel open; they are ended on the way out.
process.exit();
