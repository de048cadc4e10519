// Redis as a cluster, behind sentinels, and over TLS.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createAuthority } from "../certificates.ts";
import { requirePart } from "../parts.ts";
import { request, serverAt, watch } from "./authority-client.ts";
import { Machine } from "./override-machine.ts";
import { freePort, startRedis, type RedisServer } from "./redis-server.ts";
import { join } from "node:path";
import { writeFileSync } from "node:fs";

const clusterSize = 3;
const slots = 16_384;

/** A cluster of three masters. */
async function startCluster(t: TestContext, product: "redis" | "valkey"): Promise<RedisServer[]> {
  const settings = { "cluster-enabled": "yes", "cluster-node-timeout": "500", "cluster-require-full-coverage": "no" };
  const nodes: RedisServer[] = [];
  for (let index = 0; index < clusterSize; index++) nodes.push(await startRedis(t, { product, settings }));
  for (const [index, node] of nodes.entries()) {
    const first = Math.ceil((index * slots) / clusterSize);
    const last = Math.ceil(((index + 1) * slots) / clusterSize) - 1;
    await node.command("CLUSTER", "ADDSLOTSRANGE", String(first), String(last));
    await node.command("CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
    if (index > 0) await node.command("CLUSTER", "MEET", "127.0.0.1", String(nodes[0]!.port));
  }
  await until(async () => {
    const infos = await Promise.all(nodes.map((node) => node.command("CLUSTER", "INFO")));
    // a node can call the cluster well before it has heard who serves which slots
    const signs = ["cluster_state:ok", "cluster_known_nodes:3", `cluster_slots_ok:${slots}`];
    return infos.every((info) => signs.every((sign) => String(info).includes(sign)));
  });
  return nodes;
}

async function until(condition: () => Promise<boolean>, limitMs = 20_000): Promise<void> {
  const endsAt = performance.now() + limitMs;
  while (!(await condition())) {
    assert.ok(performance.now() < endsAt, "it did not come about in time");
    await sleep(20);
  }
}

for (const product of ["redis", "valkey"] as const) {
  test(`${product} as a cluster: buckets of all slots, one command a group of them, slots that move, a node that dies`, async (t) => {
    if (!requirePart(t, product)) return;
    const nodes = await startCluster(t, product);
    const config = { kind: "cluster", nodes: [{ host: "127.0.0.1", port: nodes[0]!.port }], database: 0 } as const;
    const [first, second] = [watch(t, config, "m1"), watch(t, config, "m2")];
    await Promise.all([first.until("ok"), second.until("ok")]);
    const many = Array.from({ length: 60 }, (_, index) =>
      request({ bucket: `requests:consumer:c${index}`, wanted: 7 }),
    );
    const before = first.authority.calls;
    const granted = await first.authority.exchange(many);
    assert.ok(first.authority.calls - before <= 16);
    assert.deepEqual(new Set(granted.map(({ lease }) => lease)), new Set([7]));
    const rest = await second.authority.exchange(many);
    assert.deepEqual(new Set(rest.map(({ lease }) => lease)), new Set([3]));
    const keys = await Promise.all(nodes.map((node) => node.command("DBSIZE")));
    assert.ok(
      keys.every((count) => Number(count) > 0),
      `the nodes hold ${keys.join(", ")} keys`,
    );

    // what is set at run time
    const [one, other] = [new Machine(first, "m1", "main"), new Machine(second, "m2", "main")];
    one.say("consumer:search", 5);
    await one.exchange.now();
    await other.exchange.now();
    assert.deepEqual(other.holds(["consumer:search"]), [5]);

    // the slot of a bucket moves to another node
    const key = ((await nodes[0]!.command("KEYS", "*requests*")) as string[])[0]!;
    const slot = String(await nodes[0]!.command("CLUSTER", "KEYSLOT", key));
    await moveSlot(nodes[0]!, nodes[1]!, slot);
    const again = await first.authority.exchange(many.map((each) => ({ ...each, held: 7 })));
    assert.deepEqual(new Set(again.map(({ lease }) => lease)), new Set([7]));
    assert.equal(first.authority.state.state, "ok");

    await nodes[2]!.kill();
    await until(async () => {
      await first.authority.exchange(many).catch(() => undefined);
      return first.authority.state.state === "degraded";
    });
    const startedAt = performance.now();
    await assert.rejects(first.authority.exchange(many));
    assert.ok(performance.now() - startedAt < 100);
    await nodes[2]!.start();
    await first.until("ok", 20_000);
    assert.equal((await first.authority.exchange(many)).length, many.length);
  });
}

async function moveSlot(from: RedisServer, to: RedisServer, slot: string): Promise<void> {
  const [fromId, toId] = [await from.command("CLUSTER", "MYID"), await to.command("CLUSTER", "MYID")];
  await to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", String(fromId));
  await from.command("CLUSTER", "SETSLOT", slot, "MIGRATING", String(toId));
  for (const key of (await from.command("CLUSTER", "GETKEYSINSLOT", slot, "100")) as string[]) {
    await from.command("MIGRATE", "127.0.0.1", String(to.port), key, "0", "1000");
  }
  await to.command("CLUSTER", "SETSLOT", slot, "NODE", String(toId));
  await from.command("CLUSTER", "SETSLOT", slot, "NODE", String(toId));
}

test("a cluster that is configured as one server, and one server as a cluster, are named as such", async (t) => {
  if (!requirePart(t, "redis")) return;
  const nodes = await startCluster(t, "redis");
  const single = watch(t, serverAt(nodes[0]!.port));
  const state = await single.until("clusterDown");
  assert.ok(
    state.state === "degraded" && /name its nodes under `state\.redis\.nodes`/.test(state.message),
    JSON.stringify(state),
  );
  const server = await startRedis(t);
  const cluster = watch(t, { kind: "cluster", nodes: [{ host: "127.0.0.1", port: server.port }], database: 0 });
  const other = await cluster.until("clusterDown");
  assert.ok(other.state === "degraded" && /give `state\.redis\.url`/.test(other.message), JSON.stringify(other));
});

test("sentinels name the master, also the next one", async (t) => {
  if (!requirePart(t, "redis")) return;
  const master = await startRedis(t);
  const replica = await startRedis(t, {
    settings: { replicaof: `127.0.0.1 ${master.port}`, "repl-diskless-sync-delay": "0" },
  });
  const sentinel = await startRedis(t, {
    isSentinel: true,
    settings: {
      "sentinel monitor limits": `127.0.0.1 ${master.port} 1`,
      "sentinel down-after-milliseconds limits": "500",
    },
  });
  const gone = await freePort();
  const watched = watch(t, {
    kind: "sentinel",
    nodes: [gone, sentinel.port].map((port) => ({ host: "127.0.0.1", port })),
    sentinel: { master: "limits" },
    database: 0,
  });
  await watched.until("ok");
  const month = { bucket: "month", mode: "total", capacity: 100, ratePerMs: 0 } as const;
  await watched.authority.exchange([request({ ...month, spent: 60 })]);
  await until(async () => {
    const info = String(await sentinel.command("SENTINEL", "REPLICAS", "limits"));
    return (
      info.includes(String(replica.port)) &&
      /master_link_status:up/.test(String(await replica.command("INFO", "replication")))
    );
  });
  await sentinel.command("SENTINEL", "FAILOVER", "limits");
  await until(async () => String(await replica.command("ROLE")).startsWith("master"));
  // the old master is told to follow the new one, and refuses from then on
  await until(async () => {
    await watched.authority.exchange([request({ ...month })]).catch(() => undefined);
    return watched.states.length > 1;
  }, 30_000);
  await watched.until("ok");
  const [grant] = await watched.authority.exchange([request({ ...month, spent: 5 })]);
  assert.equal(grant?.used, 65);
  assert.equal(Number(await replica.command("EXISTS", "{sluice:main}:machines")), 1);
  const unknown = watch(t, {
    kind: "sentinel",
    nodes: [{ host: "127.0.0.1", port: sentinel.port }],
    sentinel: { master: "nobody" },
    database: 0,
  });
  const state = await unknown.until("unreachable");
  assert.ok(state.state === "degraded" && /know no master "nobody"/.test(state.message));
});

test("TLS: an authority of one's own is trusted, another is not; clients show certificates", async (t) => {
  if (!requirePart(t, "redis")) return;
  const ours = createAuthority(t);
  const others = createAuthority(t);
  const certificate = ours.issue("localhost");
  const client = ours.issue("client");
  const port = await freePort();
  const directory = join(ours.file, "..");
  writeFileSync(join(directory, "redis.pem"), certificate.cert);
  writeFileSync(join(directory, "redis.key"), certificate.key);
  await startRedis(t, {
    settings: {
      "tls-port": String(port),
      "tls-cert-file": join(directory, "redis.pem"),
      "tls-key-file": join(directory, "redis.key"),
      "tls-ca-cert-file": ours.file,
    },
  });
  const trusting = watch(t, serverAt(port, { tls: { ca: ours.cert, ...client } }), "m1");
  await trusting.until("ok");
  assert.equal((await trusting.authority.exchange([request()]))[0]?.lease, 1);
  const doubting = watch(t, serverAt(port, { tls: { ca: others.cert, ...client } }), "m2");
  const state = await doubting.until("tls");
  assert.ok(state.state === "degraded" && /state\.redis\.tls/.test(state.message));
  const named = watch(t, serverAt(port, { tls: { ca: ours.cert, serverName: "elsewhere.example", ...client } }), "m3");
  await named.until("tls");
});
