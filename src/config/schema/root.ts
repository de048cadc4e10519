/** The whole document. */
import { z } from "zod";
import { consumerSchema } from "./consumer.ts";
import { domainSchema } from "./domain.ts";
import { quotasSchema } from "./limits.ts";
import { modelSchema } from "./model.ts";
import { priceRuleSchema } from "./price.ts";
import { providerSchema } from "./provider.ts";
import { name } from "./scalars.ts";
import { notYet, section } from "./section.ts";
import type { KeyComplaint, RefusedKeys } from "./section.ts";
import { accessLogSchema, adminSchema, serverSchema } from "./server.ts";
import { stateSchema } from "./state.ts";
import { storeSchema } from "./store.ts";
import { templateSchema } from "./template.ts";

/** Entries of one list of the document. */
const MAX_ENTRIES = 100_000;

const LIMITS_ELSEWHERE: KeyComplaint = {
  message: "limits nobody here",
  remedy: "Limits stand under consumers, keys, grants, models, targets, credentials; `quotas` holds their defaults.",
};

const LATER: RefusedKeys = {
  limits: LIMITS_ELSEWHERE,
  budgets: LIMITS_ELSEWHERE,
  mcp: notYet("MCP is"),
};

const settings = {
  $schema: z.string().optional().describe("The JSON Schema, for editors; of no meaning to Sluice"),
  gateway: name.default("main").describe("The name of this deployment"),
  server: serverSchema.prefault({}).describe("How clients are served"),
  admin: adminSchema.prefault({}).describe("Health and metrics for operators"),
  accessLog: accessLogSchema.prefault({}).describe("One JSON line a request"),
  quotas: quotasSchema.prefault({}).describe("What holds for limits that say nothing else"),
  state: stateSchema.optional().describe("What several machines share; each counts for itself if left out"),
  store: storeSchema.prefault({}).describe("Where what must outlive a restart is kept"),
};

/** The document as editors see it. */
export const rootSchema = section({
  ...settings,
  providers: z.array(providerSchema).max(MAX_ENTRIES).default([]).describe("Who serves models"),
  models: z.array(modelSchema).max(MAX_ENTRIES).default([]).describe("What clients ask for"),
  consumers: z.array(consumerSchema).max(MAX_ENTRIES).default([]).describe("Who calls"),
  domains: z
    .array(domainSchema)
    .max(MAX_ENTRIES)
    .optional()
    .describe("Host names and routes; every host with the usual routes if left out"),
  templates: z.array(templateSchema).max(MAX_ENTRIES).default([]).describe("Prompts that routes refer to by name"),
  prices: z.array(priceRuleSchema).max(MAX_ENTRIES).default([]).describe("What models cost, instead of the catalogue"),
});

const entries = z.array(z.unknown()).max(MAX_ENTRIES);

/** The document with its lists unread: their entries are read one by one, so that one bad entry hides no other. */
export const outlineSchema = section(
  {
    ...settings,
    providers: entries.default([]),
    models: entries.default([]),
    consumers: entries.default([]),
    domains: entries.optional(),
    templates: entries.default([]),
    prices: entries.default([]),
  },
  LATER,
);

export type Outline = z.output<typeof outlineSchema>;
