/** `providers`: who serves models. */
import { z } from "zod";
import { duration } from "./duration.ts";
import { limitsSchema, REFUSED_BESIDE_LIMITS } from "./limits.ts";
import { headerValue, integer, name, weight } from "./scalars.ts";
import { notYet, section } from "./section.ts";
import { baseUrl } from "./url.ts";

/** The wire protocols that providers and clients may speak. */
export const dialect = z.enum(["openai", "anthropic"]);

const credentialSchema = section(
  {
    name: name.optional().describe("Shown in logs; `credential-1` and so on if left out"),
    apiKey: headerValue.min(1, "must not be empty").describe("The secret; write ${NAME} or ${file:path}"),
    weight: weight.prefault(1).describe("Share of requests among the credentials"),
    limits: limitsSchema.optional().describe("What the provider allows this key"),
  },
  REFUSED_BESIDE_LIMITS,
);

const timeoutsSchema = section({
  connect: duration.prefault("3s").describe("To connect to a node"),
  firstToken: duration.prefault("120s").describe("From dispatch to the first content token"),
  idle: duration.prefault("60s").describe("Silence of the provider after its first token"),
  total: duration.prefault("600s").describe("The whole request, all attempts together"),
});

/** One provider. */
export const providerSchema = section(
  {
    name: name.describe("The provider's name"),
    dialect: dialect.describe("The wire protocol it speaks"),
    kind: z.enum(["http", "builtin"]).default("http").describe("`builtin`: the test model inside Sluice"),
    engine: z
      .enum(["generic", "vllm", "sglang", "tgi", "trtllm", "llamacpp", "ollama"])
      .default("generic")
      .describe("The inference engine"),
    baseUrl: baseUrl.optional().describe("Its URL, if it has one; otherwise `nodes`"),
    nodes: z
      .array(baseUrl)
      .min(1, "must not be empty")
      .max(10_000)
      .optional()
      .describe("The URLs of its nodes, if it has several"),
    credentials: z.array(credentialSchema).max(10_000).default([]).describe("API keys; several are used in turn"),
    timeouts: timeoutsSchema.prefault({}).describe("How long to wait for it"),
    maxConnections: integer(1, 1_000_000).prefault(16_384).describe("Connections to one node, a worker"),
    headers: z.record(z.string(), headerValue).default({}).describe("Headers added to every request to it"),
  },
  { metrics: notYet("engines' metrics are") },
);

export type ProviderDocument = z.output<typeof providerSchema>;
