/** What is used of limits, as people and tools see it: the report, its command, alerts and metrics. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { read } from "./client.ts";
import { Cleanups, rawRequest, startGateway, testKey, until, type RunningGateway } from "./harness.ts";
import { ended } from "./sluice-process.ts";
import { limitOf, quietUsage, tokensOf, usageOf, usagePage } from "./usage.ts";

const { key, hash } = testKey("usage-report");
const cleanups = new Cleanups();
let engine: Simulator;
let gateway: RunningGateway;
before(async () => {
  engine = await startSimulator({});
  cleanups.after(() => engine.close());
  gateway = await startGateway(cleanups, { config: configOf(consumers()), workers: 2 });
});
after(() => cleanups.run());

function consumers(): JsonObject[] {
  const others = Array.from({ length: 250 }, (_, index) => ({
    name: `team-${index}`,
    limits: { rpm: 60 },
    keys: [{ name: "only", hash: testKey(`team-${index}`).hash, limits: { concurrency: 2 } }],
  }));
  return [
    {
      name: "search",
      timeZone: "Asia/Shanghai",
      budgets: { monthly: { tokens: 1_000_000 } },
      grants: [
        { model: "index", rpm: 600, burst: "10s", monthly: { tokens: 500_000 } },
        { model: "*", rpm: 60 },
      ],
      keys: [{ name: "prod", hash, limits: { concurrency: 3 }, grants: [{ model: "in*", tpm: 100_000 }] }],
    },
    { name: "free", grants: [{ model: "*" }], keys: [{ name: "only", hash: testKey("free").hash }] },
    ...others,
  ];
}

function configOf(all: readonly JsonObject[], more: JsonObject = {}): JsonObject {
  return {
    providers: [
      {
        name: "engine",
        dialect: "openai",
        nodes: [`${engine.url}/v1`],
        credentials: [{ name: "main", apiKey: "sk-engine", limits: { rpm: 5_000 } }],
      },
    ],
    models: [
      {
        name: "index",
        targets: [{ provider: "engine", model: "org/m", limits: { tpm: 2_000_000 } }],
        limits: { rpm: 10_000 },
      },
      { name: "meta/other", targets: [{ provider: "engine", model: "m" }] },
    ],
    consumers: [...all],
    ...more,
  };
}

const chat = (at: RunningGateway, content: string, stream = false): ReturnType<typeof read> =>
  read({ url: at.url, key, dialect: "openai", model: "index", stream, content });

/** Runs `sluice usage` to its end. */
const command = (...parameters: string[]): ReturnType<typeof ended> => ended(cleanups, ["usage", ...parameters]);

test("everything limited is there before anybody used it, and what runs is held", async () => {
  const { usage } = await usagePage(gateway, "?limit=1000&consumer=search");
  assert.deepEqual(
    usage.map(({ subject }) => subject),
    ["consumer:search", "grant:search/index", "grant:search/*", "key:search/prod", "keyGrant:search/prod/in*"],
  );
  assert.deepEqual(usage[3], {
    subject: "key:search/prod",
    type: "key",
    consumer: "search",
    key: "prod",
    mode: "soft",
    limits: [{ kind: "concurrency", per: "moment", limit: 3, used: 0, reserved: 0, remaining: 3 }],
  });
  const running = chat(gateway, "/simulate reply=lorem&tokens=40&chunkMs=20\n", true);
  await engine.waitFor((seen) => seen.running === 1, 5_000);
  const rows = await usageOf(gateway);
  assert.equal(limitOf(rows, "key:search/prod", "concurrency").reserved, 1);
  assert.ok(limitOf(rows, "grant:search/index", "monthlyTokens").reserved > 0);
  const rate = limitOf(rows, "grant:search/index", "requests");
  assert.deepEqual([rate.limit, rate.burst], [600, 100]);
  await running;
});

test("after traffic: the access log's tokens, in the calendar of the consumer; nothing held", async () => {
  await Promise.all([chat(gateway, "one"), chat(gateway, "/simulate promptTokens=901&completionTokens=99\n", true)]);
  const rows = await quietUsage(gateway);
  const tokens = tokensOf(await gateway.waitForEntries(3));
  assert.ok(tokens > 1_000);
  for (const [subject, limit] of [
    ["consumer:search", 1_000_000],
    ["grant:search/index", 500_000],
  ] as const) {
    const { exhaustedAt, month, resetsAt, ...level } = limitOf(rows, subject, "monthlyTokens");
    const wanted = { kind: "monthlyTokens", per: "month", limit, used: tokens, reserved: 0, remaining: limit - tokens };
    assert.deepEqual(level, { ...wanted, timeZone: "Asia/Shanghai" });
    assert.match(resetsAt!, /^\d{4}-\d\d-01T00:00:00\+08:00$/);
    assert.equal(new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 7), month);
    assert.ok(exhaustedAt === null || exhaustedAt! < resetsAt!);
  }
  assert.ok(limitOf(rows, "keyGrant:search/prod/in*", "tokens").used > 0, "it has not decayed yet");
  assert.equal(limitOf(rows, "grant:search/*", "requests").used, 0);
});

