/** The setting of tests about prompts. */
import type { TestContext } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { startGateway, testKey, type RunningGateway } from "./harness.ts";

/** A gateway with prompts, and the engine behind it. */
export interface PromptWorld {
  readonly gateway: RunningGateway;
  /** What it was started with. */
  readonly config: JsonObject;
  readonly engine: Simulator;
  readonly post: (
    path: string,
    body: unknown,
    headers?: Record<string, string>,
    signal?: AbortSignal,
  ) => Promise<Response>;
  /** The last request that the engine got. */
  readonly lastRequest: () => JsonObject;
}

/**
 * Starts a gateway with these routes before the usual ones, a provider `bilibili` and a user model `index` there.
 * @param consumer members of the consumer instead of the usual ones
 * @param more further sections of the configuration
 */
export async function startPrompts(
  t: TestContext,
  routes: JsonObject[],
  consumer: JsonObject = {},
  more: JsonObject = {},
): Promise<PromptWorld> {
  const engine = await startSimulator({});
  t.after(() => engine.close());
  const { key, hash } = testKey("prompts");
  const config = {
    providers: [{ name: "bilibili", dialect: "openai", nodes: [`${engine.url}/v1`] }],
    models: [{ name: "index", targets: [{ provider: "bilibili", model: "index-72b" }] }],
    consumers: [{ name: "search", grants: [{ model: "*" }], keys: [{ name: "prod", hash }], ...consumer }],
    domains: [{ host: "*", routes: [...routes, { path: "/v1/*", api: ["openai", "anthropic"] }] }],
    ...more,
  };
  const gateway = await startGateway(t, { config, workers: 1 });
  return {
    gateway,
    config,
    engine,
    post: (path, body, headers = {}, signal) =>
      fetch(gateway.url + path, {
        method: "POST",
        ...(signal !== undefined && { signal }),
        headers: { "content-type": "application/json", authorization: `Bearer ${key}`, ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    lastRequest: () => JSON.parse(engine.requests().at(-1)!.body.toString()) as JsonObject,
  };
}
