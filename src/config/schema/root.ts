/** The whole document. */
import { z } from "zod";
import { consumerSchema } from "./consumer.ts";
import { domainSchema } from "./domain.ts";
import { modelSchema } from "./model.ts";
import { providerSchema } from "./provider.ts";
import { name } from "./scalars.ts";
import { notYet, QUOTAS_LATER, section } from "./section.ts";
import type { RefusedKeys } from "./section.ts";
import { accessLogSchema, adminSchema, serverSchema } from "./server.ts";

/** Entries of one list of the document. */
const MAX_ENTRIES = 100_000;

const LATER: RefusedKeys = {
  state: notYet("state shared by several machines is"),
  store: notYet("the store is"),
  limits: QUOTAS_LATER,
  budgets: QUOTAS_LATER,
  prices: notYet("prices are"),
  mcp: notYet("MCP is"),
};

const settings = {
  $schema: z.string().optional().describe("The JSON Schema, for editors; of no meaning to Sluice"),
  gateway: name.default("main").describe("The name of this deployment"),
  server: serverSchema.prefault({}).describe("How clients are served"),
  admin: adminSchema.prefault({}).describe("Health and metrics for operators"),
  accessLog: accessLogSchema.prefault({}).describe("One JSON line a request"),
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
  },
  LATER,
);

export type Outline = z.output<typeof outlineSchema>;