test("pages: every subject once; the last one says so", async () => {
  const whole = await usagePage(gateway, "?limit=1000");
  assert.equal(whole.usage.length, 508);
  const seen: string[] = [];
  let query = "";
  const sizes: number[] = [];
  for (;;) {
    const { usage, next } = await usagePage(gateway, query);
    seen.push(...usage.map(({ subject }) => subject));
    sizes.push(usage.length);
    if (next === null) break;
    query = `?cursor=${next}`;
  }
  assert.deepEqual(sizes, [100, 100, 100, 100, 100, 8]);
  assert.deepEqual(
    seen,
    whole.usage.map(({ subject }) => subject),
  );
  assert.equal(new Set(seen).size, 508);
});

test("filters, one consumer, and those that have no limits", async () => {
  const found = async (query: string): Promise<string[]> =>
    (await usagePage(gateway, query)).usage.map(({ subject }) => subject);
  assert.deepEqual(await found("?model=index"), ["grant:search/index", "model:index", "target:index/engine/org%2Fm"]);
  assert.deepEqual(await found("?type=credential"), ["credential:engine%2Fmain"]);
  assert.deepEqual(await found("?type=grant&model=*"), ["grant:search/*"]);
  const target = encodeURIComponent("target:index/engine/org%2Fm");
  assert.deepEqual(await found(`?subject=${target}`), ["target:index/engine/org%2Fm"]);
  assert.deepEqual(await found("?consumer=nobody"), []);
  const one = await usagePage(gateway, "", "/admin/v1/consumers/team-7/usage");
  assert.deepEqual(
    [(one as unknown as JsonObject)["consumer"], one.usage.map(({ subject }) => subject), one.next],
    ["team-7", ["consumer:team-7", "key:team-7/only"], null],
  );
  assert.deepEqual((await usagePage(gateway, "?limit=1", "/admin/v1/consumers/%74eam-7/usage")).usage.length, 1);
  assert.deepEqual((await usagePage(gateway, "", "/admin/v1/consumers/free/usage")).usage, []);
});

