/** Processes of the bench: started in groups of their own, pinned to cores, measured through /proc, and always ended. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Core lists as taskset takes them; "" leaves the choice to the system. */
export type Cores = string;

export interface SpawnOptions {
  readonly command: readonly string[];
  readonly cores: Cores;
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where stdout and stderr go. */
  readonly logFile: string;
  readonly ipc?: "ipc";
}

const TICKS_PER_SECOND = Number(spawnSync("getconf", ["CLK_TCK"]).stdout.toString()) || 100;
const groups = new Set<ProcessGroup>();

/** A process and all its descendants: they share a session, which is how they are found. */
export class ProcessGroup {
  readonly child: ChildProcess;
  readonly logFile: string;

  constructor(child: ChildProcess, logFile: string) {
    this.child = child;
    this.logFile = logFile;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** User + system seconds of the whole tree so far, ended threads and children included. */
  cpuSeconds(): number {
    let ticks = 0;
    for (const fields of this.#stats()) {
      ticks += Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
    }
    return ticks / TICKS_PER_SECOND;
  }

  /** CPU seconds of each thread alive, by thread id. */
  threadCpuSeconds(): Map<number, number> {
    const found = new Map<number, number>();
    for (const name of list(`/proc/${this.pid}/task`)) {
      // Its first number: nanoseconds spent running, finer than the ticks of `stat`.
      const [running] = read(`/proc/${this.pid}/task/${name}/schedstat`).split(" ");
      found.set(Number(name), Number(running) / 1e9);
    }
    return found;
  }

  /** Resident KiB of the whole tree. */
  rssKiB(): number {
    let total = 0;
    for (const fields of this.#stats()) {
      const rollup = read(`/proc/${fields.pid}/smaps_rollup`);
      total += Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
    }
    return total;
  }

  /** Stops the whole group's running, so that a peer at rest takes nothing from the one measured. */
  pause(): void {
    signalGroup(this.pid, "SIGSTOP");
  }

  resume(): void {
    signalGroup(this.pid, "SIGCONT");
  }

  /** Asks the group to end, and ends it. */
  async end(): Promise<void> {
    if (this.running) {
      const exited = new Promise<void>((resolve) => this.child.once("exit", () => resolve()));
      signalGroup(this.pid, "SIGCONT");
      signalGroup(this.pid, "SIGTERM");
      await Promise.race([exited, sleep(3_000, undefined, { ref: false })]);
    }
    this.kill();
  }

  kill(): void {
    groups.delete(this);
    signalGroup(this.pid, "SIGKILL");
  }

  /** The last lines it printed: why it did not start. */
  lastWords(): string {
    return read(this.logFile).trim().split("\n").slice(-6).join(" | ").slice(-600);
  }

  #stats(): (string[] & { pid: number })[] {
    const found = [];
    for (const name of list("/proc")) {
      if (/^\d+$/.test(name)) {
        const fields = statFields(`/proc/${name}/stat`);
        if (fields !== undefined && Number(fields[3]) === this.pid) {
          found.push(Object.assign(fields, { pid: Number(name) }));
        }
      }
    }
    return found;
  }
}

/** Starts a program in a session of its own. */
export function spawnGroup(options: SpawnOptions): ProcessGroup {
  const pinned = options.cores === "" ? options.command : ["taskset", "-c", options.cores, ...options.command];
  const [program, ...args] = pinned;
  if (program === undefined) {
    throw new Error("nothing to start");
  }
  const log = openSync(options.logFile, "a");
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    detached: true,
    stdio: options.ipc === "ipc" ? ["ignore", log, log, "ipc"] : ["ignore", log, log],
  });
  closeSync(log);
  child.on("error", () => {});
  const group = new ProcessGroup(child, options.logFile);
  groups.add(group);
  return group;
}

/** Ends every group that is left; to be called however the bench ends. */
export function killAllGroups(): void {
  for (const group of groups) {
    group.kill();
  }
}

/** Waits until something accepts connections at the port. Throws with the group's last words if it ends, or at the deadline. */
export async function waitForPort(group: ProcessGroup, port: number, deadlineMs: number): Promise<void> {
  const giveUpAt = Date.now() + deadlineMs;
  while (Date.now() < giveUpAt) {
    if (!group.running) {
      throw new Error(`ended while starting: ${group.lastWords()}`);
    }
    if (await accepts(port)) {
      return;
    }
    await sleep(100);
  }
  throw new Error(`not listening after ${deadlineMs / 1000} s: ${group.lastWords()}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 1_000 });
    const answer = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
    socket.once("timeout", () => answer(false));
  });
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  if (pid > 0) {
    try {
      process.kill(-pid, signal);
    } catch {
      // It has ended.
    }
  }
}

/** The fields of a stat file after the program's name: [0] is the state, [3] the session, [11…14] the CPU times. */
function statFields(path: string): string[] | undefined {
  const text = read(path);
  return text === "" ? undefined : text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
