/**
 * The document after its schemas: typed, with defaults. Entries of the lists are read one by one, so one bad entry
 * neither hides what is wrong with others nor makes references to it look wrong.
 */
import type { z } from "zod";
import type { Findings } from "./findings.ts";
import { addIssues } from "./issues.ts";
import { consumerSchema } from "./schema/consumer.ts";
import type { ConsumerDocument } from "./schema/consumer.ts";
import { domainSchema } from "./schema/domain.ts";
import type { DomainDocument } from "./schema/domain.ts";
import { modelSchema } from "./schema/model.ts";
import type { ModelDocument } from "./schema/model.ts";
import { priceRuleSchema } from "./schema/price.ts";
import type { PriceRuleDocument } from "./schema/price.ts";
import { providerSchema } from "./schema/provider.ts";
import type { ProviderDocument } from "./schema/provider.ts";
import { outlineSchema } from "./schema/root.ts";
import type { Outline } from "./schema/root.ts";
import { templateSchema } from "./schema/template.ts";
import type { TemplateDocument } from "./schema/template.ts";

/** A list of the document. The index of an entry is its index in the file; undefined: it is wrong in itself. */
export interface Entries<Entry> {
  readonly items: readonly (Entry | undefined)[];
  /** Names, also those of entries that are wrong in themselves. */
  readonly names: ReadonlySet<string>;
}

/** A document of which every part that is there is valid in itself. What is not has left a finding. */
export interface ConfigDocument {
  /** Undefined: something outside the lists is wrong. */
  readonly settings: Outline | undefined;
  readonly providers: Entries<ProviderDocument>;
  readonly models: Entries<ModelDocument>;
  readonly consumers: Entries<ConsumerDocument>;
  /** Absent: the file has no `domains`. */
  readonly domains: Entries<DomainDocument> | undefined;
  readonly templates: Entries<TemplateDocument>;
  readonly prices: Entries<PriceRuleDocument>;
}

/** Reads plain data as a document. */
export function readDocument(value: unknown, findings: Findings): ConfigDocument {
  const outline = outlineSchema.safeParse(value);
  if (!outline.success) {
    addIssues(findings, outlineSchema, value, outline.error.issues, []);
  }
  const lists = outline.success ? outline.data : salvage(value);
  const providers = readEntries("providers", providerSchema, lists.providers, findings);
  const models = readEntries("models", modelSchema, lists.models, findings);
  const consumers = readEntries("consumers", consumerSchema, lists.consumers, findings);
  const domains =
    lists.domains === undefined ? undefined : readEntries("domains", domainSchema, lists.domains, findings);
  const templates = readEntries("templates", templateSchema, lists.templates, findings);
  const prices = readEntries("prices", priceRuleSchema, lists.prices, findings);
  return { settings: outline.data, providers, models, consumers, domains, templates, prices };
}

type Lists = Pick<Outline, "providers" | "models" | "consumers" | "domains" | "templates" | "prices">;

/** The lists of a document whose outline is wrong somewhere else. */
function salvage(value: unknown): Lists {
  const list = (key: string): unknown[] => {
    const found: unknown = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
    return Array.isArray(found) ? found : [];
  };
  const hasDomains = typeof value === "object" && value !== null && "domains" in value;
  return {
    providers: list("providers"),
    models: list("models"),
    consumers: list("consumers"),
    domains: hasDomains ? list("domains") : undefined,
    templates: list("templates"),
    prices: list("prices"),
  };
}

function readEntries<Entry>(
  key: string,
  schema: z.ZodType<Entry>,
  values: readonly unknown[],
  findings: Findings,
): Entries<Entry> {
  const items: (Entry | undefined)[] = [];
  const names = new Set<string>();
  for (const [index, value] of values.entries()) {
    const result = schema.safeParse(value);
    items.push(result.success ? result.data : undefined);
    if (!result.success) {
      addIssues(findings, schema, value, result.error.issues, [key, index]);
    }
    const name: unknown = typeof value === "object" && value !== null ? Reflect.get(value, "name") : undefined;
    if (typeof name === "string") {
      names.add(name);
    }
  }
  return { items, names };
}
