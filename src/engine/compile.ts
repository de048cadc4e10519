/**
 * Compiles a snapshot into an engine. It is a generator that yields often, so that a worker can compile 10,000
 * routes, models and targets between the requests it serves, without holding one of them up.
 */
import { ZodError } from "zod";
import { WeightedRoundRobin } from "../balancing/weighted-round-robin.ts";
import type {
  CredentialConfig,
  ModelConfig,
  ProviderConfig,
  RouteConfig,
  Snapshot,
  TargetConfig,
} from "../config/snapshot.ts";
import { DIALECTS } from "../dialects/builtin.ts";
import type { Dialect } from "../dialects/contract.ts";
import { MODEL_FILTERS, REQUEST_FILTERS, type FilterFactory } from "../filters/builtin.ts";
import type { RequestFilter } from "../filters/contract.ts";
import { PriceBook } from "../ledger/prices/price-book.ts";
import type { Price } from "../ledger/prices/price.ts";
import { OFFLINE_URL, type Origin, type OriginOptions } from "../upstreams/origin.ts";
import { composeModelFilters } from "./compose.ts";
import type { CompiledDomain, CompiledModel, CompiledRoute, CompiledTarget, Endpoint, Engine } from "./engine.ts";
import { secretsOf } from "./error-text.ts";
import { HostTable, PathTable } from "./match.ts";
import { Models } from "./models.ts";
import { namedPromptsOf } from "./named-prompts.ts";
import { OperationTable } from "./operations.ts";
import { implicitModels } from "./prompt-models.ts";
import { promptOf } from "./prompt-route.ts";

/** The registries that an engine takes from, and that outlive it. */
export interface CompileServices {
  /** The name-table id of a name of the configuration. */
  nameId(name: string): number;
  readonly origins: { take(options: OriginOptions): Origin; release(options: OriginOptions): void };
}

/** Name-table names of what can rest. A node is its address: two providers on one engine share what is known of it. */
export const nodeName = (url: string): string => (url === "" ? "builtin" : url);
export const credentialName = (provider: ProviderConfig, credential: string): string =>
  `${provider.name}/${credential}`;

/** A filter's name or options are wrong. */
export class FilterError extends Error {
  override readonly name = "FilterError";
}

/** @throws FilterError; whatever was taken from the registries has then been given back */
export function* compileEngine(snapshot: Snapshot, services: CompileServices): Generator<undefined, Engine> {
  const taken: OriginOptions[] = [];
  const dispose = (): void => {
    for (const options of taken.splice(0)) {
      services.origins.release(options);
    }
  };
  const takeOrigin = (options: OriginOptions): Origin => {
    const origin = services.origins.take(options);
    taken.push(options);
    return origin;
  };
  try {
    const models = yield* compileModels(snapshot, services, takeOrigin);
    const domains = yield* compileDomains(snapshot, services);
    return Object.freeze({
      version: snapshot.version,
      domains,
      models,
      heartbeatMs: snapshot.server.heartbeatMs,
      dispose,
    });
  } catch (error) {
    dispose();
    throw error;
  }
}

type TakeOrigin = (options: OriginOptions) => Origin;

/** What an endpoint has of its provider: node and credential, whatever the target. */
type Address = Omit<Endpoint, "target" | "weight" | "quotaTimeZone">;

/** A provider with the endpoints' parts that all its targets share. */
interface CompiledProvider {
  readonly config: ProviderConfig;
  readonly dialect: Dialect;
  readonly id: number;
  readonly addresses: readonly Address[];
  /** By address: its part of what goes to the provider. */
  readonly shares: readonly number[];
}

function* compileModels(
  snapshot: Snapshot,
  services: CompileServices,
  takeOrigin: TakeOrigin,
): Generator<undefined, Models> {
  const providers = new Map<string, CompiledProvider>();
  for (const config of snapshot.providers) {
    providers.set(config.name, compileProvider(config, services, takeOrigin));
    yield;
  }
  const priceBook = new PriceBook(snapshot.prices);
  const models = new Models();
  for (const config of [...snapshot.models, ...implicitModels(snapshot)]) {
    models.add(config, compileModel(config, snapshot.quotas.timeZone, providers, priceBook, services));
    yield;
  }
  return models;
}

