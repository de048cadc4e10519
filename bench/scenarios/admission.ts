/** What quotas cost a request: admission in six limits and settling, in a process that does nothing else. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { OwnScenario } from "./contract.ts";

const LOOP = join(import.meta.dirname, "..", "admission-loop.ts");

export const admission: OwnScenario = {
  name: "admission",
  kind: "own",
  async run(bench) {
    const { rounds, cpuSeconds } = bench.options;
    const command = [process.execPath, LOOP, String(rounds), String(cpuSeconds)];
    const pinned = bench.cores.gateway === "" ? command : ["taskset", "-c", bench.cores.gateway, ...command];
    const { stdout } = await promisify(execFile)(pinned[0]!, pinned.slice(1));
    bench.record("admission", "sluice", "CPU per request, six limits", "µs", JSON.parse(stdout) as number[]);
  },
};
