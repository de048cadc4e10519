/** `sluice` as a command that ends, for the tests of what it prints. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment of a process under test: nothing of the caller's but where programs and compiled code are. */
export function cleanEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return { PATH, ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }), ...more };
}

/** Runs `sluice` in the project's root until it ends. */
export function sluice(parameters: readonly string[], environment: Readonly<Record<string, string>> = {}): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["src/main.ts", ...parameters], {
    cwd: root,
    env: cleanEnvironment(environment),
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}
