/** What nobody should say: absurd `max_tokens` of clients, absurd counts of providers. Counters stay numbers, and exact. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startGateway, testKey, until, type RunningGateway } from "./harness.ts";
import { requirePart } from "./parts.ts";
import { startRedis } from "./redis/redis-server.ts";
import { temporaryDirectory } from "./sluice-process.ts";
import { limitOf, quietUsage, tokensOf } from "./usage.ts";

const { key, hash } = testKey("quota-inputs");
const SUBJECT = "grant:search/index";
const PRICE = { input: 1, output: 2 };

/** A provider that answers with this usage, as JSON text. */
async function provider(t: TestContext, dialect: "openai" | "anthropic") {
  const said = { usage: "" };
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      const answer =
        dialect === "openai"
          ? `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":${said.usage}}`
          : `{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":${said.usage}}`;
      response.writeHead(200, { "content-type": "application/json" }).end(answer);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { said, url: dialect === "openai" ? `${url}/v1` : url };
}

interface Setting {
  readonly url: string;
  readonly dialect?: "openai" | "anthropic";
  readonly limits: JsonObject;
  readonly more?: JsonObject;
}

function configOf({ url, dialect = "openai", limits, more }: Setting): JsonObject {
  return {
    providers: [{ name: "vendor", dialect, nodes: [url], credentials: [{ name: "main", apiKey: "sk-vendor" }] }],
    models: [{ name: "index", targets: [{ provider: "vendor", model: "m", price: PRICE }], retry: { attempts: 0 } }],
    consumers: [{ name: "search", grants: [{ model: "index", ...limits }], keys: [{ name: "prod", hash }] }],
    ...more,
  };
}

/** A chat call; `members` are members of the body as text, for numbers that JavaScript does not write. */
async function ask(gateway: RunningGateway, members = ""): Promise<{ status: number; error: JsonObject }> {
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: `{"model":"index","messages":[{"role":"user","content":"hi"}]${members}}`,
  });
  const body = (await answer.json()) as { error?: JsonObject };
  return { status: answer.status, error: body.error ?? {} };
}

const ABSURD = ["1e17", "9007199254740993", "1e308", "1e999", "0.5", "-3", '"12"', "null", "[]", "-1e999"];

for (const dialect of ["openai", "anthropic"] as const) {
  test(`absurd counts of a provider (${dialect}): counters and log agree, and the gateway starts with them again`, async (t) => {
    const { said, url } = await provider(t, dialect);
    const store = { url: `sqlite:${join(await temporaryDirectory(t), "sluice.db")}` };
    const monthly = { tokens: 1_000_000_000_000, usd: 9_000_000 };
    const config = configOf({ url, dialect, limits: { monthly, tpm: 1_000_000_000_000 }, more: { store } });
    const gateway = await startGateway(t, { config });
    const [prompt, completion] = dialect === "openai" ? ["prompt", "completion"] : ["input", "output"];
    for (const count of ABSURD) {
      said.usage = `{"${prompt}_tokens":${count},"${completion}_tokens":${count}}`;
      assert.equal((await ask(gateway)).status, 200, count);
    }
    said.usage = `{"${prompt}_tokens":10,"${completion}_tokens":5}`;
    assert.equal((await ask(gateway)).status, 200);
    const entries = await gateway.waitForEntries(ABSURD.length + 1);
    for (const { promptTokens, completionTokens, costNanoUsd } of entries) {
      for (const number of [promptTokens, completionTokens, costNanoUsd]) {
        assert.ok(Number.isSafeInteger(number) && number >= 0, `${number}`);
      }
    }
    const rows = await quietUsage(gateway);
    const cost = entries.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0);
    assert.equal(limitOf(rows, SUBJECT, "monthlyTokens").used, tokensOf(entries));
    assert.equal(limitOf(rows, SUBJECT, "monthlyUsd").used, cost / 1e9);
    await gateway.stop();
    const again = await startGateway(t, { config });
    const later = await quietUsage(again);
    assert.equal(limitOf(later, SUBJECT, "monthlyTokens").used, tokensOf(entries));
    assert.equal(limitOf(later, SUBJECT, "monthlyUsd").used, cost / 1e9);
  });
}

