/** Changes of the configuration while requests run (26): at once for new requests, unnoticed by those under way. */
import assert from "node:assert/strict";
import { mkdir, readFile, rename, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { after, before, beforeEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { Cleanups, startGateway, testKey, until, type Ending, type RunningGateway } from "./harness.ts";
import { Load, type LoadOptions } from "./load.ts";
import { chatBody } from "./raw-http.ts";
import { FREE_PORTS, SluiceProcess, temporaryDirectory } from "./sluice-process.ts";

const stays = testKey("stays");
const revoked = testKey("revoked");
const added = testKey("added");

let simulator: Simulator;
let gateway: RunningGateway;
const cleanups = new Cleanups();
before(async () => {
  simulator = await startSimulator();
  cleanups.after(() => simulator.close());
  gateway = await startGateway(cleanups, { config: config({}), workers: 2 });
});
beforeEach(async () => {
  await gateway.configure(config({}));
  await until("the first configuration", async () => ((await status(stays.key)) === 200 ? true : undefined));
});
after(async () => {
  await cleanups.run();
});

interface Variant {
  readonly keys?: Readonly<Record<string, string>>;
  readonly models?: readonly string[];
  readonly more?: JsonObject;
}

const KEYS = { stays: stays.hash, revoked: revoked.hash };

function config({ keys = KEYS, models = ["m"], more = {} }: Variant): JsonObject {
  return {
    providers: [{ name: "engine", dialect: "openai", nodes: [`${simulator.url}/v1`] }],
    models: models.map((name) => ({ name, targets: [{ provider: "engine", model: "x" }], retry: { attempts: 0 } })),
    consumers: [
      { name: "tests", grants: [{ model: "*" }], keys: Object.entries(keys).map(([name, hash]) => ({ name, hash })) },
    ],
    ...more,
  };
}

async function status(key: string, model = "m", url = gateway.url): Promise<number> {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: chatBody(model),
  });
  await answer.arrayBuffer();
  return answer.status;
}

