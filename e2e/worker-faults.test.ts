/** Workers that cannot go on, or not even start: what the gateway says of it, how often it tries, and that it recovers. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { read } from "./client.ts";
import { startGateway, until, type RunningGateway } from "./harness.ts";
import { MODELS, startWorld } from "./world.ts";

const PRELOAD = join(import.meta.dirname, "crash-preload.ts");

async function noStartFile(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-faults-"));
  t.after(async () => rm(directory, { recursive: true }));
  return join(directory, "no-start");
}

const readiness = async ({ adminUrl }: RunningGateway): Promise<number> => (await fetch(`${adminUrl}/readyz`)).status;

test("a worker that is out of memory is replaced, and says so; the others go on", async (t) => {
  const world = await startWorld(t, {
    workers: 2,
    environment: { NODE_OPTIONS: `--import=${PRELOAD} --max-old-space-size=96`, ORDERS: "memory" },
  });
  const ask = {
    url: world.gateway.url,
    key: world.key,
    dialect: "openai",
    model: MODELS.openai,
    content: "hi",
  } as const;
  world.gateway.process.kill("SIGUSR2");
  await until(
    "the replacement",
    () => (/the replaced worker serves/.test(world.gateway.log()) ? true : undefined),
    20_000,
  );
  assert.match(world.gateway.log(), /ERR_WORKER_OUT_OF_MEMORY/);
  for (let call = 0; call < 10; call++) {
    assert.equal((await read({ ...ask, stream: call % 2 === 0, headers: { connection: "close" } })).status, 200);
  }
  assert.equal(await readiness(world.gateway), 200);
});

test("a gateway whose workers cannot start ends, and says why", async (t) => {
  const file = await noStartFile(t);
  await writeFile(file, "");
  await assert.rejects(
    startGateway(t, { workers: 2, environment: { NODE_OPTIONS: `--import=${PRELOAD}`, NO_START_FILE: file } }),
    /a worker that cannot start, on purpose/,
  );
});

test("workers that die at every start are tried again at growing intervals; nothing is ready until one serves", async (t) => {
  const file = await noStartFile(t);
  const world = await startWorld(t, {
    workers: 1,
    environment: { NODE_OPTIONS: `--import=${PRELOAD}`, NO_START_FILE: file, ORDERS: "exit" },
  });
  const { gateway } = world;
  await writeFile(file, "");
  gateway.process.kill("SIGUSR2");
  await until("the first death", () => (/a worker died/.test(gateway.log()) ? true : undefined));
  const growing = /soon after its start, \d+ times in a row; the next try is in 1280 ms/;
  await until("a longer pause", () => (growing.test(gateway.log()) ? true : undefined), 30_000);
  const deaths = gateway.log().match(/a worker died/g)?.length ?? 0;
  assert.ok(deaths <= 9, `pauses of 10, 20, 40 ms …, but ${deaths} deaths: ${gateway.log()}`);
  assert.equal(await readiness(gateway), 503);
  assert.equal((await fetch(`${gateway.adminUrl}/healthz`)).status, 200);
  await rm(file);
  await until("the replacement", () => (/the replaced worker serves/.test(gateway.log()) ? true : undefined), 20_000);
  assert.equal(await readiness(gateway), 200);
  const call = { url: gateway.url, key: world.key, dialect: "openai", model: MODELS.openai, content: "hi" } as const;
  assert.equal((await read({ ...call, stream: false })).status, 200);
});
