/** From a valid document to the snapshot: defaults in their places, references kept by name. */
import { resolve } from "node:path";
import { buildLimits } from "./build-limits.ts";
import { buildState } from "./build-state.ts";
import { buildPrice, buildPriceRule } from "./build-price.ts";
import { DEFAULT_DOMAIN, DEFAULT_STORE_PATH } from "./defaults.ts";
import type { ConfigDocument, Entries } from "./document.ts";
import type { Findings } from "./findings.ts";
import { nodeUrl } from "./node-url.ts";
import { readPem } from "./pem.ts";
import type { ConsumerDocument, GrantDocument } from "./schema/consumer.ts";
import type { DomainDocument, RouteDocument } from "./schema/domain.ts";
import type { QuotasDocument } from "./schema/limits.ts";
import type { MiddlewareDocument } from "./schema/middleware.ts";
import type { ModelDocument } from "./schema/model.ts";
import type { ProviderDocument } from "./schema/provider.ts";
import type { Outline } from "./schema/root.ts";
import type { StoreDocument } from "./schema/store.ts";
import type { TemplateDocument } from "./schema/template.ts";
import type {
  AccessLogConfig,
  ConsumerConfig,
  DomainConfig,
  GrantConfig,
  MiddlewareConfig,
  ModelConfig,
  ProviderConfig,
  QuotasConfig,
  RouteConfig,
  ServerConfig,
  Snapshot,
  StoreConfig,
  TemplateConfig,
} from "./snapshot.ts";
import type { Substitutor } from "./substitute.ts";
import { optionsOf } from "./validate/filters.ts";
import { credentialName } from "./validate/providers.ts";
import { withVersion } from "./version.ts";

/** What the files beside the configuration are read with. */
export interface BuildContext {
  /** The directory of the configuration file, where relative paths start. */
  readonly directory: string;
  readonly substitutor: Substitutor;
  readonly findings: Findings;
}

/** @returns undefined if a file is missing, or anything was found wrong before */
export function buildSnapshot(document: ConfigDocument, context: BuildContext): Snapshot | undefined {
  const { settings } = document;
  const tls = settings && buildTls(settings.server, context);
  const state = settings?.state && buildState(settings.state, context);
  if (settings === undefined || context.findings.errors.length > 0) {
    return undefined;
  }
  return withVersion({
    gateway: settings.gateway,
    server: { ...buildServer(settings.server), ...(tls && { tls }) },
    admin: settings.admin,
    accessLog: buildAccessLog(settings.accessLog, context.directory),
    quotas: buildQuotas(settings.quotas),
    ...(state && { state }),
    store: buildStore(settings.store, context.directory),
    providers: mapValid(document.providers, (provider) => buildProvider(provider, settings.quotas)),
    models: mapValid(document.models, (model) => buildModel(model, settings.quotas)),
    consumers: mapValid(document.consumers, (consumer) => buildConsumer(consumer, settings.quotas)),
    domains: document.domains === undefined ? [DEFAULT_DOMAIN] : mapValid(document.domains, buildDomain),
    templates: mapValid(document.templates, buildTemplate),
    prices: mapValid(document.prices, buildPriceRule),
  });
}

function mapValid<Entry, Result>(entries: Entries<Entry>, build: (entry: Entry) => Result): Result[] {
  return entries.items.filter((entry) => entry !== undefined).map(build);
}

function buildServer(server: Outline["server"]): ServerConfig {
  return {
    listen: server.listen,
    workers: server.workers,
    drainTimeoutMs: server.drainTimeout,
    maxBodyBytes: server.maxBodyBytes,
    maxBufferedBytes: server.maxBufferedBytes,
    maxHeaderBytes: server.maxHeaderBytes,
    headersTimeoutMs: server.headersTimeout,
    requestTimeoutMs: server.requestTimeout,
    keepAliveTimeoutMs: server.keepAliveTimeout,
    maxConnections: server.maxConnections,
    heartbeatMs: server.heartbeat,
  };
}

function buildTls({ tls }: Outline["server"], context: BuildContext): ServerConfig["tls"] {
  return (
    tls && {
      cert: readPem(tls.cert, ["server", "tls", "cert"], "BEGIN CERTIFICATE", context),
      key: readPem(tls.key, ["server", "tls", "key"], "PRIVATE KEY", context),
    }
  );
}