/** As `max_tokens` or `n`. */
const NUMBERS = ["9007199254740992", "9007199254740993", "1e17", "1e308", "1e999"];

test("max_tokens of 2^53 and more: a hard limit says that it is too much, a soft one expects what is usual", async (t) => {
  const { said, url } = await provider(t, "openai");
  said.usage = '{"prompt_tokens":10,"completion_tokens":5}';
  for (const mode of ["hard", "soft"] as const) {
    // 1,024 answers of usual length fit in beside what was just used, however fast requests follow each other
    const limits = { mode, tpm: 10_000_000, concurrency: 5, monthly: { tokens: 10_000_000, usd: 1_000 } };
    const gateway = await startGateway(t, { config: configOf({ url, limits }) });
    for (const number of NUMBERS) {
      for (const members of [`,"max_tokens":${number}`, `,"max_completion_tokens":${number},"n":${number}`]) {
        const { status, error } = await ask(gateway, members);
        if (mode === "soft") {
          assert.equal(status, 200, members);
        } else {
          assert.equal(status, 429, members);
          assert.equal(error["code"], "rate_limit_exceeded");
          assert.match(String(error["message"]), /max_tokens/);
        }
      }
    }
    for (const number of ["-1", "-1e999", "0", "1.5", "null", '"many"', "[]"]) {
      assert.equal((await ask(gateway, `,"max_tokens":${number}`)).status, 200, `the provider is to judge ${number}`);
    }
    const rows = await quietUsage(gateway);
    const entries = await gateway.waitForEntries(2 * NUMBERS.length + 7);
    assert.equal(limitOf(rows, SUBJECT, "monthlyTokens").used, tokensOf(entries));
    for (const kind of ["tokens", "monthlyTokens", "monthlyUsd", "concurrency"] as const) {
      assert.ok(Number.isFinite(limitOf(rows, SUBJECT, kind).remaining), kind);
    }
  }
});

test("the same while everything is admitted, since Redis is away: nothing stays reserved, and limits hold when it is back", async (t) => {
  if (!requirePart(t, "redis")) return;
  const { said, url } = await provider(t, "openai");
  said.usage = '{"prompt_tokens":10,"completion_tokens":5}';
  const redis = await startRedis(t);
  const limits = { mode: "hard", tpm: 1_000_000, monthly: { tokens: 10_000_000, usd: 1_000 } };
  const store = { url: `sqlite:${join(await temporaryDirectory(t), "sluice.db")}` };
  const more = { state: { redis: redis.url }, store, quotas: { onAuthorityLoss: "open" } };
  const gateway = await startGateway(t, { config: configOf({ url, limits, more }) });
  const isShared = async (wanted: boolean): Promise<true | undefined> => {
    const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
    return text.includes(`sluice_quota_authority_up ${wanted ? 1 : 0}\n`) ? true : undefined;
  };
  await redis.kill();
  await until("Redis is missed", () => isShared(false), 10_000);
  for (const number of NUMBERS) {
    for (const members of [`,"max_tokens":${number}`, `,"max_tokens":${number},"n":${number}`]) {
      assert.equal((await ask(gateway, members)).status, 200, members);
    }
  }
  const used = tokensOf(await gateway.waitForEntries(2 * NUMBERS.length));
  await redis.start();
  await until("Redis is back", () => isShared(true), 10_000);
  assert.equal((await ask(gateway, ',"max_tokens":5')).status, 200);
  assert.equal((await ask(gateway, ',"max_tokens":1000001')).status, 429);
  const rows = await quietUsage(gateway);
  assert.equal(limitOf(rows, SUBJECT, "monthlyTokens").used, used + 15);
  assert.ok(limitOf(rows, SUBJECT, "tokens").remaining > 900_000);
});
