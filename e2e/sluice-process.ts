/** `sluice` as a process with any arguments: for how it starts, what it says, and how it ends. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cleanEnvironment } from "../src/cli/command-helper.test.ts";
import { assertNoSecrets, MAIN, until, type Ending } from "./harness.ts";

export interface ProcessOptions {
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** File descriptors for standard output and standard error instead of pipes. */
  readonly stdout?: number;
  readonly stderr?: number;
}

/** A process of the `sluice` command. */
export class SluiceProcess {
  readonly child: ChildProcess;
  /** Resolves to the exit code, or the name of the signal that ended it. */
  readonly exit: Promise<number | string>;
  exited = false;
  stdout = "";
  stderr = "";

  constructor(t: Ending, parameters: readonly string[], options: ProcessOptions) {
    const { cwd, environment, stdout = "pipe", stderr = "pipe" } = options;
    this.child = spawn(process.execPath, [MAIN, ...parameters], {
      cwd,
      env: cleanEnvironment({ SLUICE_LOG_LEVEL: "debug", ...environment }),
      stdio: ["ignore", stdout, stderr],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.exit = new Promise((resolve) => {
      this.child.once("close", (code, signal) => {
        this.exited = true;
        resolve(code ?? signal ?? "");
      });
    });
    t.after(async () => {
      this.child.kill("SIGKILL");
      await this.exit;
      assertNoSecrets("standard error", this.stderr);
      assertNoSecrets("standard output", this.stdout);
    });
  }

  /** Where it listens, once it says so. @throws Error with what it said instead, if it ends */
  async announced(): Promise<{ readonly url: string; readonly adminUrl: string; readonly port: number }> {
    const announcement = await until(
      "the announcement",
      () => {
        if (this.exited) throw new Error(`it ended and said: ${this.stderr}`);
        return /listens on (https?:\/\/\S+) \(admin: (http:\/\/[^\s)]+)\)/.exec(this.stderr) ?? undefined;
      },
      20_000,
    );
    const [, url = "", adminUrl = ""] = announcement;
    return { url, adminUrl, port: Number(new URL(url).port) };
  }

  /** The exit code, or the signal that ended it. @throws AssertionError if it runs on */
  async ended(withinMs: number): Promise<number | string> {
    const code = await Promise.race([this.exit, sleep(withinMs, undefined, { ref: false })]);
    assert.ok(code !== undefined, `it still runs after ${withinMs} ms; it said: ${this.stderr}`);
    return code;
  }
}

/** Runs a command of `sluice` that ends by itself. */
export async function ended(
  t: Ending,
  parameters: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | string; readonly stdout: string; readonly stderr: string }> {
  const command = new SluiceProcess(t, parameters, { cwd: tmpdir(), environment });
  const code = await command.exit;
  return { code, stdout: command.stdout, stderr: command.stderr };
}

/** An empty directory until the test ends. */
export async function temporaryDirectory(t: Ending): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-process-"));
  t.after(async () => {
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Arguments of `serve` that bind to free ports of loopback. */
export const FREE_PORTS = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"] as const;
