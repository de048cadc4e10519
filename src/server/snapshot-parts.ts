/**
 * A snapshot on its way to the workers: JSON in shared memory, in parts small enough that a worker can read one between
 * two requests. Posting shared memory copies nothing, so the main thread does no work for it.
 */
import type {
  ConsumerConfig,
  DomainConfig,
  ModelConfig,
  PriceRuleConfig,
  ProviderConfig,
  RouteConfig,
  Snapshot,
  TemplateConfig,
} from "../config/snapshot.ts";

/** Items of one part: about 20 to 50 KB of JSON, some 100 µs to parse. */
const ITEMS_PER_PART = 100;

/** What travels in parts of its own. */
type Lists = "providers" | "models" | "consumers" | "domains" | "templates" | "prices";

type Part =
  | { readonly kind: "head"; readonly head: Omit<Snapshot, Lists> }
  | { readonly kind: "providers"; readonly items: readonly ProviderConfig[] }
  | { readonly kind: "models"; readonly items: readonly ModelConfig[] }
  | { readonly kind: "templates"; readonly items: readonly TemplateConfig[] }
  | { readonly kind: "prices"; readonly items: readonly PriceRuleConfig[] }
  | { readonly kind: "domain"; readonly domain: Omit<DomainConfig, "routes"> }
  | { readonly kind: "routes"; readonly items: readonly RouteConfig[] };

/** Consumers and keys do not travel with the snapshot: workers have the directory. */
export function encodeSnapshot(snapshot: Snapshot): SharedArrayBuffer[] {
  const { providers, models, consumers: _consumers, domains, templates, prices, ...head } = snapshot;
  const parts: Part[] = [{ kind: "head", head }];
  for (const items of batches(providers)) {
    parts.push({ kind: "providers", items });
  }
  for (const items of batches(models)) {
    parts.push({ kind: "models", items });
  }
  for (const items of batches(templates)) {
    parts.push({ kind: "templates", items });
  }
  for (const items of batches(prices)) {
    parts.push({ kind: "prices", items });
  }
  for (const { routes, ...domain } of domains) {
    parts.push({ kind: "domain", domain });
    for (const items of batches(routes)) {
      parts.push({ kind: "routes", items });
    }
  }
  return parts.map((part) => {
    const bytes = Buffer.from(JSON.stringify(part));
    const shared = new SharedArrayBuffer(bytes.length);
    new Uint8Array(shared).set(bytes);
    return shared;
  });
}

/** Puts a snapshot together again, yielding after each part. Its `consumers` are empty. */
export function* decodeSnapshot(parts: readonly SharedArrayBuffer[]): Generator<undefined, Snapshot> {
  let head: Omit<Snapshot, Lists> | undefined;
  const providers: ProviderConfig[] = [];
  const models: ModelConfig[] = [];
  const consumers: ConsumerConfig[] = [];
  const templates: TemplateConfig[] = [];
  const prices: PriceRuleConfig[] = [];
  const domains: (Omit<DomainConfig, "routes"> & { routes: RouteConfig[] })[] = [];
  for (const shared of parts) {
    const part = JSON.parse(Buffer.from(shared).toString()) as Part;
    switch (part.kind) {
      case "head":
        head = part.head;
        break;
      case "providers":
        providers.push(...part.items);
        break;
      case "models":
        models.push(...part.items);
        break;
      case "templates":
        templates.push(...part.items);
        break;
      case "prices":
        prices.push(...part.items);
        break;
      case "domain":
        domains.push({ ...part.domain, routes: [] });
        break;
      case "routes":
        domains.at(-1)?.routes.push(...part.items);
    }
    yield;
  }
  if (head === undefined) {
    throw new Error("a snapshot without its head part");
  }
  return { ...head, providers, models, consumers, domains, templates, prices };
}

function* batches<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += ITEMS_PER_PART) {
    yield items.slice(start, start + ITEMS_PER_PART);
  }
}
