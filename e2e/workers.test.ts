/** Workers: they share the port and the work; one that dies is replaced, and every request has its end and its entry. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import test, { after, before, beforeEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { UsageEntry } from "../src/ledger/entry.ts";
import { read } from "./client.ts";
import { Cleanups, until } from "./harness.ts";
import { Load, type LoadOptions } from "./load.ts";
import { get } from "./raw-http.ts";
import { MODELS, startWorld, type World } from "./world.ts";

const PRELOAD = join(import.meta.dirname, "crash-preload.ts");

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups, {
    workers: 2,
    environment: { NODE_OPTIONS: `--import=${PRELOAD}`, ORDERS: "throw,exit,reject,throw,spin" },
  });
});
beforeEach(() => {
  world.simulators.openai.reset();
});
after(async () => {
  await cleanups.run();
});

function loadOf(callers: number, more: Partial<LoadOptions> = {}): LoadOptions {
  return { port: world.gateway.port, key: world.key, model: MODELS.openai, callers, ...more };
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${world.gateway.adminUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

/** Makes the gateway obey its next order, and waits until another worker serves in the place of the dead one. */
async function crash(): Promise<void> {
  const restarts = await metric("sluice_worker_restarts_total");
  const said = world.gateway.log().length;
  world.gateway.process.kill("SIGUSR2");
  await until("the replacement", () =>
    /the replaced worker serves/.test(world.gateway.log().slice(said)) ? true : undefined,
  );
  assert.equal(await metric("sluice_worker_restarts_total"), restarts + 1);
}

const SLOW = { stream: true, content: "/simulate reply=lorem&tokens=60&chunkMs=25\n" };

test("both workers serve", async () => {
  const sockets = Array.from({ length: 40 }, () => connect(world.gateway.port, "127.0.0.1"));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  for (const socket of sockets) {
    socket.on("error", () => {});
    socket.write(get("/v1/models", [`authorization: Bearer ${world.key}`]));
  }
  await Promise.all(sockets.map((socket) => once(socket, "data")));
  await crash();
  await until("the connections of the dead worker are closed", () =>
    sockets.some((socket) => socket.destroyed || socket.readableEnded) ? true : undefined,
  );
  await sleep(600);
  const closed = sockets.filter((socket) => socket.destroyed || socket.readableEnded).length;
  assert.ok(closed >= 5 && closed <= 35, `of 40 connections ${closed} were the dead worker's`);
  for (const socket of sockets) socket.destroy();
});

for (const order of ["exit", "reject"]) {
  test(`a worker that dies under load (${order}): clean ends, one entry a request, and then all is as before`, async (t) => {
    const known = (await world.gateway.entries()).length;
    const loads = [new Load(t, loadOf(6)), new Load(t, loadOf(16, SLOW))] as const;
    await world.simulators.openai.waitFor((seen) => seen.running >= 16, 3_000);
    await crash();
    await sleep(800);
    await Promise.all(loads.map((load) => load.stop()));
    const streams = loads[1].results;
    const failed = streams.filter(({ failure }) => failure !== "");
    assert.ok(failed.length >= 1 && failed.length < streams.length, `${failed.length} of ${streams.length} streams`);
    const whole = loads[0].failures();
    assert.ok(whole.length <= 12, `${whole.length} short requests failed`);

    const answered = [...loads[0].results, ...streams].filter(({ requestId }) => requestId !== "");
    const entries = await allEntries(known, new Set(answered.map(({ requestId }) => requestId)));
    const ended = Object.groupBy(entries, ({ outcome }) => outcome);
    const lost = [...(ended.worker_lost ?? []), ...(ended.broken ?? []), ...(ended.gateway_error ?? [])];
    assert.ok(lost.length >= failed.filter(({ status }) => status !== 0).length, JSON.stringify(failed));
    if (order === "exit") assert.ok((ended.worker_lost ?? []).length >= 1, JSON.stringify(Object.keys(ended)));
    else assert.deepEqual(ended.worker_lost ?? [], []);
    await world.simulators.openai.waitFor((seen) => seen.live === 0, 2_000);

    const again = new Load(t, loadOf(8));
    await sleep(400);
    await again.stop();
    assert.deepEqual(again.failures(), []);
    assert.equal((await fetch(`${world.gateway.adminUrl}/readyz`)).status, 200);
    assert.match(world.gateway.log(), /a worker died; another takes its place/);
  });
}

/** The entries since `known`, once those of all answered requests are there: one each. */
async function allEntries(known: number, answered: ReadonlySet<string>): Promise<UsageEntry[]> {
  const entries = await until("the entries", async () => {
    const found = (await world.gateway.entries()).slice(known);
    const ids = new Set(found.map(({ requestId }) => requestId));
    return [...answered].every((id) => ids.has(id)) ? found : undefined;
  });
  await sleep(300);
  const all = (await world.gateway.entries()).slice(known);
  assert.equal(new Set(all.map(({ requestId }) => requestId)).size, all.length, "a request has two entries");
  assert.ok(all.length >= entries.length);
  return all;
}

test("streams of a worker that has a fault end with an error event, those of the other go on", async () => {
  const streams = Array.from({ length: 16 }, () =>
    read({ ...SLOW, url: world.gateway.url, key: world.key, dialect: "openai", model: MODELS.openai }),
  );
  await world.simulators.openai.waitFor((seen) => seen.completionTokens > 100, 3_000);
  await crash();
  const readings = await Promise.all(streams);
  const failed = readings.filter(({ complete }) => !complete);
  assert.ok(failed.length >= 1 && failed.length < readings.length, `${failed.length} failed`);
  for (const { status, error, cut, finished, text } of failed) {
    assert.deepEqual([status, cut, finished], [200, true, false]);
    assert.match(error, /The gateway failed/);
    assert.ok(text.length > 0);
  }
  for (const { complete, finished, cut } of readings.filter((reading) => !failed.includes(reading))) {
    assert.deepEqual([complete, finished, cut], [true, true, false]);
  }
});

test("health, readiness and metrics are answered while every worker is busy", async (t) => {
  const load = new Load(t, loadOf(16));
  await sleep(200);
  world.gateway.process.kill("SIGUSR2");
  const times: number[] = [];
  const until_ = performance.now() + 1_300;
  while (performance.now() < until_) {
    const startedAt = performance.now();
    const answer = await fetch(`${world.gateway.adminUrl}/healthz`);
    await answer.text();
    assert.equal(answer.status, 200);
    times.push(performance.now() - startedAt);
    await sleep(5);
  }
  await load.stop();
  assert.deepEqual(load.failures(), []);
  const sorted = times.toSorted((left, right) => left - right);
  const quantile = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
  assert.ok(times.length > 50, `${times.length} answers`);
  assert.ok(quantile(0.9) < 50, `nine of ten took up to ${quantile(0.9)} ms, the longest ${sorted.at(-1)} ms`);
});
