// Machines that share buckets, simulated with everything that can happen between them and Redis. The script is the real
// one in a real Redis, but for its clock, which the test sets.
import { createClient } from "@redis/client";
import type { BucketGrant, BucketMode } from "../../src/quotas/authority/authority.ts";
import { BucketCounters } from "../../src/quotas/authority/bucket-counters.ts";
import { EXCHANGE_SCRIPT } from "../../src/quotas/authority/exchange-script.ts";
import type { RedisServer } from "./redis-server.ts";

export const leaseMs = 10_000;
export const bucket = "b";
const key = "{b}";
const clockKey = "clock";
const script = EXCHANGE_SCRIPT.replace(
  "redis.call('TIME')",
  `redis.call('HMGET', '${clockKey}', 'seconds', 'microseconds')`,
);
if (!script.includes(clockKey)) throw new Error("the script does not read its clock where the test looks for it");

/** What happens to a call: both ways, not even there, no answer, or there only after later calls. */
export type Fate = "ok" | "lost" | "unanswered" | "late";

interface Shape {
  readonly mode: BucketMode;
  readonly capacity: number;
  readonly ratePerMs: number;
}

/** Redis with a clock of the test's. */
export class World {
  readonly shape: Shape;
  readonly machines: Machine[];
  /** The machines' own clock. */
  nowMs = 1e9;
  /** How far Redis' clock is from it. */
  skewMs = 0;
  /** Used in truth, decayed. */
  used = 0;
  /** What turned out to be less. */
  corrected = 0;
  /** What was told in calls that had no answer. */
  unanswered = 0;
  #client: ReturnType<typeof connect>;
  #late: string[][] = [];
  readonly #keyPrefix: string;

  constructor(client: ReturnType<typeof connect>, shape: Shape, machineCount: number, run: number) {
    this.#client = client;
    this.shape = shape;
    this.#keyPrefix = `${shape.mode}${run}:`;
    this.machines = Array.from({ length: machineCount }, (_, index) => new Machine(this, `m${index}`));
  }

  tick(ms: number): void {
    this.nowMs += ms;
    this.used = Math.max(0, this.used - ms * this.shape.ratePerMs);
    for (const machine of this.machines) machine.lapse();
  }

  async call(machine: string, process: string, sequence: number, line: string, fate: Fate): Promise<unknown> {
    const args = [`${this.#keyPrefix}${key}`, machine, process, String(sequence), String(leaseMs), line];
    if (fate === "late") this.#late.push(args);
    if (fate === "lost" || fate === "late") return undefined;
    const answer = await this.#evaluate(args);
    return fate === "ok" ? (answer as unknown[])[0] : undefined;
  }

  /** What was delayed arrives now. */
  async deliverLate(): Promise<void> {
    const late = this.#late;
    this.#late = [];
    for (const args of late) await this.#evaluate(args);
  }

  async loseData(): Promise<void> {
    this.skewMs += 0.01; // microseconds pass, by which new data is told from old
    await this.#client.sendCommand(["DEL", `${this.#keyPrefix}${key}`]);
  }

  /** What the machines hold, and the limit they hold it under. */
  get held(): number {
    return this.machines.reduce((sum, machine) => sum + machine.lease - machine.spent, 0);
  }

  async stored(): Promise<Record<string, string>> {
    const flat = await this.#client.sendCommand<string[]>(["HGETALL", `${this.#keyPrefix}${key}`]);
    return Object.fromEntries(flat.flatMap((_, at) => (at % 2 === 0 ? [[flat[at]!, flat[at + 1]!]] : [])));
  }

  async #evaluate([redisKey, ...args]: string[]): Promise<unknown> {
    const time = this.nowMs + this.skewMs;
    const [seconds, microseconds] = [Math.floor(time / 1_000), Math.floor((time % 1_000) * 1_000)];
    await this.#client.sendCommand(["HSET", clockKey, "seconds", `${seconds}`, "microseconds", `${microseconds}`]);
    return this.#client.sendCommand(["EVAL", script, "1", redisKey!, ...args]);
  }
}

