import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cooldowns, createCooldownsMemory } from "../balancing/cooldowns.ts";
import { WeightedRoundRobin } from "../balancing/weighted-round-robin.ts";
import { DIALECTS } from "../dialects/builtin.ts";
import type { DialectName } from "../dialects/form.ts";
import { DeadlineTicker } from "../lib/timer.ts";
import { LimitOverrides } from "../quotas/overrides/limit-overrides.ts";
import { createTokenCorrectionMemory, TokenCorrection } from "../quotas/token-correction.ts";
import { UpstreamFailure, type Origin, type UpstreamHandler, type UpstreamRequest } from "../upstreams/origin.ts";
import type { CompiledModel, Endpoint } from "./engine.ts";
import type { Abortable, Exchange } from "./exchange.ts";
import { callModel } from "./model-call.ts";
import { Models } from "./models.ts";
import { QuotaPlans } from "./quota-plan.ts";
import { Policy } from "./policy.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";

type Script = (handler: UpstreamHandler, request: UpstreamRequest) => void;

const ANSWER = '{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1}}';
const answers =
  (status: number, body = "{}", headers: Record<string, string> = {}): Script =>
  (handler) => {
    handler.onHead(status, { "content-type": "application/json", ...headers });
    handler.onData(Buffer.from(body));
    handler.onEnd();
  };
const ok = answers(200, ANSWER);
const error = (status: number): Script => answers(status, '{"error":{"message":"no"}}');
const refuses: Script = (handler) => {
  handler.onFailure(new UpstreamFailure("connect", new Error("no")));
};
const hangs: Script = () => {};

interface TargetSetting {
  readonly name: string;
  readonly script: Script;
  readonly priority?: number;
  readonly dialect?: DialectName;
}

interface ModelSetting {
  readonly targets: readonly TargetSetting[];
  readonly attempts?: number;
  readonly on?: readonly string[];
  readonly fallbacks?: readonly string[];
}

function policyOf(models: readonly string[]): Policy {
  const content = { timeZone: "UTC", consumerLimits: undefined, keyLimits: undefined, keyGrants: undefined };
  return new Policy({ ...content, consumerGrants: models.map((model) => ({ model })) }, () => 0);
}

/** Models of which every target is an origin with a script, and calls of them. */
class Setting {
  /** Names of the targets that were asked, in order, and what else happened to them. */
  readonly hits: string[] = [];
  readonly cooldowns = new Cooldowns(createCooldownsMemory());
  readonly #models = new Models();
  readonly #ticker = new DeadlineTicker();
  #nodes = 0;

  constructor(models: Readonly<Record<string, ModelSetting>>) {
    for (const [name, setting] of Object.entries(models)) {
      this.#models.add({ name, aliases: [] } as never, this.#compile(name, setting));
    }
  }

  /** Calls a model; resolves to what the client got. */
  call(model: string, options: { grants?: string[]; totalMs?: number; fields?: object } = {}): Call {
    const call = new Call();
    const exchange = {
      dialect: DIALECTS.openai,
      requestId: "req_1",
      headers: {},
      hits: 0,
      dropped: [],
      caller: { policy: policyOf(options.grants ?? ["*"]) },
      route: { config: { timeoutMs: options.totalMs ?? 5_000, dropUnsupported: false } },
      engine: { models: this.#models },
      services: {
        cooldowns: this.cooldowns,
        deadlines: this.#ticker,
        quotas: {
          plans: new QuotaPlans(new LimitOverrides()),
          correction: new TokenCorrection(createTokenCorrectionMemory()),
        },
        log: { error() {} },
      },
      entry: { model() {}, tokens() {} },
      elapsedMs: () => 1,
      attempt() {
        exchange.hits += 1;
      },
      setRunning(running: Abortable | undefined) {
        call.running = running;
      },
      holdAnswer: () => true,
      dropAnswer() {},
      send(status: number) {
        call.answer(String(status));
      },
      sendError(error: { code?: string | null; status: number }) {
        call.answer(error.code ?? String(error.status));
      },
      sendUpstreamErrorBytes(status: number) {
        call.answer(String(status));
      },
      fail(error: { code?: string }) {
        call.answer(error.code ?? "internal");
      },
    };
    const messages = [{ role: "user", content: "x" }];
    const body = Buffer.from(JSON.stringify({ model, messages, ...options.fields }));
    callModel(exchange as unknown as Exchange, "chat", body);
    return call;
  }

  get activities(): number {
    return this.#ticker.size;
  }

  #compile(name: string, { targets, attempts = 2, on, fallbacks = [] }: ModelSetting): CompiledModel {
    const priorities = new Map<number, Endpoint[]>();
    for (const target of targets) {
      const group = priorities.get(target.priority ?? 0) ?? [];
      group.push(this.#endpoint(target));
      priorities.set(target.priority ?? 0, group);
    }
    return {
      name,
      nameId: 1,
      priorities: [...priorities.values()].map((group) => new WeightedRoundRobin(group)),
      maxHits: attempts + 1,
      retryOn: new Set(on ?? ["connect", "429", "5xx", "firstTokenTimeout"]),
      fallbacks,
    } as unknown as CompiledModel;
  }

  #endpoint({ name, script, dialect = "openai" }: TargetSetting): Endpoint {
    const origin: Origin = {
      send: (request, handler) => {
        this.hits.push(name);
        let aborted = false;
        setImmediate(() => {
          if (!aborted) {
            handler.onSent();
            script(handler, request);
          }
        });
        return {
          abort: () => {
            aborted = true;
          },
          pause() {},
          resume() {},
        };
      },
      close: () => Promise.resolve(),
    };
    const timeouts = { connectMs: 1_000, firstTokenMs: 1_000, idleMs: 1_000, totalMs: 5_000 };
    const target = { config: { model: "up" }, dialect: DIALECTS[dialect], filters: {}, timeouts };
    const nodeId = ++this.#nodes;
    return { weight: 1, nodeId, credentialId: 0, target, origin, basePath: "", headers: [], secrets: [] } as never;
  }
}

