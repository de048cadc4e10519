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

/** Characters of JSON in one part, unless a single item has more: some 100 µs to parse. */
const PART_LENGTH = 32_768;

/** What travels in parts of its own. */
type Lists = "providers" | "models" | "consumers" | "domains" | "templates" | "prices";

type ListPart =
  | { readonly kind: "providers"; readonly items: readonly ProviderConfig[] }
  | { readonly kind: "models"; readonly items: readonly ModelConfig[] }
  | { readonly kind: "templates"; readonly items: readonly TemplateConfig[] }
  | { readonly kind: "prices"; readonly items: readonly PriceRuleConfig[] }
  | { readonly kind: "routes"; readonly items: readonly RouteConfig[] };

type Part =
  | ListPart
  | { readonly kind: "head"; readonly head: Omit<Snapshot, Lists> }
  | { readonly kind: "domain"; readonly domain: Omit<DomainConfig, "routes"> };

/** Consumers and keys do not travel with the snapshot: workers have the directory. */
export function encodeSnapshot(snapshot: Snapshot): SharedArrayBuffer[] {
  const { providers, models, consumers: _consumers, domains, templates, prices, ...head } = snapshot;
  const parts = [
    jsonOf({ kind: "head", head }),
    ...listParts("providers", providers),
    ...listParts("models", models),
    ...listParts("templates", templates),
    ...listParts("prices", prices),
    ...domains.flatMap(({ routes, ...domain }) => [jsonOf({ kind: "domain", domain }), ...listParts("routes", routes)]),
  ];
  return parts.map((text) => {
    const bytes = Buffer.from(text);
    const shared = new SharedArrayBuffer(bytes.length);
    new Uint8Array(shared).set(bytes);
    return shared;
  });
}

function jsonOf(part: Part): string {
  return JSON.stringify(part);
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

/** Parts with the items of a list, as JSON. */
function* listParts<Kind extends ListPart["kind"]>(
  kind: Kind,
  items: Extract<ListPart, { kind: Kind }>["items"],
): Generator<string> {
  let texts: string[] = [];
  let length = 0;
  const part = (): string => `{"kind":"${kind}","items":[${texts.join(",")}]}`;
  for (const item of items) {
    const text = JSON.stringify(item);
    if (length > 0 && length + text.length > PART_LENGTH) {
      yield part();
      texts = [];
      length = 0;
    }
    texts.push(text);
    length += text.length;
  }
  if (length > 0) {
    yield part();
  }
}
