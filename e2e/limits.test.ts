/** Limits that are set at run time on one machine: when they hold, what becomes of what is used, and what they outlive. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { rawRequest, startGateway, testKey, until, type GatewayOptions, type RunningGateway } from "./harness.ts";
import { askLimits, limitsSet } from "./limits-api.ts";
import { Load } from "./load.ts";
import { ended, FREE_PORTS, SluiceProcess, temporaryDirectory } from "./sluice-process.ts";
import { limitOf, usageOf } from "./usage.ts";

const { key, hash } = testKey("limits");

interface World {
  readonly engine: Simulator;
  readonly gateway: RunningGateway;
  readonly config: JsonObject;
}

async function start(t: TestContext, more: JsonObject = {}, options: GatewayOptions = {}): Promise<World> {
  const directory = await temporaryDirectory(t);
  const engine = await startSimulator({});
  t.after(() => engine.close());
  const config: JsonObject = {
    store: { url: `sqlite:${join(directory, "sluice.db")}` },
    providers: [
      {
        name: "engine",
        dialect: "openai",
        nodes: [`${engine.url}/v1`],
        credentials: [{ name: "main", apiKey: "sk-engine-of-limits" }],
      },
    ],
    models: [{ name: "index", targets: [{ provider: "engine", model: "m" }], retry: { attempts: 0 } }],
    consumers: [consumer("search", { rpm: 100_000 })],
    ...more,
  };
  const gateway = await startGateway(t, { config, workers: 2, ...options });
  return { engine, gateway, config };
}

function consumer(name: string, limits?: JsonObject): JsonObject {
  return {
    name,
    ...(limits && { limits }),
    grants: [{ model: "index" }],
    keys: [{ name: "prod", hash: name === "search" ? hash : testKey(name).hash }],
  };
}

async function ask(gateway: RunningGateway, content = "hi"): Promise<number> {
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "index", messages: [{ role: "user", content }] }),
  });
  await answer.text();
  return answer.status;
}

async function asks(gateway: RunningGateway, times: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let count = 0; count < times; count++) statuses.push(await ask(gateway));
  return statuses;
}

const of = (status: number, statuses: readonly number[]): number => statuses.filter((one) => one === status).length;

test("under load: once the answer is there it holds in every worker, and again the file's when it is removed", async (t) => {
  const { gateway } = await start(t);
  const load = new Load(t, { port: gateway.port, key, model: "index", callers: 8 });
  await until("traffic", () => (load.results.length > 200 ? true : undefined), 20_000);
  assert.deepEqual(load.failures(), []);
  const took: number[] = [];
  for (let round = 0; round < 3; round++) {
    const put = await askLimits(gateway, "PUT", "consumer/search", { rpm: 0 });
    assert.equal(put.status, 200);
    took.push(Math.round(put.ms));
    const from = performance.now();
    const seen = load.results.length;
    await until("refusals", () => (load.results.length > seen + 50 ? true : undefined), 20_000);
    const removed = await askLimits(gateway, "DELETE", "consumer/search");
    const to = performance.now();
    const blocked = load.results.filter(({ startedAt }) => startedAt > from && startedAt < to - removed.ms);
    assert.ok(blocked.length > 20, `${blocked.length} requests`);
    assert.deepEqual(new Set(blocked.map(({ status }) => status)), new Set([429]));
    took.push(Math.round(removed.ms));
    const after = load.results.length;
    await until("answers", () => (load.results.length > after + 50 ? true : undefined), 20_000);
    const free = load.results.filter(({ startedAt }) => startedAt > to);
    assert.deepEqual(new Set(free.map(({ status }) => status)), new Set([200]));
  }
  await load.stop();
  t.diagnostic(`a change took ${took.join(", ")} ms, the first with making the store`);
  assert.ok(Math.max(...took) < 2_000);
});

test("what is used stays used, up and down, and a hard limit is never passed", async (t) => {
  const { gateway, engine } = await start(t, { consumers: [consumer("search", { rpm: 25 })] });
  const startedAt = performance.now();
  /** At most so much has flowed back by now, whichever limit held. */
  const flowed = (): number => Math.ceil(((performance.now() - startedAt) / 60_000) * 60);
  assert.equal(of(200, await asks(gateway, 20)), 20);
  await askLimits(gateway, "PUT", "consumer/search", { rpm: 30, mode: "hard" });
  const before = limitOf(await usageOf(gateway), "consumer:search", "requests");
  assert.equal(before.limit, 30);
  assert.ok(before.used > 20 - flowed() && before.used <= 20, `${before.used} are used`);
  const load = new Load(t, { port: gateway.port, key, model: "index", callers: 8 });
  await until("many more than fit in", () => (load.results.length > 150 ? true : undefined), 20_000);
  await load.stop();
  const admitted = load.results.filter(({ status }) => status === 200).length;
  assert.ok(admitted >= 10 && admitted <= 10 + flowed(), `${admitted} were admitted, ${flowed()} have flowed back`);
  assert.equal(engine.stats().hits, 20 + admitted);
  await askLimits(gateway, "PUT", "consumer/search", { rpm: 60 });
  const raised = of(200, await asks(gateway, 60));
  assert.ok(raised >= 30 && raised <= 30 + flowed(), `${raised} more, ${flowed()} have flowed back`);
  await askLimits(gateway, "DELETE", "consumer/search");
  assert.equal(limitOf(await usageOf(gateway), "consumer:search", "requests").limit, 25);
  assert.equal(await ask(gateway), 429, "60 are used, of 25");
});