/** What the client got, and that it got it once. */
class Call {
  running: Abortable | undefined;
  readonly given: string[] = [];
  readonly #answered = Promise.withResolvers<string>();

  answer(what: string): void {
    this.given.push(what);
    this.#answered.resolve(what);
  }

  async answered(): Promise<string> {
    const what = await this.#answered.promise;
    await sleep(5);
    assert.deepEqual(this.given, [what]);
    assert.equal(this.running, undefined);
    return what;
  }
}

async function outcome(t: TestContext, setting: Setting, call: Call): Promise<[string, ...string[]]> {
  t.after(() => call.running?.abort());
  const what = await call.answered();
  assert.equal(setting.activities, 0, "no clock is left");
  return [what, ...setting.hits];
}

test("the first that can serve serves", async (t) => {
  const setting = new Setting({ m: { targets: [{ name: "a", script: ok }] } });
  assert.deepEqual(await outcome(t, setting, setting.call("m")), ["200", "a"]);
});

for (const [name, script] of [
  ["no connection", refuses],
  ["500", error(500)],
  ["429", error(429)],
  ["no JSON", answers(200, "<html>")],
  ["a redirect", answers(302)],
  ["an error that says 200", answers(200, '{"error":{"message":"overloaded","code":503}}')],
] as const) {
  test(`after ${name} another endpoint is asked, then the next priority, then the fallback`, async (t) => {
    const setting = new Setting({
      m: {
        targets: [
          { name: "a1", script },
          { name: "a2", script },
          { name: "b", script, priority: 1 },
        ],
        attempts: 3,
        fallbacks: ["f"],
      },
      f: { targets: [{ name: "c", script: ok }], attempts: 0, fallbacks: ["never"] },
      never: { targets: [{ name: "d", script: ok }] },
    });
    assert.deepEqual(await outcome(t, setting, setting.call("m")), ["200", "a1", "a2", "b", "c"]);
  });
}

for (const attempts of [0, 1, 2, 5]) {
  test(`${attempts} attempts are ${attempts + 1} hits over all layers, and the last answer is the client's`, async (t) => {
    const targets = ["a", "b"].map((name) => ({ name, script: error(500) }));
    const setting = new Setting({
      m: { targets, attempts, fallbacks: ["f"] },
      f: { targets: [{ name: "c", script: error(503) }], attempts: 9 },
    });
    const [what, ...hits] = await outcome(t, setting, setting.call("m"));
    assert.equal(hits.length, attempts + 1);
    assert.equal(what, attempts === 2 ? "503" : "500");
  });
}

for (const status of [400, 404, 409, 413, 422]) {
  test(`${status} is the caller's mistake: it is answered at once`, async (t) => {
    const targets = ["a", "b"].map((name) => ({ name, script: error(status) }));
    const setting = new Setting({ m: { targets } });
    assert.deepEqual(await outcome(t, setting, setting.call("m")), [String(status), "a"]);
  });
}

test("causes that are not configured are not retried", async (t) => {
  for (const [script, on, what] of [
    [error(500), ["connect", "429"], "500"],
    [error(429), ["connect", "5xx"], "429"],
    [refuses, ["429", "5xx"], "upstream_unreachable"],
  ] as const) {
    const targets = ["a", "b"].map((name) => ({ name, script }));
    const setting = new Setting({ m: { targets, on } });
    assert.deepEqual(await outcome(t, setting, setting.call("m")), [what, "a"]);
  }
});

test("a refused credential is tried elsewhere, whatever is configured, and never at the same endpoint", async (t) => {
  const elsewhere = new Setting({
    m: {
      targets: [
        { name: "a", script: error(401) },
        { name: "b", script: ok },
      ],
      on: [],
    },
  });
  assert.deepEqual(await outcome(t, elsewhere, elsewhere.call("m")), ["200", "a", "b"]);
  const alone = new Setting({ m: { targets: [{ name: "a", script: error(403) }] } });
  assert.deepEqual(await outcome(t, alone, alone.call("m")), ["upstream_error", "a"]);
});

