// An authority as a machine has it, with what it said of its state.
import { once, EventEmitter } from "node:events";
import type { TestContext } from "node:test";
import type { RedisConfig } from "../../src/config/snapshot.ts";
import type { AuthorityState, BucketExchange, LossReason } from "../../src/quotas/authority/authority.ts";
import { RedisAuthority } from "../../src/quotas/authority/redis-authority.ts";

export const timeoutMs = 50;

/** An authority that ends with the test. */
export class Watched extends EventEmitter {
  readonly states: AuthorityState[] = [];
  readonly authority: RedisAuthority;

  constructor(redis: RedisConfig, machine: string, leaseMs = 10_000) {
    super();
    this.authority = new RedisAuthority({
      config: { redis, timeoutMs },
      gateway: "main",
      machine,
      leaseMs,
      onState: (state) => {
        this.states.push(state);
        this.emit("state");
      },
    });
  }

  /** Resolves once the state is this: `ok`, or why not. */
  async until(wanted: "ok" | LossReason, limitMs = 10_000): Promise<AuthorityState> {
    const signal = AbortSignal.timeout(limitMs);
    for (;;) {
      const { state } = this.authority;
      if ((state.state === "ok" ? "ok" : state.reason) === wanted) return state;
      await once(this, "state", { signal }).catch((error: unknown) => {
        throw new Error(`waited for ${wanted}; the states were ${JSON.stringify(this.states)}`, { cause: error });
      });
    }
  }
}

export function watch(t: TestContext, redis: RedisConfig, machine = "m1", leaseMs?: number): Watched {
  const watched = new Watched(redis, machine, leaseMs);
  t.after(() => watched.authority.stop());
  return watched;
}

export function serverAt(port: number, more: Partial<RedisConfig> = {}): RedisConfig {
  return { kind: "server", nodes: [{ host: "127.0.0.1", port }], database: 0, ...more };
}

/** Ten a minute, nothing spent, one wanted. */
export function request(more: Partial<BucketExchange> = {}): BucketExchange {
  return {
    bucket: "requests:consumer:search",
    mode: "rate",
    capacity: 10,
    ratePerMs: 10 / 60_000,
    spent: 0,
    held: 0,
    reserved: 0,
    wanted: 1,
    need: 1,
    ...more,
  };
}