function buildAccessLog({ output }: Outline["accessLog"], directory: string): AccessLogConfig {
  return { output: output === "stdout" || output === "none" ? output : resolve(directory, output) };
}

function buildQuotas({ mode, burst, onAuthorityLoss, timeZone }: QuotasDocument): QuotasConfig {
  return { mode, burstMs: burst, onAuthorityLoss, timeZone };
}

/** The default lies below the working directory, since that of the configuration file is often read-only. */
function buildStore({ url }: StoreDocument, directory: string): StoreConfig {
  return { kind: "sqlite", path: url === undefined ? DEFAULT_STORE_PATH : resolve(directory, url) };
}

function buildProvider(provider: ProviderDocument, quotas: QuotasDocument): ProviderConfig {
  const urls = provider.baseUrl === undefined ? (provider.nodes ?? []) : [provider.baseUrl];
  return {
    name: provider.name,
    dialect: provider.dialect,
    kind: provider.kind,
    engine: provider.engine,
    nodes: urls.map((url) => ({ url: nodeUrl(url, provider.dialect) })),
    credentials: provider.credentials.map(({ name, apiKey, weight, limits }, index) => ({
      name: credentialName(name, index),
      apiKey,
      weight,
      ...buildLimits({ limits }, quotas),
    })),
    timeouts: {
      connectMs: provider.timeouts.connect,
      firstTokenMs: provider.timeouts.firstToken,
      idleMs: provider.timeouts.idle,
      totalMs: provider.timeouts.total,
    },
    maxConnections: provider.maxConnections,
    headers: Object.fromEntries(Object.entries(provider.headers).map(([name, value]) => [name.toLowerCase(), value])),
  };
}

function buildMiddleware(middleware: MiddlewareDocument): MiddlewareConfig {
  return { name: middleware.name, options: optionsOf(middleware) };
}

function buildModel(model: ModelDocument, quotas: QuotasDocument): ModelConfig {
  return {
    name: model.name,
    aliases: model.aliases,
    targets: model.targets.map(({ limits, filters, price, ...target }) => ({
      ...target,
      filters: filters.map(buildMiddleware),
      ...buildLimits({ limits }, quotas),
      ...(price !== undefined && { price: buildPrice(price) }),
    })),
    balance: model.balance,
    retry: model.retry,
    fallbacks: model.fallbacks,
    ...buildLimits(model, quotas),
    ...(model.maxOutputTokens !== undefined && { maxOutputTokens: model.maxOutputTokens }),
  };
}

function buildConsumer(consumer: ConsumerDocument, quotas: QuotasDocument): ConsumerConfig {
  const buildGrants = (grants: readonly GrantDocument[]): GrantConfig[] =>
    grants.map(({ model, ...limits }) => ({ model, ...buildLimits({ limits }, quotas) }));
  return {
    name: consumer.name,
    timeZone: consumer.timeZone ?? quotas.timeZone,
    ...buildLimits(consumer, quotas),
    grants: buildGrants(consumer.grants),
    keys: consumer.keys.map((key) => ({
      name: key.name,
      hash: key.hash,
      ...(key.expiresAt !== undefined && { expiresAt: key.expiresAt }),
      ...(key.grants !== undefined && { grants: buildGrants(key.grants) }),
      ...buildLimits(key, quotas),
    })),
  };
}

function buildTemplate({ name, published, labels, sticky, versions }: TemplateDocument): TemplateConfig {
  return {
    name,
    ...(published !== undefined && { published }),
    labels,
    ...(sticky !== undefined && { sticky }),
    versions: versions.map(({ prompt, ...version }) => ({ ...version, options: prompt })),
  };
}

function buildDomain({ host, consumers, routes }: DomainDocument): DomainConfig {
  return { host, ...(consumers !== undefined && { consumers }), routes: routes.map(buildRoute) };
}

function buildRoute(route: RouteDocument): RouteConfig {
  const apis = route.api === undefined ? [] : [route.api].flat();
  return {
    path: route.path,
    apis,
    middlewares: route.middlewares.map(buildMiddleware),
    ...(route.timeout !== undefined && { timeoutMs: route.timeout }),
    exposeHeaders: route.exposeHeaders,
    dropUnsupported: route.dropUnsupported,
  };
}