test("a target that cannot take the request costs no attempt; an earlier failure is told rather than that", async (t) => {
  const setting = new Setting({
    m: {
      targets: [
        { name: "other dialect", script: ok, dialect: "anthropic" },
        { name: "a", script: ok },
      ],
      attempts: 0,
    },
  });
  const fields = { logit_bias: { "1": 1 } };
  assert.deepEqual(await outcome(t, setting, setting.call("m", { fields })), ["200", "a"]);

  const failing = new Setting({
    m: {
      targets: [
        { name: "a", script: error(500) },
        { name: "other dialect", script: ok, dialect: "anthropic", priority: 1 },
      ],
      attempts: 1,
    },
  });
  assert.deepEqual(await outcome(t, failing, failing.call("m", { fields })), ["500", "a", "a"]);

  const none = new Setting({ m: { targets: [{ name: "other dialect", script: ok, dialect: "anthropic" }] } });
  assert.deepEqual(await outcome(t, none, none.call("m", { fields })), ["unsupported_field"]);
});

test("a fallback that the key is not granted does not serve", async (t) => {
  const setting = new Setting({
    m: { targets: [{ name: "a", script: error(500) }], attempts: 1, fallbacks: ["secret", "free"] },
    secret: { targets: [{ name: "s", script: ok }] },
    free: { targets: [{ name: "f", script: ok }] },
  });
  const call = setting.call("m", { grants: ["m", "free"] });
  assert.deepEqual(await outcome(t, setting, call), ["200", "a", "f"]);
});

test("where everything was told to rest the client is told when to come back, or the call waits if that is short", async (t) => {
  const resting = new Setting({ m: { targets: [{ name: "a", script: ok }] } });
  resting.cooldowns.rest(1, 30_000, sharedNowMs());
  assert.deepEqual(await outcome(t, resting, resting.call("m")), ["no_target_available"]);

  const soon = new Setting({ m: { targets: [{ name: "a", script: ok }] } });
  soon.cooldowns.rest(1, 60, sharedNowMs());
  const start = performance.now();
  assert.deepEqual(await outcome(t, soon, soon.call("m")), ["200", "a"]);
  assert.ok(performance.now() - start >= 55);
});

test("five failures in a row eject a node, if another is left, and an answer forgives them", async (t) => {
  const setting = new Setting({
    m: {
      targets: [
        { name: "a", script: error(500) },
        { name: "b", script: ok },
      ],
      attempts: 1,
    },
  });
  for (let round = 0; round < 20; round++) await outcome(t, setting, setting.call("m"));
  assert.equal(setting.hits.filter((name) => name === "a").length, 5);
  assert.ok(setting.cooldowns.restsUntil(1) > sharedNowMs() + 25_000);
  assert.equal(setting.cooldowns.restsUntil(2), 0);
});

test("a client that leaves before, between or within attempts ends the call: no further hit, no answer, no clock", async () => {
  const script: Script = (handler) => {
    setTimeout(() => {
      refuses(handler, {} as UpstreamRequest);
    }, 5);
  };
  for (const afterMs of [0, 2, 7, 20, 40]) {
    const setting = new Setting({ m: { targets: [{ name: "a", script }], attempts: 9 } });
    const call = setting.call("m");
    if (afterMs > 0) await sleep(afterMs);
    call.running!.abort();
    const hits = setting.hits.length;
    await sleep(150);
    assert.equal(setting.hits.length, hits);
    assert.deepEqual([call.given, setting.activities], [[], 0]);
  }
});

test("the total clock ends a call in an attempt, between two, and while it waits", async (t) => {
  const inAttempt = new Setting({ m: { targets: [{ name: "a", script: hangs }] } });
  assert.deepEqual(await outcome(t, inAttempt, inAttempt.call("m", { totalMs: 50 })), ["total_timeout", "a"]);

  const between = new Setting({ m: { targets: [{ name: "a", script: error(500) }], attempts: 9 } });
  const [what, ...hits] = await outcome(t, between, between.call("m", { totalMs: 200 }));
  assert.equal(what, "total_timeout");
  const count = hits.length;
  await sleep(300);
  assert.equal(between.hits.length, count);

  const waiting = new Setting({ m: { targets: [{ name: "a", script: ok }] } });
  waiting.cooldowns.rest(1, 1_000, sharedNowMs());
  assert.deepEqual(await outcome(t, waiting, waiting.call("m", { totalMs: 50 })), ["total_timeout"]);
});

test("an upstream that goes on after the end, or ends twice, is not heard", async (t) => {
  const twice: Script = (handler, request) => {
    ok(handler, request);
    ok(handler, request);
    refuses(handler, request);
  };
  const setting = new Setting({ m: { targets: [{ name: "a", script: twice }] } });
  assert.deepEqual(await outcome(t, setting, setting.call("m")), ["200", "a"]);
  const failing: Script = (handler, request) => {
    error(500)(handler, request);
    ok(handler, request);
  };
  const other = new Setting({ m: { targets: [{ name: "a", script: failing }], attempts: 0 } });
  assert.deepEqual(await outcome(t, other, other.call("m")), ["500", "a"]);
});
