/** The usual world of an end-to-end test: one simulated vendor of each dialect, a gateway, and both official SDKs. */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import type { JsonObject } from "../src/lib/json.ts";
import type { SimulatorOptions } from "../src/simulate/options.ts";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { startGateway, testKey, type Ending, type RunningGateway } from "./harness.ts";

/** User models by what serves them. Names of Claude 4.5 and 5 differ in how thinking is asked for. */
export const MODELS = {
  openai: "via-openai",
  anthropic: "via-anthropic",
  anthropicAdaptive: "via-anthropic-5",
} as const;
export type TargetName = keyof typeof MODELS;
/** Targets that every test of a client runs against. */
export const TARGETS = ["openai", "anthropic"] as const;

export interface World {
  readonly gateway: RunningGateway;
  readonly simulators: { readonly openai: Simulator; readonly anthropic: Simulator };
  readonly openai: OpenAI;
  readonly anthropic: Anthropic;
  readonly key: string;
}

export interface WorldOptions {
  readonly simulator?: SimulatorOptions;
  /** Added to the configuration. */
  readonly config?: JsonObject;
  /** Added to every provider. */
  readonly provider?: JsonObject;
  readonly workers?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export async function startWorld(t: Ending, options: WorldOptions = {}): Promise<World> {
  // The OpenAI mock refuses what the vendor would not know, and both want the credential of the configuration.
  const openaiVendor = await startSimulator({
    dialect: "openai",
    strict: true,
    apiKeys: ["sk-openai"],
    ...options.simulator,
  });
  const anthropicVendor = await startSimulator({
    dialect: "anthropic",
    apiKeys: ["sk-anthropic"],
    ...options.simulator,
  });
  t.after(async () => {
    await Promise.all([openaiVendor.close(), anthropicVendor.close()]);
  });
  const { key, hash } = testKey("world");
  const gateway = await startGateway(t, {
    config: { ...worldConfig(openaiVendor, anthropicVendor, hash, options.provider ?? {}), ...options.config },
    ...(options.workers === undefined ? {} : { workers: options.workers }),
    ...(options.environment === undefined ? {} : { environment: options.environment }),
  });
  return {
    gateway,
    simulators: { openai: openaiVendor, anthropic: anthropicVendor },
    openai: new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: key, maxRetries: 0 }),
    anthropic: new Anthropic({ baseURL: gateway.url, apiKey: key, maxRetries: 0 }),
    key,
  };
}

function worldConfig(openai: Simulator, anthropic: Simulator, hash: string, provider: JsonObject): JsonObject {
  const target = (name: string, model: string): JsonObject => ({ provider: name, model });
  return {
    providers: [
      {
        name: "openai",
        dialect: "openai",
        baseUrl: `${openai.url}/v1`,
        credentials: [{ name: "main", apiKey: "sk-openai" }],
        ...provider,
      },
      {
        name: "anthropic",
        dialect: "anthropic",
        baseUrl: anthropic.url,
        credentials: [{ name: "main", apiKey: "sk-anthropic" }],
        ...provider,
      },
    ],
    models: [
      { name: MODELS.openai, targets: [target("openai", "gpt-5.1")], retry: { attempts: 0 } },
      { name: MODELS.anthropic, targets: [target("anthropic", "claude-sonnet-4-5")], retry: { attempts: 0 } },
      { name: MODELS.anthropicAdaptive, targets: [target("anthropic", "claude-opus-5")], retry: { attempts: 0 } },
    ],
    consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
  };
}
