// Several machines as they are in production: Sluice processes with a store each, one Redis, one provider.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { JsonObject } from "../../src/lib/json.ts";
import { startSimulator, type Simulator } from "../../src/simulate/simulator.ts";
import { startGateway, testKey, until, type RunningGateway } from "../harness.ts";
import type { RedisServer } from "./redis-server.ts";

export interface SeveralOptions {
  /** Without one each machine counts for itself. */
  readonly redis?: RedisServer;
  readonly machines: number;
  /** Limits of the one grant. */
  readonly grant: JsonObject;
  readonly more?: JsonObject;
  /** What the one provider has besides, and others beside it. */
  readonly provider?: JsonObject;
  readonly moreProviders?: readonly JsonObject[];
  readonly state?: JsonObject;
  readonly workers?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly ms: number;
}

const { key, hash } = testKey("several");

/** Some machines. */
export class Several {
  readonly engine: Simulator;
  readonly gateways: RunningGateway[] = [];
  readonly #t: TestContext;
  readonly #options: SeveralOptions;
  readonly #directory: string;

  constructor(t: TestContext, options: SeveralOptions, engine: Simulator, directory: string) {
    this.#t = t;
    this.#options = options;
    this.engine = engine;
    this.#directory = directory;
  }

  /** Starts the machine of that number, with the store that it had before, if any. */
  async start(machine: number): Promise<RunningGateway> {
    const { workers = 1, environment = {} } = this.#options;
    const gateway = await startGateway(this.#t, { config: this.config(machine), workers, environment });
    this.gateways[machine] = gateway;
    return gateway;
  }

  storePath(machine: number): string {
    return join(this.#directory, `machine-${machine}.db`);
  }

  config(machine: number, grant: JsonObject = this.#options.grant): JsonObject {
    const { redis, state, more, provider, moreProviders = [] } = this.#options;
    return {
      ...(redis !== undefined && { state: { redis: redis.url, ...state } }),
      store: { url: `sqlite:${this.storePath(machine)}` },
      providers: [
        {
          name: "engine",
          dialect: "openai",
          nodes: [`${this.engine.url}/v1`],
          credentials: [{ name: "main", apiKey: "sk-engine-key" }],
          ...provider,
        },
        ...moreProviders,
      ],
      models: [{ name: "index", targets: [{ provider: "engine", model: "m" }], retry: { attempts: 0 } }],
      consumers: [{ name: "search", grants: [{ model: "index", ...grant }], keys: [{ name: "prod", hash }] }],
      ...more,
    };
  }

  async ask(machine: number, content = "hi", more: JsonObject = {}, signal?: AbortSignal): Promise<Answer> {
    const startedAt = performance.now();
    const answer = await fetch(`${this.gateways[machine]!.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: "index", messages: [{ role: "user", content }], ...more }),
      ...(signal !== undefined && { signal }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, ms: performance.now() - startedAt };
  }

  /** Asks as often on each machine, all at once; the answers machine by machine. */
  askAll(times: number, content?: string, more?: JsonObject): Promise<Answer[][]> {
    return Promise.all(
      this.gateways.map((_, machine) =>
        Promise.all(Array.from({ length: times }, () => this.ask(machine, content, more))),
      ),
    );
  }

  /** A metric of a machine without labels. */
  async metric(machine: number, name: string): Promise<number> {
    const text = await (await fetch(`${this.gateways[machine]!.adminUrl}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
  }

  /** Waits until the machines share their limits, or do not. */
  async untilShared(isShared: boolean, timeoutMs = 10_000): Promise<void> {
    for (const machine of this.gateways.keys()) {
      await until(
        `machine ${machine} ${isShared ? "shares" : "does not share"} its limits`,
        async () =>
          (await this.metric(machine, "sluice_quota_authority_up")) === (isShared ? 1 : 0) ? true : undefined,
        timeoutMs,
      );
    }
  }
}

/** Starts the machines one after the other; they stop with the test. */
export async function startSeveral(t: TestContext, options: SeveralOptions): Promise<Several> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-several-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const engine = await startSimulator({});
  t.after(() => engine.close());
  const several = new Several(t, options, engine, directory);
  await Promise.all(Array.from({ length: options.machines }, (_, machine) => several.start(machine)));
  return several;
}

/** What Redis has of a bucket: what machines hold of it, what is used, and what each has counted. */
export async function storedBucket(
  redis: RedisServer,
  name: string,
): Promise<{ readonly leased: number; readonly counted: number; readonly fields: Record<string, string> }> {
  const [key] = (await redis.command("KEYS", `*:${name}`)) as string[];
  if (key === undefined) return { leased: 0, counted: 0, fields: {} };
  const flat = (await redis.command("HGETALL", key)) as string[];
  const fields = Object.fromEntries(flat.flatMap((_, at) => (at % 2 === 0 ? [[flat[at]!, flat[at + 1]!]] : [])));
  let leased = 0;
  let counted = Number(fields["h"] ?? 0);
  for (const [field, value] of Object.entries(fields)) {
    const parts = value.split(" ").map(Number);
    if (field.startsWith("l:")) {
      // leases that have ended are taken out by the next exchange
      leased += parts[1]! > Date.now() ? parts[0]! : 0;
      counted += parts[4]!;
    } else if (field.startsWith("f:")) {
      counted += parts[0]!;
    }
  }
  return { leased, counted, fields };
}
