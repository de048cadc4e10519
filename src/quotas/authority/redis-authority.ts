/**
 * Redis as the authority: many buckets an exchange, one call (in a cluster one a slot), answers within the timeout or not
 * at all. After a failure every exchange fails at once, and probes find out when Redis answers again.
 */
import { randomBytes } from "node:crypto";
import type { StateConfig } from "../../config/snapshot.ts";
import { sharedNowMs } from "../../lib/shared-clock.ts";
import { AuthorityLostError } from "./authority.ts";
import type { Authority, AuthorityState, BucketExchange, BucketGrant, LossReason } from "./authority.ts";
import { BucketCounters, bucketKeyOf, claimsKeyOf, machinesKeyOf, partitionOf, probesOf } from "./bucket-counters.ts";
import { CLAIM_SCRIPT } from "./claim-script.ts";
import { EXCHANGE_SCRIPT } from "./exchange-script.ts";
import { connectRedis, redisScript } from "./redis-connection.ts";
import type { RedisConnection, RedisScript } from "./redis-connection.ts";
import { withinMs } from "./patience.ts";
import { describeFailure } from "./redis-failure.ts";

/** How long a lease lasts that is not renewed, in milliseconds; and how long a machine counts that says nothing. */
export const LEASE_MS = 10_000;
/** So often a machine says that it is alive, in milliseconds. */
const BEAT_MS = 2_000;
/** Between probes of a Redis that has failed, in milliseconds. */
const PROBE_MS = 100;
/** A probe that is not answered within this is given up, and the connection with it, in milliseconds. */
const PROBE_PATIENCE_MS = 3_000;
/** After so many probes with an error for an answer the connection is made anew: the master may be elsewhere. */
const PROBES_A_CONNECTION = 5;
const LONGEST_RECONNECT_MS = 1_000;
/** A Redis that fails again within this has not recovered for good, in milliseconds. */
const STEADY_MS = 10_000;
const LONGEST_HOLD_MS = 5_000;
/** Buckets a call: a script blocks Redis while it runs, about 30 µs a bucket. */
const MAX_BUCKETS_A_CALL = 128;

const SCRIPT = redisScript(EXCHANGE_SCRIPT);
const CLAIMS = redisScript(CLAIM_SCRIPT);
/** So long it is remembered who did what is done once a month, in milliseconds. */
const CLAIM_MS = 40 * 86_400_000;

/** What a Redis authority is made with. */
export interface RedisAuthorityOptions {
  readonly config: StateConfig;
  /** The deployment, whose machines share limits. */
  readonly gateway: string;
  /** This machine: the same after a restart, and no other's. */
  readonly machine: string;
  /** How often it has been started, this time included; 0 if left out: its name is new each time. */
  readonly run?: number;
  /** Told when it becomes well, and of each reason why it is not, once until it is well again. */
  readonly onState: (state: AuthorityState) => void;
  /** Machines that shared before, until Redis says how many do; 1 if left out. */
  readonly machinesBefore?: number;
  /** Told how many machines share, whenever Redis says so. */
  readonly onMachines?: (count: number) => void;
  /** How long leases last; 10 seconds if left out. */
  readonly leaseMs?: number;
}

/** Something that one machine is to do. */
export interface Claim {
  /** YYYYMM. */
  readonly month: number;
  /** What, the same on every machine. */
  readonly thing: string;
}

/** Some lines for one call. */
interface Call {
  readonly keys: string[];
  readonly lines: string[];
  /** Indices of the requests; -1: the machine's own line. */
  readonly requests: number[];
}

export class RedisAuthority implements Authority {
  readonly #options: RedisAuthorityOptions;
  readonly #process: string;
  readonly #counters: BucketCounters;
  readonly #machinesKey: string;
  readonly #leaseMs: number;
  readonly #beat: NodeJS.Timeout;
  #state: AuthorityState = { state: "degraded", reason: "starting", message: "Redis: not connected yet." };
  #connection: RedisConnection | undefined;
  #machines: number;
  #sequence = 0;
  #callCount = 0;
  #lastBeat = -Infinity;
  #okSince = -Infinity;
  /** How long it is left alone after a failure: nothing after the first, longer while it fails again and again. */
  #holdMs = 0;
  /** Reasons told since it was well: they may alternate. */
  readonly #told = new Set<LossReason>();
  #isStopped = false;
  #isRecovering = false;

  /** Begins to connect; `state` and `onState` tell how that went. */
  constructor(options: RedisAuthorityOptions) {
    this.#options = options;
    this.#process = `${options.run ?? 0}-${randomBytes(8).toString("hex")}`;
    this.#leaseMs = options.leaseMs ?? LEASE_MS;
    this.#machines = options.machinesBefore ?? 1;
    this.#counters = new BucketCounters(this.#leaseMs);
    this.#machinesKey = machinesKeyOf(options.gateway);
    this.#beat = setInterval(() => void this.#sendBeat(), Math.min(BEAT_MS, this.#leaseMs / 4));
    this.#beat.unref();
    void this.#recover();
  }

