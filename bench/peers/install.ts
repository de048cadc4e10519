import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { basename } from "node:path";

const MAX_OUTPUT = 20_000;
const TIMEOUT_MS = 600_000;

/** Runs a program to its end and returns what it printed. Throws with its last line if it fails or takes too long. */
export function run(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program ?? "", args, {
      cwd,
      env: { ...process.env, ...env },
      timeout: TIMEOUT_MS,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const collect = (bytes: Buffer): void => {
      output = (output + bytes.toString()).slice(-MAX_OUTPUT);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) {
        resolve(output);
      } else {
        reject(
          new Error(
            `${basename(program ?? "")} ${args[0] ?? ""}: ${output.trim().split("\n").slice(-3).join(" ").slice(-300)}`,
          ),
        );
      }
    });
  });
}

/** A port of the loopback address that nothing listens at (for programs that cannot be told to choose one). */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
