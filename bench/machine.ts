import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

/** What the figures depend on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
  /** Load average of the last minute before the run: other work makes figures doubtful. */
  readonly loadBefore: number;
  /** Most files a process may have open. */
  readonly maxOpenFiles: number;
}

export function describeMachine(): Machine {
  const limit = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
  const commit = spawnSync("git", ["describe", "--always", "--dirty"], { cwd: import.meta.dirname });
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    commit: commit.stdout?.toString().trim() || "unknown",
    loadBefore: loadavg()[0] ?? 0,
    maxOpenFiles: Number(limit?.[1] ?? 1024),
  };
}
