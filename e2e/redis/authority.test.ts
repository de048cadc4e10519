// Several machines on one real Redis, and everything that can be wrong with a Redis: it is told once and with its remedy,
// exchanges fail at once, and it is found by itself when it is well again.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AuthorityLostError, type LossReason } from "../../src/quotas/authority/authority.ts";
import { requirePart } from "../parts.ts";
import { request, serverAt, timeoutMs, watch, type Watched } from "./authority-client.ts";
import { startRedis, type RedisServer } from "./redis-server.ts";

/** Everything that runs here shares two cores. */
const slackMs = 50;

/** An exchange fails, for this reason and quickly. */
async function failsWith(watched: Watched, reason: LossReason, message: RegExp): Promise<number> {
  const startedAt = performance.now();
  await assert.rejects(watched.authority.exchange([request()]), (error) => {
    assert.ok(error instanceof AuthorityLostError);
    assert.equal(error.reason, reason);
    assert.match(error.message, message);
    return true;
  });
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs <= timeoutMs + slackMs, `it failed only after ${tookMs} ms`);
  return tookMs;
}

/** Exchanges until one fails, then waits for the reason. */
async function failsUntil(watched: Watched, reason: LossReason): Promise<void> {
  const endsAt = performance.now() + 10_000;
  while (watched.authority.state.state === "ok" && performance.now() < endsAt) {
    await watched.authority.exchange([request()]).catch(() => undefined);
    await sleep(5);
  }
  await watched.until(reason);
}

/** After a time in trouble: one word about each change, none about requests. */
function saidOnce(watched: Watched, ...reasons: ("ok" | LossReason)[]): void {
  assert.deepEqual(
    watched.states.map((state) => (state.state === "ok" ? "ok" : state.reason)),
    reasons,
  );
}

async function connected(t: TestContext, server: RedisServer): Promise<Watched> {
  const watched = watch(t, serverAt(server.port));
  await watched.until("ok");
  return watched;
}

for (const product of ["redis", "valkey"] as const) {
  test(`${product}: three machines get ten of ten, know of each other, and forget who leaves`, async (t) => {
    if (!requirePart(t, product)) return;
    const { port } = await startRedis(t, { product });
    const machines = ["m1", "m2", "m3"].map((machine) => watch(t, serverAt(port), machine));
    await Promise.all(machines.map((machine) => machine.until("ok")));
    let granted = 0;
    const spent = new Map<Watched, number>();
    for (let round = 0; round < 10; round++) {
      for (const machine of machines) {
        const [grant] = await machine.authority.exchange([request({ spent: spent.get(machine) ?? 0 })]);
        spent.set(machine, grant!.lease);
        granted += grant!.lease;
      }
    }
    assert.equal(granted, 10);
    await sleep(1_100);
    await machines[0]!.authority.exchange([request({ wanted: 0, need: 0, spent: spent.get(machines[0]!)! })]);
    assert.equal(machines[0]!.authority.machines, 3);
    await machines[1]!.authority.stop();
    await sleep(1_100);
    await machines[0]!.authority.exchange([request({ wanted: 0, need: 0 })]);
    assert.equal(machines[0]!.authority.machines, 2);
  });
}

test("what is to be done once is done by one machine, which gets the same answer when it asks again", async (t) => {
  if (!requirePart(t, "redis")) return;
  const server = await startRedis(t);
  const machines = ["m1", "m2", "m3"].map((machine) => watch(t, serverAt(server.port), machine));
  await Promise.all(machines.map((machine) => machine.until("ok")));
  const things = [1, 2, 3].map((month) => ({ month: 202_610 + month, thing: "alert 80 grant:search/index" }));
  const answers = await Promise.all(machines.map(({ authority }) => authority.claim(things)));
  for (const index of things.keys()) assert.equal(answers.filter((answer) => answer[index]).length, 1);
  for (const [index, { authority }] of machines.entries()) {
    assert.deepEqual(await authority.claim(things), answers[index]);
  }
  await server.kill();
  await assert.rejects(machines[0]!.authority.claim(things), AuthorityLostError);
});