function load(t: Ending, key: string, callers: number, more: Partial<LoadOptions> = {}): Load {
  return new Load(t, { port: gateway.port, key, model: "m", callers, ...more });
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

test("a key that is revoked under load is refused everywhere within a second (26)", async (t) => {
  const loads = [load(t, revoked.key, 10), load(t, stays.key, 5)] as const;
  await sleep(500);
  await gateway.configure(config({ keys: { stays: stays.hash } }));
  const revokedAt = performance.now();
  await sleep(1_300);
  await Promise.all(loads.map((one) => one.stop()));
  assert.deepEqual(loads[1].failures(), []);
  const late = loads[0].results.filter(({ startedAt }) => startedAt > revokedAt + 1_000);
  assert.ok(late.length > 5, `${late.length} requests after a second`);
  assert.deepEqual(new Set(late.map((result) => result.status)), new Set([401]));
  assert.deepEqual(new Set(loads[0].results.map((result) => result.status)), new Set([200, 401]));
});

test("a key that is added works at once, and so does a model", async () => {
  assert.deepEqual([await status(added.key), await status(stays.key, "new-model")], [401, 404]);
  await gateway.configure(config({ keys: { ...KEYS, added: added.hash }, models: ["m", "new-model"] }));
  const changedAt = performance.now();
  await until("the new key", async () => ((await status(added.key, "new-model")) === 200 ? true : undefined));
  assert.ok(performance.now() - changedAt < 1_000, `${performance.now() - changedAt} ms`);
});

test("reloads under load: no stream is dropped, no request fails (26)", async (t) => {
  const slow = { content: "/simulate reply=lorem&tokens=40&chunkMs=30\n", stream: true };
  const before = await metric("sluice_config_loads_total");
  const loads = [load(t, stays.key, 8), load(t, stays.key, 10, slow)];
  for (let round = 0; round < 8; round++) {
    await sleep(250);
    const models = ["m", ...Array.from({ length: 50 }, (_, index) => `round-${round}-${index}`)];
    const providers = [
      { name: "engine", dialect: "openai", nodes: [`${simulator.url}/v1`], maxConnections: 1_000 + round },
    ];
    await gateway.configure(config({ models, more: { providers } }));
  }
  await sleep(300);
  await Promise.all(loads.map((one) => one.stop()));
  for (const one of loads) assert.deepEqual(one.failures(), []);
  assert.ok(loads[0]!.results.length > 200 && loads[1]!.results.length > 10);
  assert.ok((await metric("sluice_config_loads_total")) - before >= 7);
  assert.equal(await status(stays.key, "round-7-0"), 200);
  assert.equal(await status(stays.key, "round-6-0"), 404);
});

test("a file that cannot run changes nothing and is told by line and column; the next good one is taken", async (t) => {
  const valid = config({ models: ["m", "other"] });
  const cases: [broken: JsonObject, reason: RegExp][] = [
    [{ ...valid, modles: [] }, /sluice\.yaml:\d+:\d+: modles: .*Did you mean .*models/],
    [
      { ...valid, consumers: [{ name: "x", keys: [{ name: "k", hash: "sha256:0" }] }] },
      /:\d+:\d+: consumers\[0\]\.keys\[0\]\.hash/,
    ],
    [{ ...valid, gateway: "${NOT_SET_ANYWHERE}" }, /:\d+:\d+: gateway: .*NOT_SET_ANYWHERE/],
    [
      {
        ...valid,
        domains: [{ host: "*", routes: [{ path: "/v1/*", api: "openai", middlewares: [{ name: "corss" }] }] }],
      },
      /corss/,
    ],
  ];
  const running = load(t, stays.key, 4);
  for (const [broken, reason] of cases) {
    const said = gateway.log().length;
    await gateway.configure(broken);
    await until("the refusal", () => (reason.test(gateway.log().slice(said)) ? true : undefined));
    assert.match(gateway.log().slice(said), /"level":"error".*the running one stays/);
    assert.deepEqual([await status(stays.key), await status(stays.key, "other")], [200, 404]);
  }
  assert.equal(await metric("sluice_config_load_failures_total"), cases.length);
  await gateway.configure(valid);
  await until("the good one", async () => ((await status(stays.key, "other")) === 200 ? true : undefined));
  await running.stop();
  assert.deepEqual(running.failures(), []);
});

test("SIGHUP reads the file again; settings that need a restart are said to", async () => {
  const said = gateway.log().length;
  gateway.process.kill("SIGHUP");
  await sleep(300);
  assert.equal(await status(stays.key), 200);
  await gateway.configure(config({ more: { server: { headersTimeout: "7s", maxBodyBytes: 300 } } }));
  await until("the warning", () =>
    /restart: server\.headersTimeout/.test(gateway.log().slice(said)) ? true : undefined,
  );
  // the limit of bodies is no such setting
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${stays.key}` },
    body: chatBody("m", "x".repeat(300)),
  });
  assert.equal(answer.status, 413);
  await answer.arrayBuffer();
});

test("10,000 routes and models are swapped without delaying requests", async (t) => {
  const many = (): JsonObject => {
    const numbers = Array.from({ length: 10_000 }, (_, index) => index);
    return config({
      models: ["m", ...numbers.map((number) => `model-${number}`)],
      more: {
        domains: [
          {
            host: "*",
            routes: [
              { path: "/v1/*", api: ["openai", "anthropic"] },
              ...numbers.map((number) => ({ path: `/route-${number}/*`, api: "openai" })),
            ],
          },
        ],
      },
    });
  };
  const steady = load(t, stays.key, 4, { pauseMs: 5 });
  await gateway.configure(many());
  await until("the swap", async () => ((await status(stays.key, "model-9999")) === 200 ? true : undefined), 10_000);
  await sleep(200);
  await steady.stop();
  assert.deepEqual(steady.failures(), []);
  assert.ok(steady.quantile(0.95) < 100, `19 of 20 requests took up to ${steady.quantile(0.95)} ms`);
  const slice = await metric("sluice_config_swap_longest_slice_seconds");
  const whole = await metric("sluice_config_swap_duration_seconds");
  assert.ok(slice < whole * 0.75, `of ${whole} s a worker was held for ${slice} s at a time`);
});

test("a ConfigMap that Kubernetes swaps by a symlink is taken up", async (t) => {
  const directory = await temporaryDirectory(t);
  const write = async (version: string, models: readonly string[]): Promise<void> => {
    await mkdir(join(directory, version));
    const content = { ...config({ models }), accessLog: { output: "none" } };
    await writeFile(join(directory, version, "sluice.yaml"), JSON.stringify(content));
    await symlink(version, join(directory, "..data.new"));
    await rename(join(directory, "..data.new"), join(directory, "..data"));
  };
  await write("..one", ["m"]);
  await symlink("..data/sluice.yaml", join(directory, "sluice.yaml"));
  const config_ = ["--config", join(directory, "sluice.yaml"), "--workers", "1"];
  const sluice = new SluiceProcess(t, ["serve", ...FREE_PORTS, ...config_], { cwd: directory });
  const { url } = await sluice.announced();
  assert.deepEqual([await status(stays.key, "m", url), await status(stays.key, "swapped", url)], [200, 404]);
  await write("..two", ["m", "swapped"]);
  await until("the swap", async () => ((await status(stays.key, "swapped", url)) === 200 ? true : undefined));
  // a file that vanishes changes nothing, and one that comes back is read
  await unlink(join(directory, "sluice.yaml"));
  await until("the complaint", () => (/the running one stays/.test(sluice.stderr) ? true : undefined));
  assert.equal(await status(stays.key, "swapped", url), 200);
  await write("..three", ["m", "third"]);
  await symlink("..data/sluice.yaml", join(directory, "sluice.yaml"));
  await until("the new file", async () => ((await status(stays.key, "third", url)) === 200 ? true : undefined), 10_000);
  assert.match(await readFile(join(directory, "sluice.yaml"), "utf8"), /third/);
});
