/**
 * A process that limits by rate-limiter-flexible: a script in Redis for each request and limit, with its client, its
 * in-memory blocking of what is known to be used up, and its insurance for a Redis that fails, as its documentation has them.
 */
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { loopServer, RESERVED_TOKENS, type Limiter } from "./decision-loop.ts";
import type { MachineCommand, SharedLimit } from "./protocol.ts";
import { MACHINES } from "./protocol.ts";

interface FlexibleLimiter {
  /** Rejects with an Error where the store fails, else with what is left. */
  consume(key: string, points: number): Promise<unknown>;
}

interface LimiterOptions {
  readonly points: number;
  readonly duration: number;
  readonly keyPrefix?: string;
}

interface FlexiblePackage {
  readonly RateLimiterRedis: new (
    options: LimiterOptions & {
      readonly storeClient: unknown;
      readonly inMemoryBlockOnConsumed: number;
      readonly insuranceLimiter: FlexibleLimiter;
    },
  ) => FlexibleLimiter;
  readonly RateLimiterMemory: new (options: LimiterOptions) => FlexibleLimiter;
}

interface RedisPackage {
  readonly Redis: new (options: object) => NodeJS.EventEmitter;
}

/** Connects. @param folder where the package and its client are installed */
export async function startFlexibleMachine(
  redisPort: number,
  folder: string,
): Promise<(command: MachineCommand) => Promise<unknown>> {
  const load = createRequire(join(folder, "package.json"));
  const { RateLimiterRedis, RateLimiterMemory } = load("rate-limiter-flexible") as FlexiblePackage;
  const { Redis } = load("ioredis") as RedisPackage;
  const storeClient = new Redis({ host: "127.0.0.1", port: redisPort, enableOfflineQueue: false });
  storeClient.on("error", (error: Error) => process.stderr.write(`${error.message}\n`));
  await once(storeClient, "ready");

  function limiter(points: number, { windowSeconds }: SharedLimit): FlexibleLimiter {
    const share = { points: Math.ceil(points / MACHINES), duration: windowSeconds };
    return new RateLimiterRedis({
      storeClient,
      points,
      duration: windowSeconds,
      inMemoryBlockOnConsumed: points,
      insuranceLimiter: new RateLimiterMemory(share),
    });
  }

  function limiterOf(limit: SharedLimit): Limiter {
    const requests = limiter(limit.requests, limit);
    const tokens = limit.tokens === undefined ? undefined : limiter(limit.tokens, limit);
    const [requestsKey, tokensKey] = [`requests-${limit.id}`, `tokens-${limit.id}`];
    return {
      decide(_, then) {
        const counted = requests.consume(requestsKey, 1);
        const all = tokens ? Promise.all([counted, tokens.consume(tokensKey, RESERVED_TOKENS)]) : counted;
        all.then(
          () => {
            then("admitted");
          },
          (reason: unknown) => {
            then(reason instanceof Error ? reason : "refused");
          },
        );
      },
      end() {},
    };
  }

  return loopServer(limiterOf);
}