test("many buckets are one command, more than 128 a few, and scripts that were flushed are sent again", async (t) => {
  if (!requirePart(t, "redis")) return;
  const server = await startRedis(t);
  const watched = await connected(t, server);
  const many = Array.from({ length: 130 }, (_, index) => request({ bucket: `requests:consumer:c${index}` }));
  await watched.authority.exchange(many.slice(0, 100));
  const before = watched.authority.calls;
  const grants = await watched.authority.exchange(many.slice(0, 128));
  assert.equal(watched.authority.calls, before + 1);
  assert.deepEqual(
    grants.map(({ bucket, lease }) => [bucket, lease]),
    many.slice(0, 128).map(({ bucket }) => [bucket, 1]),
  );
  await watched.authority.exchange(many);
  assert.equal(watched.authority.calls, before + 3);
  await server.command("SCRIPT", "FLUSH");
  assert.equal((await watched.authority.exchange([request()]))[0]?.lease, 1);
  saidOnce(watched, "ok");
});

test("a paused Redis: exchanges fail within the timeout, then at once; when it goes on, so do they", async (t) => {
  if (!requirePart(t, "redis")) return;
  const server = await startRedis(t);
  const watched = await connected(t, server);
  await watched.authority.exchange([request()]);
  server.pause();
  t.after(() => {
    server.resume();
  });
  await failsWith(watched, "timeout", /no answer within 50 ms.*state\.timeout/);
  const startedAt = performance.now();
  for (let call = 0; call < 100; call++) await failsWith(watched, "timeout", /no answer/);
  assert.ok(performance.now() - startedAt < 200, "those that follow do not wait");
  await sleep(4_000); // longer than a probe's patience: connections made meanwhile are accepted by the system alone
  server.resume();
  await watched.until("ok", 2_000);
  const [grant] = await watched.authority.exchange([request({ spent: 1, wanted: 9, need: 9 })]);
  assert.equal(grant?.used, 1);
  assert.equal(grant?.lease, 9);
  saidOnce(watched, "ok", "timeout", "ok");
});

test("a Redis that dies and comes back empty counts no month anew", async (t) => {
  if (!requirePart(t, "redis")) return;
  const server = await startRedis(t);
  const watched = await connected(t, server);
  const month = {
    bucket: "monthlyTokens:consumer:search:2026-11",
    mode: "total",
    capacity: 1_000,
    ratePerMs: 0,
  } as const;
  await watched.authority.exchange([request({ ...month, spent: 400 })]);
  await server.kill();
  await watched.until("unreachable");
  await failsWith(watched, "unreachable", /Check that Redis runs/);
  await assert.rejects(watched.authority.exchange([request({ ...month, spent: 50 })]), AuthorityLostError);
  await server.start();
  await watched.until("ok");
  const [grant] = await watched.authority.exchange([request({ ...month, spent: 7, wanted: 1_000 })]);
  assert.deepEqual([grant?.used, grant?.lease], [457, 543]);
});

test("a Redis that is not there at the start is found when it is", async (t) => {
  if (!requirePart(t, "redis")) return;
  const server = await startRedis(t);
  await server.kill();
  const watched = watch(t, serverAt(server.port));
  await failsWith(watched, "starting", /not connected yet/);
  await watched.until("unreachable");
  await server.start();
  await watched.until("ok", 3_000);
  saidOnce(watched, "unreachable", "ok");
});

test("a wrong password, none, and one that is put right", async (t) => {
  if (!requirePart(t, "redis")) return;
  const server = await startRedis(t, { settings: { requirepass: "right" } });
  const wrong = watch(t, serverAt(server.port, { password: "wrong-secret" }));
  const state = await wrong.until("authentication");
  assert.ok(state.state === "degraded" && /WRONGPASS.*Check `username` and `password`/.test(state.message));
  assert.ok(!state.message.includes("wrong-secret"));
  const none = watch(t, serverAt(server.port), "m2");
  await none.until("authentication");
  await server.command("CONFIG", "SET", "requirepass", "wrong-secret");
  await wrong.until("ok");
});