/** One machine: a process, and what survives its death. */
export class Machine {
  lease = 0;
  spent = 0;
  /** Its process died or was cut off while it held something. */
  hasLapsed = false;
  /** What was spent and not told, or ran on, when its leases ended or its process died. */
  ranOn = 0;
  /** What this machine has settled, as it says itself. */
  settled = 0;
  readonly running: number[] = [];
  /** What Redis said last. */
  last: BucketGrant | undefined;
  readonly #world: World;
  readonly #name: string;
  #counters = new BucketCounters(leaseMs);
  #process = 0;
  #sequence = 0;
  #leaseEndsAt = 0;
  #lapsedAt = 0;
  /** Spent, and told in calls that had no answer, the last of which is not yet known to have come. */
  #untold = 0;
  /** Settled by its processes before this one. */
  #earlier = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#name = name;
  }

  get reserved(): number {
    return this.running.reduce((sum, amount) => sum + amount, 0);
  }

  admit(amount: number): boolean {
    if (this.lease - this.spent - this.reserved < amount) return false;
    this.running.push(amount);
    return true;
  }

  settle(share: number): void {
    const reserved = this.running.shift();
    if (reserved === undefined) return;
    if (this.#world.shape.mode === "concurrency") return;
    const actual = Math.floor(reserved * share);
    this.spent += actual;
    this.settled += actual;
    this.#world.used += actual;
  }

  /** What was settled while a request ran turns out to be too much at its end. */
  correct(amount: number): void {
    const less = Math.min(amount, this.settled);
    if (this.#world.shape.mode !== "total") return;
    this.spent -= less;
    this.settled -= less;
    this.#world.used -= less;
    this.#world.corrected += less;
  }

  /** A lease that was not renewed is no longer used; what runs goes on. */
  lapse(): void {
    if (this.#world.nowMs < this.#leaseEndsAt || (this.lease === 0 && this.spent >= 0 && this.#untold === 0)) return;
    if (this.lease - this.spent > 0) this.hasLapsed = true;
    if (this.#lapsedAt !== this.#leaseEndsAt) this.ranOn += Math.max(0, this.spent + this.#untold + this.reserved);
    this.#lapsedAt = this.#leaseEndsAt;
    this.lease = this.spent + this.reserved;
  }

  async exchange(extra: number, need: number, fate: Fate): Promise<void> {
    const { mode, capacity, ratePerMs } = this.#world.shape;
    this.#counters.spend(bucket, this.spent);
    this.lease -= this.spent;
    const wanted = this.reserved + extra;
    const now = this.#world.nowMs;
    const line = this.#counters.encode(
      {
        ...{ bucket, mode, capacity, ratePerMs, wanted, earlier: this.#earlier },
        ...{ spent: this.spent, held: this.lease, reserved: this.reserved, need: this.reserved + need },
      },
      now,
    );
    if (fate !== "ok") this.#world.unanswered += Math.max(0, this.spent);
    this.#untold = fate === "ok" ? 0 : this.#untold + this.spent;
    this.spent = 0;
    this.lease = Math.min(this.lease, wanted);
    const count = this.#counters.countOf(bucket);
    this.#sequence += 1;
    const answer = await this.#world.call(this.#name, `${this.#process}-p`, this.#sequence, line, fate);
    if (fate !== "ok") return;
    const grant = this.#counters.answered(bucket, answer, count, now);
    this.last = grant;
    this.lease = grant.lease;
    this.#leaseEndsAt = grant.leaseEndsAt;
  }

  /** The process is killed and started again; what it has settled is known from its journal. */
  restart(): void {
    if (this.lease - this.spent > 0) this.hasLapsed = true;
    this.ranOn += Math.max(0, this.spent + this.#untold);
    this.#untold = 0;
    this.#counters = new BucketCounters(leaseMs);
    this.#process += 1;
    this.#sequence = 0;
    this.#leaseEndsAt = 0;
    this.#earlier = this.settled;
    this.running.length = 0;
    this.lease = 0;
    this.spent = 0;
  }
}

function connect(port: number) {
  return createClient({ socket: { host: "127.0.0.1", port }, RESP: 2, disableClientInfo: true });
}

/** A client for `World`, connected. */
export async function connectTo(server: RedisServer): Promise<ReturnType<typeof connect>> {
  const client = connect(server.port);
  client.on("error", () => {});
  await client.connect();
  return client;
}
