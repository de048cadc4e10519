// Everything that can be wrong with a Redis, as the gateways that share limits by it live through it: requests go on by the
// declared rule, the log says once what is wrong and what to do, and afterwards every token is counted once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "./harness.ts";
import { requirePart } from "./parts.ts";
import { freePort, startRedis, type RedisServer } from "./redis/redis-server.ts";
import { startSeveral, storedBucket, type Several } from "./redis/several.ts";
import { limitOf, quietUsage, tokensOf } from "./usage.ts";

const MACHINES = 2;
const USER = "sluice";
const PASSWORD = "the-password-of-tests";

interface Fault {
  readonly settings?: Readonly<Record<string, string>>;
  readonly begin: (redis: RedisServer) => Promise<void>;
  readonly end: (redis: RedisServer) => Promise<void>;
  /** What the log says, with the remedy. */
  readonly says: RegExp;
}

const set = async (redis: RedisServer, name: string, value: string): Promise<void> => {
  await redis.command("CONFIG", "SET", name, value);
};

const password = async (redis: RedisServer, text: string): Promise<void> => {
  await redis.command("ACL", "SETUSER", USER, "on", "resetpass", `>${text}`, "allkeys", "allcommands");
};

const startAgain = async (redis: RedisServer): Promise<void> => {
  await redis.start();
  await password(redis, PASSWORD);
};

const KILLED_IN_A_SCRIPT: Fault = {
  begin: async (redis) => {
    void redis.command("EVAL", "while true do end", "0").catch(() => undefined);
    await sleep(100);
    await redis.kill();
  },
  end: startAgain,
  says: /Redis: .*(?:no answer|Check that Redis runs|A script of somebody else)/,
};

const FAULTS: Readonly<Record<string, Fault>> = {
  "a password that is changed": {
    begin: async (redis) => {
      await password(redis, "another-password");
      await redis.command("CLIENT", "KILL", "USER", USER);
    },
    end: (redis) => password(redis, PASSWORD),
    says: /Check `username` and `password` under `state\.redis`/,
  },
  "a master that becomes a replica": {
    begin: async (redis) => {
      await redis.command("REPLICAOF", "127.0.0.1", String(await freePort()));
    },
    end: async (redis) => {
      await redis.command("REPLICAOF", "NO", "ONE");
    },
    says: /This is a replica: name the master/,
  },
  "no memory left": {
    begin: (redis) => set(redis, "maxmemory", "1"),
    end: (redis) => set(redis, "maxmemory", "0"),
    says: /Redis has reached `maxmemory`: raise it/,
  },
  "killed in the midst of a script, and back without its data": KILLED_IN_A_SCRIPT,
  "killed in the midst of a script, and back with data of a moment ago": {
    settings: { appendonly: "yes", appendfsync: "no" },
    ...KILLED_IN_A_SCRIPT,
  },
};

const bucket = (): string => `monthlyTokens:grant:search/index:${new Date().toISOString().slice(0, 7)}`;

/** Some requests on each machine, a few at a time, until told to stop; all of them must be served. */
async function traffic(several: Several, isOver: () => boolean): Promise<number> {
  let served = 0;
  const caller = async (machine: number): Promise<void> => {
    while (!isOver()) {
      const content = `/simulate promptTokens=${20 + Math.floor(Math.random() * 50)}&completionTokens=13&tokens=4`;
      assert.equal((await several.ask(machine, content)).status, 200);
      served += 1;
    }
  };
  await Promise.all(several.gateways.flatMap((_, machine) => [caller(machine), caller(machine)]));
  return served;
}

for (const [name, { settings, begin, end, says }] of Object.entries(FAULTS)) {
  test(`${name}: requests go on, the log says what to do, and no token is lost or counted twice`, async (t) => {
    if (!requirePart(t, "redis")) return;
    const redis = await startRedis(t, settings === undefined ? {} : { settings });
    await password(redis, PASSWORD);
    const several = await startSeveral(t, {
      redis,
      machines: MACHINES,
      state: { redis: { url: redis.url, username: USER, password: PASSWORD } },
      grant: { monthly: { tokens: 100_000_000, usd: 1_000 }, rpm: 1_000_000 },
      more: {
        models: [
          {
            name: "index",
            targets: [{ provider: "engine", model: "m", price: { input: 1, output: 2 } }],
            retry: { attempts: 0 },
          },
        ],
      },
    });
    await several.untilShared(true);
    let isOver = false;
    const running = traffic(several, () => isOver);
    await sleep(500);
    await begin(redis);
    await several.untilShared(false, 15_000);
    await sleep(500);
    await end(redis);
    await several.untilShared(true, 20_000);
    await sleep(500);
    isOver = true;
    const served = await running;
    for (const gateway of several.gateways) {
      await quietUsage(gateway);
      const said = gateway.log().match(/limits are not shared: [^"]*/g) ?? [];
      assert.ok(
        said.some((text) => says.test(text)),
        said.join("\n"),
      );
      // one word about each reason, none about requests
      assert.equal(new Set(said).size, said.length, said.join("\n"));
      assert.ok(said.length <= 4, said.join("\n"));
    }
    await sleep(400);
    const entries = (await Promise.all(several.gateways.map((gateway) => gateway.entries()))).flat();
    assert.equal(entries.filter(({ status }) => status === 200).length, served);
    const tokens = tokensOf(entries);
    t.diagnostic(`${served} requests, ${tokens} tokens`);
    let counted = 0;
    await until(`${tokens} tokens are counted`, async () => {
      counted = (await storedBucket(redis, bucket())).counted;
      return counted === tokens ? true : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${counted} of ${tokens} are counted`, { cause: error });
    });
    const nanoUsd = entries.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0);
    const usd = bucket().replace("Tokens", "Usd");
    assert.equal((await storedBucket(redis, usd)).counted, nanoUsd);
    // what each machine tells is what all have used
    for (const machine of several.gateways.keys()) {
      assert.equal((await several.ask(machine, "/simulate promptTokens=1&completionTokens=1&tokens=1")).status, 200);
      await sleep(300);
      const { used } = limitOf(await quietUsage(several.gateways[machine]!), "grant:search/index", "monthlyTokens");
      assert.ok(used >= tokens && used <= tokens + 2 * MACHINES, `${used}, not ${tokens}`);
    }
  });
}