const NO_CREDENTIAL: CredentialConfig = { name: "", apiKey: "", weight: 1 };

function compileProvider(config: ProviderConfig, services: CompileServices, takeOrigin: TakeOrigin): CompiledProvider {
  const dialect = DIALECTS[config.dialect];
  const addresses: Address[] = [];
  const weights: number[] = [];
  const credentials = config.credentials.length > 0 ? config.credentials : [NO_CREDENTIAL];
  const nodes = config.kind === "builtin" ? [{ url: "" }] : config.nodes;
  for (const node of nodes) {
    const url = node.url === "" ? undefined : new URL(node.url);
    const origin = takeOrigin({
      url: url?.origin ?? OFFLINE_URL,
      connectTimeoutMs: config.timeouts.connectMs,
      maxConnections: config.maxConnections,
    });
    for (const credential of credentials) {
      addresses.push({
        origin,
        basePath: url?.pathname.replace(/\/$/, "") ?? "",
        secrets: secretsOf(credential.apiKey, config.headers),
        headers: endpointHeaders(config, dialect, credential.apiKey),
        nodeId: services.nameId(nodeName(node.url)),
        credentialId: credential.name === "" ? 0 : services.nameId(credentialName(config, credential.name)),
        credentialLimits: credential.limits,
      });
      weights.push(credential.weight);
    }
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const shares = weights.map((weight) => weight / total);
  return { config, dialect, id: services.nameId(config.name), addresses, shares };
}

function endpointHeaders(config: ProviderConfig, dialect: Dialect, apiKey: string): string[] {
  const headers = new Map<string, string>([
    ["content-type", "application/json"],
    ["accept-encoding", "identity"],
    ["user-agent", "sluice"],
  ]);
  const credential = dialect.target.credentialHeaders(apiKey);
  for (let index = 0; index < credential.length; index += 2) {
    headers.set(credential[index]!.toLowerCase(), credential[index + 1]!);
  }
  for (const [name, value] of Object.entries(config.headers)) {
    headers.set(name.toLowerCase(), value);
  }
  return [...headers].flat();
}

function compileModel(
  config: ModelConfig,
  quotaTimeZone: string,
  providers: ReadonlyMap<string, CompiledProvider>,
  priceBook: PriceBook,
  services: CompileServices,
): CompiledModel {
  const byPriority = new Map<number, Endpoint[]>();
  for (const targetConfig of config.targets) {
    const provider = providers.get(targetConfig.provider);
    if (provider === undefined) {
      throw new Error(`model ${config.name}: there is no provider ${targetConfig.provider}`);
    }
    const target = compileTarget(targetConfig, provider, config, priceBook, services);
    const endpoints = byPriority.get(targetConfig.priority) ?? [];
    for (const [index, address] of provider.addresses.entries()) {
      const policyWeight = config.balance.policy === "round-robin" ? 1 : targetConfig.weight;
      // a target's share does not grow with its nodes and credentials
      const weight = policyWeight * provider.shares[index]!;
      endpoints.push(Object.freeze({ ...address, target, weight, quotaTimeZone }));
    }
    byPriority.set(targetConfig.priority, endpoints);
  }
  const priorities = [...byPriority.entries()].toSorted(([left], [right]) => left - right);
  return Object.freeze({
    name: config.name,
    nameId: services.nameId(config.name),
    priorities: priorities.map(([, endpoints]) => new WeightedRoundRobin(endpoints)),
    maxHits: config.retry.attempts + 1,
    retryOn: new Set(config.retry.on),
    fallbacks: config.fallbacks,
    info: { id: config.name, created: 0, ownedBy: config.targets[0]?.provider ?? "sluice" },
    limits: config.limits,
    quotaTimeZone,
    maxOutputTokens: config.maxOutputTokens,
    prices: distinctPrices([...byPriority.values()].flat()),
    hasLimitedEndpoints: [...byPriority.values()].flat().some(isLimited),
  });
}

function isLimited({ target, credentialLimits }: Endpoint): boolean {
  return target.config.limits !== undefined || credentialLimits !== undefined;
}

function distinctPrices(endpoints: readonly Endpoint[]): Price[] | undefined {
  if (endpoints.some(({ target }) => target.findPrice !== undefined)) {
    return undefined;
  }
  return [...new Set(endpoints.flatMap(({ target }) => target.price ?? []))];
}

function compileTarget(
  config: TargetConfig,
  provider: CompiledProvider,
  model: ModelConfig,
  priceBook: PriceBook,
  services: CompileServices,
): CompiledTarget {
  const filters = config.filters.map(({ name, options }, index) => {
    const where = `model ${model.name}, target ${config.provider}/${config.model}, filters[${index}]`;
    return createFilter(MODEL_FILTERS, name, options, where);
  });
  const isOpen = config.model.includes("*");
  return Object.freeze({
    config,
    provider: provider.config,
    dialect: provider.dialect,
    filters: composeModelFilters(filters),
    timeouts: provider.config.timeouts,
    modelId: services.nameId(model.name),
    providerId: provider.id,
    upstreamModelId: services.nameId(config.model),
    price: isOpen ? undefined : priceBook.find(provider.config, config, config.model),
    findPrice: isOpen ? (name: string) => priceBook.find(provider.config, config, name) : undefined,
  });
}

function* compileDomains(
  snapshot: Snapshot,
  services: CompileServices,
): Generator<undefined, HostTable<CompiledDomain>> {
  const tables = new Map<string, OperationTable>();
  const domains = new HostTable<CompiledDomain>();
  for (const config of snapshot.domains) {
    const routes = new PathTable<CompiledRoute>();
    for (const route of config.routes) {
      routes.add(route.path, compileRoute(route, config.host, snapshot, services, tables));
      yield;
    }
    const consumerIds = config.consumers && new Set(config.consumers.map((name) => services.nameId(name)));
    domains.add(config.host, { host: config.host, nameId: services.nameId(config.host), consumerIds, routes });
  }
  return domains;
}

function compileRoute(
  config: RouteConfig,
  host: string,
  snapshot: Snapshot,
  services: CompileServices,
  tables: Map<string, OperationTable>,
): CompiledRoute {
  const key = config.apis.join(" ");
  let operations = tables.get(key);
  if (operations === undefined) {
    operations = new OperationTable(config.apis.map((name) => DIALECTS[name]));
    tables.set(key, operations);
  }
  const filters: RequestFilter[] = config.middlewares.map(({ name, options }, index) =>
    createFilter(REQUEST_FILTERS, name, options, `domain ${host}, route ${config.path}, middlewares[${index}]`),
  );
  return Object.freeze({
    config,
    nameId: services.nameId(config.path),
    operations,
    operationPath: config.path.endsWith("/*") ? undefined : operations.suffixOf(config.path),
    beforeAuthentication: filters.flatMap((filter) => filter.beforeAuthentication?.bind(filter) ?? []),
    chat: filters.flatMap((filter) => filter.chat?.bind(filter) ?? []),
    answerHead: filters.flatMap((filter) => filter.answerHead?.bind(filter) ?? []),
    namedPrompts: namedPromptsOf(filters, snapshot, services),
    prompt: promptOf(filters, snapshot, services),
    maxBodyBytes: filters.reduce((limit, filter) => filter.maxBodyBytes ?? limit, snapshot.server.maxBodyBytes),
  });
}

function createFilter<Filter>(
  factories: readonly FilterFactory<Filter>[],
  name: string,
  options: Parameters<FilterFactory<Filter>["create"]>[0],
  where: string,
): Filter {
  const factory = factories.find((candidate) => candidate.name === name);
  if (factory === undefined) {
    const known = factories.map((candidate) => candidate.name).join(", ");
    throw new FilterError(`${where}: there is no filter "${name}" here; known ones are ${known}`);
  }
  try {
    return factory.create(options);
  } catch (error) {
    if (!(error instanceof ZodError)) {
      throw error;
    }
    const issues = error.issues.map((issue) => `options.${issue.path.join(".")}: ${issue.message}`).join("; ");
    throw new FilterError(`${where} (${name}): ${issues}`, { cause: error });
  }
}
