/** A limiter on several machines that share a Redis of their own, from the bench's side. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { sharedNowMs } from "../../src/lib/shared-clock.ts";
import type { Bench, Figure } from "../bench.ts";
import { startHelper, type Helper } from "../helper.ts";
import { BenchRedis, type InstalledRedis, type RedisCounts } from "../peers/redis.ts";
import { MACHINES, type LimitsJob, type LoopResult, type MachineCommand } from "./protocol.ts";

/** So far ahead a job is told to all machines, that all begin at the same time. */
const HEAD_START_MS = 200;

/** What a stretch of time has cost so far. */
export interface Reading extends RedisCounts {
  readonly at: number;
  /** User + system of all machines. */
  readonly machinesCpuSeconds: number;
}

export class Contestant {
  readonly name: Figure["peer"];
  readonly redis: BenchRedis;
  readonly #machines: readonly Helper<MachineCommand, LoopResult>[];

  private constructor(
    name: Figure["peer"],
    redis: BenchRedis,
    machines: readonly Helper<MachineCommand, LoopResult>[],
  ) {
    this.name = name;
    this.redis = redis;
    this.#machines = machines;
  }

  /** @param packages the folder where the limiter is installed; "" for Sluice */
  static async start(
    bench: Bench,
    name: Figure["peer"],
    installed: InstalledRedis,
    packages: string,
  ): Promise<Contestant> {
    const { folder } = bench.startContext(`limits-${name}`);
    const redis = await BenchRedis.start(installed, bench.cores.helpers, folder);
    const args = [name, String(redis.port), packages];
    const machines = await Promise.all(
      Array.from({ length: MACHINES }, () =>
        startHelper<MachineCommand, LoopResult>("limits/machine.ts", args, bench.cores.gateway, folder),
      ),
    );
    return new Contestant(name, redis, machines);
  }

  /** Begins a job on all machines. @returns when it starts, by the shared clock, once it has */
  async begin(job: Omit<LimitsJob, "startAt">): Promise<number> {
    const startAt = sharedNowMs() + HEAD_START_MS;
    await this.#ask({ kind: "start", job: { ...job, startAt } });
    await sleep(startAt - sharedNowMs());
    return startAt;
  }

  async lap(): Promise<void> {
    await this.#ask({ kind: "lap" });
  }

  /** Ends the job. @returns what each machine measured */
  stop(): Promise<LoopResult[]> {
    return this.#ask({ kind: "stop" });
  }

  async reading(): Promise<Reading> {
    const counts = await this.redis.counts();
    const machinesCpuSeconds = this.#machines.reduce((sum, { group }) => sum + group.cpuSeconds(), 0);
    return { ...counts, machinesCpuSeconds, at: sharedNowMs() };
  }

  /** How often a machine has given up waiting for Redis, and gone by its own rule. */
  get losses(): number {
    return new Set(this.#machines.map(({ group }) => group.logFile))
      .values()
      .reduce((sum, file) => sum + readFileSync(file, "utf8").split("limits are not shared").length - 1, 0);
  }

  async end(): Promise<void> {
    await Promise.all(this.#machines.map(({ group }) => group.end()));
    await this.redis.end();
  }

  #ask(command: MachineCommand): Promise<LoopResult[]> {
    return Promise.all(this.#machines.map((machine) => machine.ask(command)));
  }
}