test("a user with the rights that the documentation names can do all, one with less is told", async (t) => {
  if (!requirePart(t, "redis")) return;
  const server = await startRedis(t);
  const rights = ["~{sluice:*", "+@hash", "+@sortedset", "+eval", "+evalsha", "+time", "+pexpire"];
  await server.command("ACL", "SETUSER", "sluice", "on", ">secret", "resetkeys", "-@all", ...rights);
  const watched = watch(t, serverAt(server.port, { username: "sluice", password: "secret" }));
  await watched.until("ok");
  assert.equal((await watched.authority.exchange([request()]))[0]?.lease, 1);
  assert.deepEqual(await watched.authority.claim([{ month: 202_611, thing: "a" }]), [true]);
  await server.command("ACL", "SETUSER", "sluice", "-@hash");
  await failsUntil(watched, "permission");
  await failsWith(watched, "permission", /Allow the user: ~\{sluice:\*/);
  await sleep(500);
  saidOnce(watched, "ok", "permission");
  await server.command("ACL", "SETUSER", "sluice", "+@hash");
  await watched.until("ok");
});

test("a master that becomes a replica", async (t) => {
  if (!requirePart(t, "redis")) return;
  const [server, other] = [await startRedis(t), await startRedis(t)];
  const watched = await connected(t, server);
  await server.command("REPLICAOF", "127.0.0.1", String(other.port));
  await failsUntil(watched, "readOnly");
  await failsWith(watched, "readOnly", /This is a replica: name the master/);
  await server.command("REPLICAOF", "NO", "ONE");
  await watched.until("ok");
  saidOnce(watched, "ok", "readOnly", "ok");
});

test("no memory left", async (t) => {
  if (!requirePart(t, "redis")) return;
  const server = await startRedis(t);
  const watched = await connected(t, server);
  await server.command("CONFIG", "SET", "maxmemory", "1");
  await failsUntil(watched, "outOfMemory");
  await failsWith(watched, "outOfMemory", /maxmemory/);
  await server.command("CONFIG", "SET", "maxmemory", "0");
  await watched.until("ok");
});

test("a script of somebody else that never ends, until it is killed", async (t) => {
  if (!requirePart(t, "redis")) return;
  const server = await startRedis(t, { settings: { "busy-reply-threshold": "200" } });
  const watched = await connected(t, server);
  const endless = assert.rejects(server.command("EVAL", "while true do end", "0"));
  await failsUntil(watched, "busy");
  await failsWith(watched, "busy", /SCRIPT KILL/);
  await server.command("SCRIPT", "KILL");
  await endless;
  await watched.until("ok");
});

test("a Redis that reads its data", async (t) => {
  if (!requirePart(t, "redis")) return;
  const settings = {
    "enable-debug-command": "local",
    "key-load-delay": "20",
    "loading-process-events-interval-bytes": "1024",
  };
  const server = await startRedis(t, { settings });
  const watched = await connected(t, server);
  await server.command("DEBUG", "POPULATE", "100000");
  await server.command("SAVE");
  await server.kill();
  await server.start();
  await watched.until("loading");
  await failsWith(watched, "loading", /it answers when it has/);
  await watched.until("ok", 20_000);
});

test("a Redis that is too slow again and again is left alone for longer", async (t) => {
  if (!requirePart(t, "redis")) return;
  const server = await startRedis(t);
  const watched = await connected(t, server);
  for (let round = 0; round < 4; round++) {
    await watched.until("ok");
    server.pause();
    await watched.authority.exchange([request()]).catch(() => undefined);
    server.resume();
  }
  const startedAt = performance.now();
  await watched.until("ok");
  assert.ok(performance.now() - startedAt > 300);
  assert.equal(watched.states.length, 9);
});