test("hostile input: 400, 404 or 405 that says what to do, and the gateway goes on", async () => {
  const port = Number(new URL(gateway.adminUrl).port);
  const status = async (target: string, method = "GET"): Promise<string> => {
    const { text } = await rawRequest(port, `${method} ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    const code = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? "none";
    if (method !== "HEAD" && code !== "200") {
      const error = JSON.parse(text.slice(text.indexOf("\r\n\r\n"))) as { error: { message: string } };
      assert.ok(error.error.message.length > 10 && error.error.message.length < 500, text);
    }
    return code;
  };
  const all = "/admin/v1/usage";
  for (const path of [
    `${all}/`,
    `/${all}`,
    `${all};x`,
    "/admin/v1/../v1/usage",
    "/admin//v1/usage",
    "/admin/v1/%75sage",
  ]) {
    assert.equal(await status(path), "404", path);
  }
  for (const name of ["nobody", "..", "%2e%2e", "search%2F", "%2525", "search%00", "__proto__", "a".repeat(2_000)]) {
    assert.equal(await status(`/admin/v1/consumers/${name}/usage`), "404", name);
  }
  const queries = [
    "a=b",
    "limit=0",
    "limit=1001",
    "limit=1&limit=1",
    "cursor=%3Cscript%3E",
    "type=x",
    "consumer=%E0%A4",
  ];
  queries.push(`cursor=${Buffer.from("999999999 x").toString("base64url")}`, `subject=${"x".repeat(3_000)}`, "%00=1");
  for (const query of queries) assert.equal(await status(`${all}?${query}`), "400", query);
  assert.equal(await status("/admin/v1/consumers/%zz/usage"), "400");
  for (const method of ["POST", "DELETE", "PUT", "OPTIONS"]) assert.equal(await status(all, method), "405", method);
  // its numbers do not flow
  const quiet = `${gateway.adminUrl}${all}?subject=key:search/prod`;
  const head = await fetch(quiet, { method: "HEAD" });
  const got = await fetch(quiet);
  assert.equal(head.headers.get("content-length"), String((await got.text()).length));
  assert.equal(await head.text(), "");
  const many = await Promise.all(
    Array.from({ length: 100 }, async () => (await fetch(`${gateway.adminUrl}${all}?limit=1000`)).status),
  );
  assert.ok(many.every((code) => code === 200 || code === 503) && many.includes(200), many.join());
  assert.equal(await status(all), "200");
  assert.equal((await chat(gateway, "hi")).status, 200);
});

test("sluice usage: a table, JSON as the port gives it, and clear words when there is no gateway", async () => {
  const table = await command("--admin", gateway.adminUrl, "--consumer", "search");
  assert.deepEqual([table.code, table.stderr], [0, ""]);
  const lines = table.stdout.trimEnd().split("\n");
  assert.match(lines[0]!, /^SUBJECT +LIMIT +USED +RUNNING +OF +USED % +BACK$/);
  assert.match(lines[1]!, /^consumer:search +tokens a month +[\d,]+ +0 +1,000,000 +0\.\d  \d{4}-\d\d-01 00:00 \+08:00/);
  assert.equal(lines.length, 1 + 6);
  const json = await command("--admin", gateway.adminUrl.replace("http://", ""), "--json");
  const { usage } = JSON.parse(json.stdout) as { readonly usage: readonly JsonObject[] };
  assert.deepEqual([json.code, usage.length], [0, 508]);
  const nobody = await command("--admin", gateway.adminUrl, "--consumer", "../x?y");
  assert.deepEqual([nobody.code, nobody.stdout], [1, ""]);
  assert.match(nobody.stderr, /no consumer "\.\.\/x\?y"/);
  const wrongPort = await command("--admin", gateway.url);
  assert.equal(wrongPort.code, 1);
  assert.match(wrongPort.stderr, /is not the admin port of this Sluice/);
  const closed = await command("--admin", "http://127.0.0.1:1");
  assert.equal(closed.code, 1);
  assert.match(closed.stderr, /^No gateway answers at http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\)\. Is it running\?/);
});

test("a changed configuration is what the report is about, within a second", async () => {
  const [search, ...others] = consumers();
  await gateway.configure(configOf([{ ...search, budgets: { monthly: { tokens: 2_000 } } }, ...others.slice(0, 3)]));
  const rows = await until("the new configuration", async () => {
    const found = await usageOf(gateway);
    return found.size < 20 ? found : undefined;
  });
  const { limit, used, remaining } = limitOf(rows, "consumer:search", "monthlyTokens");
  assert.ok(used > 1_000);
  assert.deepEqual([limit, remaining], [2_000, 2_000 - used]);
  await gateway.configure(configOf(consumers()));
  await until("the old one", async () => ((await usageOf(gateway)).size > 500 ? true : undefined));
});

test("a budget that passes 80 and 100 percent: one line and one count each, also after kill -9", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "sluice-usage-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const store = { url: `sqlite:${join(directory, "sluice.db")}` };
  const start = (own: TestContext): Promise<RunningGateway> =>
    startGateway(own, {
      config: configOf([{ ...consumers()[0]!, budgets: { monthly: { tokens: 10_000 } } }], { store }),
      workers: 2,
    });
  const alerts = (of: RunningGateway): string[] =>
    of
      .log()
      .split("\n")
      .filter((line) => line.includes('"percent"'))
      .map((line) => {
        const { level, subject, percent, month, used, limit } = JSON.parse(line) as JsonObject;
        assert.match(String(month), /^\d{4}-\d\d$/);
        return [level, subject, percent, used, limit].join(" ");
      });
  const uses = (tokens: number): string => `/simulate promptTokens=${tokens - 10}&completionTokens=10\n`;
  const first = await start(t);
  assert.equal((await chat(first, uses(7_900))).status, 200);
  await sleep(300);
  assert.deepEqual(alerts(first), []);
  assert.equal((await chat(first, uses(200))).status, 200);
  assert.equal((await chat(first, uses(100))).status, 200);
  await until("the alert", () => (alerts(first).length > 0 ? true : undefined));
  await sleep(300);
  assert.equal(alerts(first).length, 1);
  assert.match(alerts(first)[0]!, /^warn consumer:search 80 8\d00 10000$/);
  const counts = await (await fetch(`${first.adminUrl}/metrics`)).text();
  assert.match(counts, /^sluice_quota_alerts_total\{percent="80"\} 1$/m);
  assert.match(counts, /^sluice_quota_used\{type="consumer",subject="consumer:search",kind="monthlyTokens"\} 8200$/m);
  first.process.kill("SIGKILL");
  await once(first.process, "exit");

  const second = await start(t);
  assert.equal(limitOf(await usageOf(second), "consumer:search", "monthlyTokens").used, 8_200);
  assert.equal((await chat(second, uses(300))).status, 200);
  await sleep(300);
  assert.deepEqual(alerts(second), [], "80 percent were told of before");
  assert.equal((await chat(second, uses(3_000))).status, 200);
  await until("the second alert", () => (alerts(second).length > 0 ? true : undefined));
  assert.equal((await chat(second, uses(10))).status, 429);
  await sleep(300);
  assert.deepEqual(alerts(second), ["warn consumer:search 100 11500 10000"]);
  const { remaining, exhaustedAt } = limitOf(await usageOf(second), "consumer:search", "monthlyTokens");
  assert.equal(remaining, 0);
  assert.equal(typeof exhaustedAt, "string");
});