test("hard limits of tokens that change under load: all that is admitted fits in", async (t) => {
  const { gateway, engine } = await start(t, { quotas: { mode: "hard" }, consumers: [consumer("search")] });
  // each takes 120 tokens, of which 100 are reserved for the answer
  const body = (tokens: number) => ({
    model: "index",
    max_tokens: 100,
    messages: [{ role: "user", content: `/simulate promptTokens=20&completionTokens=100&tokens=${tokens}` }],
  });
  const results: number[] = [];
  const isOver = { now: false };
  const caller = async (): Promise<void> => {
    while (!isOver.now) {
      const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body: JSON.stringify(body(4)),
      });
      await answer.text();
      results.push(answer.status);
    }
  };
  await askLimits(gateway, "PUT", "model/index", { monthly: { tokens: 3_000 } });
  const callers = Array.from({ length: 6 }, caller);
  for (const tokens of [6_000, 4_000, 9_000]) {
    await until("refusals", () => (results.at(-1) === 429 ? true : undefined), 20_000);
    await askLimits(gateway, "PUT", "model/index", { monthly: { tokens } });
  }
  await until("refusals", () => (results.slice(-30).every((status) => status === 429) ? true : undefined), 20_000);
  isOver.now = true;
  await Promise.all(callers);
  const month = limitOf(await usageOf(gateway), "model:index", "monthlyTokens");
  assert.equal(month.used, engine.stats().hits * 120);
  assert.ok(month.used <= 9_000 && month.used > 6_000, `${month.used} of 9000`);
});

test("kill -9 and restart: what was set holds from the first request on, and what was removed does not", async (t) => {
  const { gateway, config } = await start(t);
  await askLimits(gateway, "PUT", "key/search/prod", { rpm: 2 });
  await askLimits(gateway, "PUT", "grant/search/index", { rpm: 0 });
  await askLimits(gateway, "DELETE", "grant/search/index");
  gateway.process.kill("SIGKILL");
  await once(gateway.process, "exit");
  const again = await startGateway(t, { config, workers: 2 });
  assert.deepEqual(await asks(again, 4), [200, 200, 429, 429]);
  const set = await limitsSet(again);
  assert.deepEqual([...set.keys()], ["key:search/prod"]);
  assert.deepEqual((set.get("key:search/prod")!["set"] as JsonObject)["limits"], { rpm: 2 });
  await again.stop();
  const third = await startGateway(t, { config, workers: 1 });
  assert.deepEqual(await asks(third, 3), [200, 200, 429], "and after a graceful stop");
});

test("a new configuration keeps what was set; a subject that leaves it is told of once, and limited again when it is back", async (t) => {
  const { gateway, config } = await start(t, { consumers: [consumer("search", { rpm: 50 }), consumer("other")] });
  await askLimits(gateway, "PUT", "consumer/search", { rpm: 1 });
  await askLimits(gateway, "PUT", "consumer/other", { rpm: 9 });
  const loaded = async (next: JsonObject): Promise<void> => {
    const count = (): number => gateway.log().split("configuration loaded").length;
    const before = count();
    await gateway.configure({ ...config, ...next });
    await until("the new configuration", () => (count() > before ? true : undefined), 10_000);
  };
  await loaded({ consumers: [consumer("search", { rpm: 60 })] });
  assert.deepEqual(await asks(gateway, 2), [200, 429]);
  const set = await limitsSet(gateway);
  assert.deepEqual(set.get("consumer:search")!["file"], { rpm: 60, burst: "60s", mode: "soft" });
  assert.equal((set.get("consumer:other")!["set"] as JsonObject)["inForce"], false);
  await loaded({ consumers: [consumer("search", { rpm: 70 })] });
  const warnings = gateway.log().match(/for consumer:other have no effect: the configuration has no such subject now/g);
  assert.equal(warnings?.length, 1);
  await loaded({ consumers: [consumer("search", { rpm: 70 }), consumer("other")] });
  assert.equal(limitOf(await usageOf(gateway), "consumer:other", "requests").limit, 9);
  const removed = await askLimits(gateway, "DELETE", "consumer/search");
  assert.deepEqual(removed.body["holds"], { rpm: 70, burst: "60s", mode: "soft" });
});

