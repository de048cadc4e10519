// Machines tell each other of limits that were set at run time, through a real Redis: what they agree on, whatever fails.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { REMEMBERED_MS } from "../../src/quotas/overrides/override-book.ts";
import { overridesKeyOf } from "../../src/quotas/overrides/override-exchange.ts";
import { encodeOverride } from "../../src/quotas/overrides/override.ts";
import { requirePart } from "../parts.ts";
import { serverAt, watch, type Watched } from "./authority-client.ts";
import { Machine, type Fate } from "./override-machine.ts";
import { startRedis, type RedisServer } from "./redis-server.ts";

async function start(
  t: TestContext,
  count: number,
): Promise<{ redis: RedisServer; machines: Machine[]; watched: Watched }> {
  const redis = await startRedis(t);
  const watched = watch(t, serverAt(redis.port));
  await watched.until("ok");
  const machines = Array.from({ length: count }, (_, index) => new Machine(watched, `m${index}`, "main"));
  return { redis, machines, watched };
}

const SUBJECTS = ["consumer:a", "consumer:b", "grant:a/x", "model:ü%2F*"];

test("what one machine says, the others know after their next exchange; the last word counts, and silence costs one word", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { redis, machines } = await start(t, 3);
  const [a, b, c] = machines as [Machine, Machine, Machine];
  for (const machine of machines) await machine.exchange.now();
  a.say("consumer:a", 1);
  a.say("model:ü%2F*", 9);
  await a.exchange.now();
  assert.deepEqual(a.book.unshared(), []);
  await b.exchange.now();
  assert.deepEqual(b.holds(SUBJECTS), [1, null, null, 9]);
  b.say("consumer:a", 2);
  b.say("model:ü%2F*", null);
  await b.exchange.now();
  await c.exchange.now();
  assert.deepEqual(c.holds(SUBJECTS), [2, null, null, null]);
  await a.exchange.now();
  assert.deepEqual(a.holds(SUBJECTS), [2, null, null, null]);
  const known = a.taken.length;
  const stats = async (): Promise<number> =>
    Number(/total_net_output_bytes:(\d+)/.exec(String(await redis.command("INFO", "stats")))?.[1]);
  const before = await stats();
  for (let look = 0; look < 100; look++) await a.exchange.now();
  const perLook = ((await stats()) - before) / 100;
  assert.equal(a.taken.length, known);
  assert.ok(perLook < 200, `${perLook} bytes a look`);
});

test("machines that say something while Redis is away: the one that reaches it last has the last word", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { machines } = await start(t, 2);
  const [a, b] = machines as [Machine, Machine];
  a.fate = "lost";
  a.say("consumer:a", 1);
  await assert.rejects(a.exchange.now());
  b.say("consumer:a", 2);
  await b.exchange.now();
  assert.deepEqual([a.holds(["consumer:a"]), b.holds(["consumer:a"])], [[1], [2]]);
  a.fate = "ok";
  await a.exchange.now();
  await b.exchange.now();
  assert.deepEqual([a.holds(["consumer:a"]), b.holds(["consumer:a"])], [[1], [1]]);
});

test("a Redis that lost its data gets everything back, the newest of each, from whoever comes; removals, too", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { redis, machines, watched } = await start(t, 2);
  const [a, b] = machines as [Machine, Machine];
  a.say("consumer:a", 1);
  a.say("consumer:b", 1);
  await a.exchange.now();
  await b.exchange.now();
  const old = b.stored(SUBJECTS);
  a.say("consumer:a", 2);
  a.say("consumer:b", null);
  a.say("grant:a/x", 3);
  await a.exchange.now();
  await redis.command("FLUSHALL");
  // first comes a machine that was away for long
  const late = new Machine(watched, "late", "main", old);
  await late.exchange.now();
  assert.deepEqual(late.holds(SUBJECTS), [1, 1, null, null]);
  await a.exchange.now();
  await late.exchange.now();
  const fresh = new Machine(watched, "fresh", "main");
  await fresh.exchange.now();
  for (const machine of [a, late, fresh]) assert.deepEqual(machine.holds(SUBJECTS), [2, null, 3, null]);
  late.say("consumer:a", 4);
  await late.exchange.now();
  await a.exchange.now();
  assert.deepEqual(a.holds(["consumer:a"]), [4], "what is said now is newer than all that was known before");
});

test("a Redis whose clock was ahead, or that has lost its data: what is said later is newer nevertheless", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { redis, watched } = await start(t, 0);
  const inTenYears = Date.now() + 10 * 365 * 86_400_000;
  const ahead = { subject: "consumer:a", limits: { rpm: 1 }, setAt: 0, by: "", from: "", on: "", version: inTenYears };
  const a = new Machine(watched, "a", "main", [ahead]);
  const b = new Machine(watched, "b", "main", [ahead]);
  await a.exchange.now();
  await redis.command("FLUSHALL");
  b.say("consumer:a", 2);
  await b.exchange.now();
  await a.exchange.now();
  assert.deepEqual(a.holds(["consumer:a"]), [2]);
  assert.ok(a.book.get("consumer:a")!.version! > inTenYears);
});

