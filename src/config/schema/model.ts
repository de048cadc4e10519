/** `models`: what clients ask for, and who serves it. */
import { z } from "zod";
import { limitsSchema, REFUSED_BESIDE_LIMITS } from "./limits.ts";
import { middlewareSchema } from "./middleware.ts";
import { priceSchema } from "./price.ts";
import { integer, modelName, name, weight } from "./scalars.ts";
import { section } from "./section.ts";

const RETRY_CAUSES = ["connect", "429", "5xx", "firstTokenTimeout"] as const;
const LATER_POLICIES: ReadonlySet<string> = new Set(["least-delay", "least-requests", "lowest-cost", "external"]);

const targetSchema = section(
  {
    provider: name.describe("A provider's name"),
    model: modelName.describe("The model's name there; `*` is what the `*` of the user model's name stands for"),
    weight: weight.prefault(1).describe("Share of requests among targets of one priority"),
    priority: integer(0, 1_000).prefault(0).describe("0 first; higher ones serve when lower ones cannot"),
    filters: z.array(middlewareSchema).max(100).default([]).describe("Filters for requests to this target"),
    limits: limitsSchema.optional().describe("What this target may be asked for at most"),
    price: priceSchema.optional().describe("What its tokens cost; else `prices`, then the price catalogue say"),
  },
  REFUSED_BESIDE_LIMITS,
);

const policy = z.string().transform((text, context): "weighted" | "round-robin" => {
  if (text === "weighted" || text === "round-robin") {
    return text;
  }
  const message = LATER_POLICIES.has(text) ? "this policy is not supported yet" : "must be weighted or round-robin";
  context.addIssue({ code: "custom", message, params: { remedy: "Use weighted or round-robin." } });
  return z.NEVER;
});

const balanceSchema = section({
  policy: policy
    .prefault("weighted")
    .meta({ enum: ["weighted", "round-robin"] })
    .describe("How a target is picked"),
});

/** YAML reads 429 as a number. */
const retryCause = z.preprocess((value) => (value === 429 ? "429" : value), z.enum(RETRY_CAUSES));

const retrySchema = section({
  attempts: integer(0, 10).prefault(2).describe("Further attempts after the first"),
  on: z
    .array(retryCause)
    .max(RETRY_CAUSES.length)
    .default([...RETRY_CAUSES])
    .meta({ items: { enum: ["connect", 429, "429", "5xx", "firstTokenTimeout"] }, default: [...RETRY_CAUSES] })
    .describe("What a retry may follow"),
});

/** One user model. */
export const modelSchema = section(
  {
    name: modelName.describe("What clients ask for; may end in `*` and then stands for every name with that beginning"),
    aliases: z.array(modelName).max(1_000).default([]).describe("Other names of it"),
    targets: z.array(targetSchema).min(1, "must not be empty").max(1_000).describe("Who serves it"),
    balance: balanceSchema.prefault({}).describe("How requests are spread"),
    retry: retrySchema.prefault({}).describe("When another target is tried"),
    fallbacks: z
      .array(modelName)
      .max(100)
      .default([])
      .describe("User models tried in order when this one cannot serve"),
    limits: limitsSchema.optional().describe("What all its callers together may take at most"),
    maxOutputTokens: integer(1, 1_000_000_000)
      .optional()
      .describe("Tokens that a request without `max_tokens` is expected to produce at most"),
  },
  REFUSED_BESIDE_LIMITS,
);

export type ModelDocument = z.output<typeof modelSchema>;