test("a worker that takes another's place knows what was set", async (t) => {
  const preload = join(import.meta.dirname, "crash-preload.ts");
  const environment = { NODE_OPTIONS: `--import=${preload}`, ORDERS: "exit" };
  const { gateway } = await start(t, {}, { workers: 1, environment });
  await askLimits(gateway, "PUT", "consumer/search", { rpm: 0 });
  gateway.process.kill("SIGUSR2");
  await until("the replacement", () => (/the replaced worker serves/.test(gateway.log()) ? true : undefined), 10_000);
  assert.equal(await ask(gateway), 429);
});

test("every kind of subject is limited by what is set for it, and the usage report marks it", async (t) => {
  const { gateway } = await start(t, { consumers: [consumer("search")] });
  const subjects = [
    ["consumer/search", 429],
    ["key/search/prod", 429],
    ["grant/search/index", 429],
    ["model/index", 429],
    ["target/index/engine/m", 429],
    ["credential/engine/main", 429],
  ] as const;
  assert.equal(await ask(gateway), 200);
  for (const [path, status] of subjects) {
    assert.equal((await askLimits(gateway, "PUT", path, { concurrency: 0 })).status, 200, path);
    assert.equal(await ask(gateway), status, path);
    const report = await (await fetch(`${gateway.adminUrl}/admin/v1/usage`)).json();
    const { usage } = report as { usage: { overridden: boolean; limits: { limit: number }[] }[] };
    assert.deepEqual(
      usage.map(({ overridden, limits }) => [overridden, limits[0]?.limit]),
      [[true, 0]],
      path,
    );
    assert.equal((await askLimits(gateway, "DELETE", path)).status, 200, path);
    assert.equal(await ask(gateway), 200, path);
  }
});

test("what cannot be stored does not hold", async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, "file"), "");
  const { gateway } = await start(t, { store: { url: `sqlite:${join(directory, "file", "sluice.db")}` } });
  const refused = await askLimits(gateway, "PUT", "consumer/search", { rpm: 0 });
  assert.equal(refused.status, 503);
  assert.match(JSON.stringify(refused.body), /store_unavailable.*Nothing was changed/);
  assert.equal(await ask(gateway), 200);
  assert.equal((await limitsSet(gateway)).size, 0);
});

test("(5) tokens: none, no way in; they come and go with the configuration, and the log says whose changed what", async (t) => {
  const { gateway, config } = await start(t);
  const ops = testKey("ops");
  await gateway.configure({ ...config, admin: { tokens: [{ name: "ops", hash: ops.hash }] } });
  const usage = (headers: Record<string, string> = {}) => fetch(`${gateway.adminUrl}/admin/v1/usage`, { headers });
  await until("tokens", async () => ((await usage()).status === 401 ? true : undefined), 10_000);
  for (const path of ["usage", "limits", "limits/consumer/search", "consumers/search/usage", "templates", "nothing"]) {
    assert.equal((await fetch(`${gateway.adminUrl}/admin/v1/${path}`)).status, 401, path);
  }
  for (const path of ["healthz", "readyz", "metrics"]) {
    assert.equal((await fetch(`${gateway.adminUrl}/${path}`)).status, 200, path);
  }
  assert.equal((await askLimits(gateway, "PUT", "consumer/search", { rpm: 0 })).status, 401);
  const headers = { authorization: `Bearer ${ops.key}` };
  const put = await askLimits(gateway, "PUT", "consumer/search", { rpm: 5 }, headers);
  assert.equal((put.body["set"] as JsonObject)["by"], "ops");
  assert.match(
    gateway.log(),
    /"subject":"consumer:search","by":"ops","from":"127.0.0.1","before":".*100000.*","after":".*5/,
  );
  assert.equal((await usage(headers)).status, 200);
  await gateway.configure(config);
  await until("no tokens", async () => ((await usage()).status === 200 ? true : undefined), 10_000);
});