test("removals are forgotten after their time, by Redis as well, and do not go to and fro between clocks that differ", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { redis, watched } = await start(t, 0);
  const key = overridesKeyOf("main");
  const version = Date.now() - REMEMBERED_MS - 60_000;
  const removal = { subject: "consumer:a", limits: null, setAt: 0, by: "", from: "", on: "", version };
  await redis.command("HSET", key, "consumer:a", `${version} - ${encodeOverride(removal)}`, "mark", "m");
  const a = new Machine(watched, "a", "main");
  a.say("consumer:b", 1);
  await a.exchange.now();
  assert.equal(await redis.command("HGET", key, "consumer:a"), null);
  // for this machine it is not over yet
  const behind = { ...removal, version: version + 50_000 };
  const b = new Machine(watched, "b", "main");
  b.book.compare = (listed) => ({
    newer: listed.filter((entry) => b.book.get(entry.subject) === undefined),
    lacking: [behind],
  });
  await b.exchange.now();
  assert.equal(await redis.command("HGET", key, "consumer:a"), null);
  assert.ok(b.calls <= 3, `${b.calls} calls`);
});

test("what a later version wrote is left alone", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { redis, machines } = await start(t, 1);
  const [a] = machines as [Machine];
  const key = overridesKeyOf("main");
  await redis.command("HSET", key, "consumer:a", "99 + something else", "consumer:b", "nonsense", "mark", "m");
  a.say("consumer:c", 1);
  await a.exchange.now();
  assert.deepEqual(
    a.taken.map(({ subject }) => subject),
    ["consumer:c"],
  );
  assert.equal(await redis.command("HGET", key, "consumer:a"), "99 + something else");
});

test("a thousand at once, and more", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { machines } = await start(t, 2);
  const [a, b] = machines as [Machine, Machine];
  for (let index = 0; index < 2_500; index++) a.say(`consumer:c${index}`, index);
  await a.exchange.now();
  assert.deepEqual(a.book.unshared(), []);
  await b.exchange.now();
  assert.equal(b.book.size, 2_500);
});

test("a user with no more rights than leases need can do all of it", async (t) => {
  if (!requirePart(t, "redis")) return;
  const redis = await startRedis(t);
  const rights = ["~{sluice:*", "+@hash", "+@sortedset", "+eval", "+evalsha", "+time", "+pexpire"];
  await redis.command("ACL", "SETUSER", "limited", "on", ">secret", "resetchannels", ...rights);
  const watched = watch(t, serverAt(redis.port, { username: "limited", password: "secret" }));
  await watched.until("ok");
  const [a, b] = [new Machine(watched, "a", "main"), new Machine(watched, "b", "main")];
  a.say("consumer:a", 1);
  a.say("consumer:b", null);
  await a.exchange.now();
  await b.exchange.now();
  assert.deepEqual(b.holds(SUBJECTS), [1, null, null, null]);
});

test("deployments on one Redis do not hear each other", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { watched } = await start(t, 0);
  const [a, b] = [new Machine(watched, "a", "main"), new Machine(watched, "b", "other")];
  a.say("consumer:a", 1);
  await a.exchange.now();
  await b.exchange.now();
  assert.deepEqual(b.holds(["consumer:a"]), [null]);
});

test("whatever is said, lost, forgotten and started anew: in the end all machines agree, and what was said last holds", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { redis, watched } = await start(t, 0);
  const step = fc.oneof(
    fc.record({
      do: fc.constant("say" as const),
      machine: fc.nat(2),
      subject: fc.constantFrom(...SUBJECTS),
      rpm: fc.option(fc.nat(99)),
    }),
    fc.record({
      do: fc.constant("exchange" as const),
      machine: fc.nat(2),
      fate: fc.constantFrom<Fate>("ok", "ok", "lost", "unanswered"),
    }),
    fc.record({ do: fc.constant("restart" as const), machine: fc.nat(2) }),
    fc.record({ do: fc.constant("lose" as const) }),
  );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const gateway = `run${++run}`;
      const machines = [0, 1, 2].map((index) => new Machine(watched, `m${index}`, gateway));
      for (const next of steps) {
        switch (next.do) {
          case "say":
            machines[next.machine]!.say(next.subject, next.rpm);
            break;
          case "exchange": {
            const machine = machines[next.machine]!;
            machine.fate = next.fate;
            await machine.exchange.now().catch(() => undefined);
            machine.fate = "ok";
            break;
          }
          case "restart":
            machines[next.machine] = new Machine(
              watched,
              `m${next.machine}`,
              gateway,
              machines[next.machine]!.stored(SUBJECTS),
            );
            break;
          case "lose":
            await redis.command("DEL", overridesKeyOf(gateway));
        }
      }
      for (let round = 0; round < 2; round++) {
        for (const machine of machines) await machine.exchange.now();
      }
      const [first, ...others] = machines.map((machine) => machine.stored(SUBJECTS));
      for (const other of others) assert.deepEqual(other, first);
      assert.deepEqual(machines[0]!.book.unshared(), []);
      machines[2]!.say("consumer:a", 1_000);
      await machines[2]!.exchange.now();
      for (const machine of machines) {
        await machine.exchange.now();
        assert.deepEqual(machine.holds(["consumer:a"]), [1_000]);
      }
    }),
    { numRuns: 150, endOnFailure: true },
  );
});