  get state(): AuthorityState {
    return this.#state;
  }

  get machines(): number {
    return this.#machines;
  }

  /** Calls to Redis so far. */
  get calls(): number {
    return this.#callCount;
  }

  async exchange(requests: readonly BucketExchange[]): Promise<readonly BucketGrant[]> {
    for (const { bucket, spent } of requests) {
      this.#counters.spend(bucket, spent);
    }
    const connection = this.#usable();
    const sentAt = sharedNowMs();
    const counts = requests.map(({ bucket }) => this.#counters.countOf(bucket));
    const calls = this.#callsFor(requests, sentAt, connection.isCluster);
    try {
      const answers = await withinMs(
        this.#options.config.timeoutMs,
        Promise.all(calls.map(({ keys, lines }) => this.#run(connection, keys, lines))),
      );
      const grants: BucketGrant[] = [];
      for (const [index, call] of calls.entries()) {
        for (const [line, request] of call.requests.entries()) {
          const answer = answers[index]![line];
          if (request < 0) {
            this.#tookBeat(answer, sentAt);
          } else {
            grants[request] = this.#counters.answered(requests[request]!.bucket, answer, counts[request]!, sentAt);
          }
        }
      }
      return grants;
    } catch (error) {
      throw this.#fail(error, connection);
    }
  }

  /**
   * Asks for things that one machine is to do once in a month.
   * @returns for each whether this process is the one
   * @throws AuthorityLostError as `exchange` does; then another machine may or may not do it
   */
  async claim(things: readonly Claim[]): Promise<readonly boolean[]> {
    const connection = this.#usable();
    const keys = things.map(({ month }) => claimsKeyOf(this.#options.gateway, month));
    const args = [this.#process, String(CLAIM_MS), ...things.map(({ thing }) => thing)];
    this.#callCount += 1;
    try {
      const answer = await withinMs(this.#options.config.timeoutMs, connection.run(CLAIMS, keys, args));
      return things.map((_, index) => Array.isArray(answer) && answer[index] === "1");
    } catch (error) {
      throw this.#fail(error, connection);
    }
  }

  forget(bucket: string): void {
    this.#counters.forget(bucket);
  }

  /**
   * Runs a script about other things than leases over the same connection. That it fails says nothing of leases.
   * @throws AuthorityLostError where Redis is not well, or has not answered within `patienceMs`
   */
  async call(script: RedisScript, key: string, args: readonly string[], patienceMs: number): Promise<unknown> {
    try {
      return await withinMs(patienceMs, this.#usable().run(script, [key], args));
    } catch (error) {
      throw describeFailure(error);
    }
  }

  async stop(): Promise<void> {
    if (this.#isStopped) {
      return;
    }
    this.#isStopped = true;
    clearInterval(this.#beat);
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined) {
      return;
    }
    if (this.#state.state === "ok") {
      const leave = this.#run(connection, [this.#machinesKey], ["x"]);
      await withinMs(this.#options.config.timeoutMs, leave).catch(() => undefined); // it is forgotten soon anyway
    }
    connection.destroy();
  }

  #usable(): RedisConnection {
    if (this.#isStopped) {
      throw new AuthorityLostError("unreachable", "Redis: disconnected, since this process ends.");
    }
    if (this.#state.state === "degraded") {
      throw new AuthorityLostError(this.#state.reason, this.#state.message);
    }
    return this.#connection!;
  }

  #callsFor(requests: readonly BucketExchange[], now: number, isCluster: boolean): Call[] {
    const calls: Call[] = [];
    const open = new Map<number, Call>();
    const add = (group: number, key: string, line: string, request: number): void => {
      let call = open.get(group);
      if (call === undefined || call.keys.length >= MAX_BUCKETS_A_CALL) {
        call = { keys: [], lines: [], requests: [] };
        open.set(group, call);
        calls.push(call);
      }
      call.keys.push(key);
      call.lines.push(line);
      call.requests.push(request);
    };
    for (const [index, request] of requests.entries()) {
      const key = bucketKeyOf(this.#options.gateway, request.bucket);
      add(isCluster ? partitionOf(request.bucket) : 0, key, this.#counters.encode(request, now), index);
    }
    if (!isCluster && now - this.#lastBeat >= BEAT_MS / 2) {
      add(0, this.#machinesKey, "m", -1);
    }
    return calls;
  }

  async #run(connection: RedisConnection, keys: readonly string[], lines: readonly string[]): Promise<unknown[]> {
    this.#sequence += 1;
    this.#callCount += 1;
    const head = [
      this.#options.machine.replaceAll("/", "%2F"),
      this.#process,
      String(this.#sequence),
      String(this.#leaseMs),
    ];
    const answer = await connection.run(SCRIPT, keys, [...head, ...lines]);
    if (!Array.isArray(answer) || answer.length !== keys.length) {
      throw new AuthorityLostError(
        "refused",
        "Redis: the script's answer is not one of ours. Is this Redis, or a proxy?",
      );
    }
    return answer as unknown[];
  }

  #tookBeat(answer: unknown, sentAt: number): void {
    this.#lastBeat = sentAt;
    this.#machines = Math.max(1, Number(answer) || 1);
    this.#options.onMachines?.(this.#machines);
  }

  async #sendBeat(): Promise<void> {
    const connection = this.#connection;
    const sentAt = sharedNowMs();
    if (this.#state.state !== "ok" || connection === undefined || sentAt - this.#lastBeat < BEAT_MS / 2) {
      return;
    }
    try {
      const beat = this.#run(connection, [this.#machinesKey], ["m"]);
      const [answer] = await withinMs(this.#options.config.timeoutMs, beat);
      this.#tookBeat(answer, sentAt);
    } catch (error) {
      this.#fail(error, connection);
    }
  }

  /** Notes a failure of a connection, and has it looked after. */
  #fail(error: unknown, connection: RedisConnection): AuthorityLostError {
    const failure = describeFailure(error);
    if (connection === this.#connection) {
      this.#degrade(failure);
    }
    return failure;
  }

  #degrade({ reason, message }: { reason: LossReason; message: string }): void {
    if (this.#isStopped) {
      return;
    }
    if (this.#state.state === "ok") {
      const isAgain = sharedNowMs() - this.#okSince < STEADY_MS;
      this.#holdMs = isAgain ? Math.min(LONGEST_HOLD_MS, Math.max(PROBE_MS, this.#holdMs * 2)) : 0;
    }
    this.#state = { state: "degraded", reason, message };
    if (!this.#told.has(reason)) {
      this.#told.add(reason);
      this.#options.onState(this.#state);
    }
    void this.#recover();
  }

  /** Probes and reconnects until Redis answers. */
  async #recover(): Promise<void> {
    if (this.#isRecovering) {
      return;
    }
    this.#isRecovering = true;
    let waitMs = PROBE_MS;
    await sleep(this.#holdMs);
    while (!this.#isStopped && !(await this.#probe())) {
      this.#connection?.destroy();
      this.#connection = undefined;
      try {
        await this.#connect();
      } catch (error) {
        this.#degrade(describeFailure(error));
        await sleep(waitMs + Math.random() * PROBE_MS);
        waitMs = Math.min(LONGEST_RECONNECT_MS, waitMs * 2);
      }
    }
    this.#isRecovering = false;
    if (!this.#isStopped) {
      this.#okSince = sharedNowMs();
      this.#told.clear();
      this.#state = { state: "ok" };
      this.#options.onState(this.#state);
    }
  }

  async #connect(): Promise<void> {
    const made: { connection?: RedisConnection } = {};
    const connection = await connectRedis(this.#options.config.redis, (error) => {
      if (made.connection !== undefined) {
        this.#fail(error, made.connection);
      }
    });
    if (this.#isStopped) {
      connection.destroy();
      return;
    }
    made.connection = connection;
    this.#connection = connection;
  }

  /** Everything that an exchange may need: each node of a cluster, and all rights. */
  async #tryAll(connection: RedisConnection): Promise<unknown[][]> {
    const probes = probesOf(this.#options.gateway);
    if (!connection.isCluster) {
      const { key, line } = probes[0]!;
      return [await this.#run(connection, [this.#machinesKey, key], ["m", line])];
    }
    const beat = this.#run(connection, [this.#machinesKey], ["m"]);
    return Promise.all([beat, ...probes.map(({ key, line }) => this.#run(connection, [key], [line]))]);
  }

  /** @returns whether Redis answers as it should, so quickly as it should */
  async #probe(): Promise<boolean> {
    for (let round = 0; round < PROBES_A_CONNECTION; round++) {
      const connection = this.#connection;
      if (connection === undefined || this.#isStopped) {
        return false;
      }
      const sentAt = sharedNowMs();
      try {
        const [answers] = await withinMs(PROBE_PATIENCE_MS, this.#tryAll(connection));
        this.#tookBeat(answers![0], sentAt);
        if (sharedNowMs() - sentAt <= this.#options.config.timeoutMs) {
          return true;
        }
      } catch (error) {
        const failure = describeFailure(error);
        this.#degrade(failure);
        if (failure.reason === "timeout" || failure.reason === "unreachable") {
          return false;
        }
      }
      await sleep(PROBE_MS);
    }
    return false;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