test("without tokens: neither from other machines, nor by a web page", async (t) => {
  const { gateway } = await start(t);
  const { port } = new URL(gateway.adminUrl);
  const put = (lines: string[]): Promise<{ text: string }> =>
    rawRequest(
      Number(port),
      [
        "PUT /admin/v1/limits/consumer/search HTTP/1.1",
        ...lines,
        "content-length: 9",
        "connection: close",
        "",
        '{"rpm":0}',
      ].join("\r\n"),
    );
  const json = "content-type: application/json";
  assert.match((await put([`host: rebound.example:${port}`, json])).text, /^HTTP\/1.1 403.*write_not_allowed/s);
  assert.match((await put([`host: 127.0.0.1:${port}`, "content-type: text/plain"])).text, /^HTTP\/1.1 403/);
  assert.match((await put([`host: 127.0.0.1:${port}`, json, "origin: https://evil.example"])).text, /^HTTP\/1.1 403/);
  assert.equal(await ask(gateway), 200);
  assert.match((await put([`host: 127.0.0.1:${port}`, json])).text, /^HTTP\/1.1 200/);
  assert.equal(await ask(gateway), 429);
  const cwd = await temporaryDirectory(t);
  const open = new SluiceProcess(t, ["serve", ...FREE_PORTS.slice(0, 2), "--admin-listen", "0.0.0.0:0"], { cwd });
  const { adminUrl } = await open.announced();
  const refused = await askLimits({ adminUrl }, "PUT", "consumer/default", { rpm: 1 });
  assert.equal(refused.status, 403);
  assert.match(JSON.stringify(refused.body), /admin\.listen.*admin\.tokens/);
  assert.equal((await askLimits({ adminUrl }, "GET", "")).status, 200);
});

test("`sluice limits` sets, shows and removes; `sluice usage` marks what was set", async (t) => {
  const ops = testKey("ops");
  const { gateway } = await start(t, { admin: { tokens: [{ name: "ops", hash: ops.hash }] } });
  const run = (...args: string[]) => ended(t, [...args, "--admin", gateway.adminUrl], { SLUICE_ADMIN_TOKEN: ops.key });
  const none = await run("limits");
  assert.match(none.stdout, /^No limits are set at run time/);
  const set = await run("limits", "set", "consumer", "search", "rpm=7", "monthly.usd=2.5", "burst=5s");
  assert.match(
    set.stdout,
    /^consumer:search: rpm=7 burst=5s mode=soft monthly.usd=2.5\n {2}the file says: rpm=100000 /,
  );
  assert.match(set.stdout, /by ops from 127\.0\.0\.1 .*on this machine only\n$/);
  await run("limits", "set", "credential", "engine%2Fmain", "none");
  const { stdout } = await run("limits", "list", "--json");
  const { limits } = JSON.parse(stdout) as { limits: { subject: string; set: { limits: JsonObject } }[] };
  assert.deepEqual(
    limits.map((entry) => [entry.subject, entry.set.limits]),
    [
      ["consumer:search", { rpm: 7, monthly: { usd: 2.5 }, burst: "5s" }],
      ["credential:engine%2Fmain", {}],
    ],
  );
  const usage = await run("usage");
  assert.match(usage.stdout, /^consumer:search \* +requests a minute/m);
  assert.match(usage.stdout, /\* set at run time/);
  const removed = await run("limits", "unset", "consumer", "search");
  assert.match(removed.stdout, /^consumer:search: rpm=100000 .*\n {2}as the file says\n$/);
  for (const [args, message] of [
    [["unset", "consumer", "search"], /Nothing was set/],
    [["set", "consumer", "serch", "rpm=1"], /no consumer "serch"/],
    [["set", "consumer", "search", "rpm=x"], /rpm: must be a whole number/],
    [["set", "consumer", "search", "rpn=1"], /rpn=1 is no limit/],
    [["set", "consumer", "search"], /Say which limits/],
    [["set", "key", "search", "rpm=1"], /write CONSUMER\/KEY/],
    [["set", "planet", "earth", "rpm=1"], /planet is no kind/],
  ] as const) {
    const failed = await run("limits", ...args);
    assert.deepEqual([failed.code, failed.stdout], [1, ""], args.join(" "));
    assert.match(failed.stderr, message);
  }
  const closed = await ended(t, ["limits", "--admin", gateway.adminUrl]);
  assert.match(closed.stderr, /SLUICE_ADMIN_TOKEN/);
  const wrong = await ended(t, ["limits", "--admin", gateway.adminUrl, "--token", "x"]);
  assert.equal(wrong.code, 1);
});
