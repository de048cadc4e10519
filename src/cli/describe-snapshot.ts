/** What a snapshot would run, for people to read: everything that matters but no secret. */
import type {
  ConsumerConfig,
  CredentialConfig,
  DomainConfig,
  ListenConfig,
  ModelConfig,
  ProviderConfig,
  Snapshot,
  StateConfig,
  TemplateConfig,
} from "../config/snapshot.ts";
import type { VersionShare } from "../config/template-reference.ts";
import { describeConsumerLimits, describeGrants, describeLimits } from "./describe-limits.ts";

/** Lines of text, each ended. */
export function describeSnapshot(snapshot: Snapshot): string {
  const { server } = snapshot;
  const scheme = server.tls === undefined ? "http" : "https";
  return [
    `gateway ${snapshot.gateway}, version ${snapshot.version}`,
    `listens on ${scheme}://${address(server.listen)}, ${server.workers === 0 ? "one worker a core" : plural(server.workers, "worker")}`,
    `admin on http://${address(snapshot.admin.listen)}, access log to ${snapshot.accessLog.output}`,
    `store ${snapshot.store.kind}:${snapshot.store.path}`,
    ...describeState(snapshot.state),
    ...section("providers", snapshot.providers, describeProvider),
    ...section("models", snapshot.models, describeModel),
    ...section("consumers", snapshot.consumers, describeConsumer),
    ...(snapshot.templates.length === 0 ? [] : section("templates", snapshot.templates, describeTemplate)),
    ...section("domains", snapshot.domains, describeDomain),
    "",
  ].join("\n");
}

function describeState(state: StateConfig | undefined): string[] {
  if (state === undefined) {
    return [];
  }
  const { kind, nodes, sentinel, username, password, tls, database } = state.redis;
  const where = nodes.map(({ host, port }) => (port === undefined ? host : address({ host, port }))).join(" ");
  const details = [
    sentinel && `master ${sentinel.master}`,
    database > 0 && `database ${database}`,
    password !== undefined && `${username ?? "password"} ${mask(password)}`,
    tls && "TLS",
  ].filter((detail) => detail !== undefined && detail !== false);
  const what = kind === "server" ? "redis" : `redis ${kind}`;
  return [`state in ${[`${what} ${where}`, ...details].join(", ")}; timeout ${state.timeoutMs} ms`];
}

function section<Item>(title: string, items: readonly Item[], describe: (item: Item) => readonly string[]): string[] {
  return ["", `${title} (${items.length})`, ...items.flatMap(describe).map((line) => `  ${line}`)];
}

function address({ host, port }: ListenConfig): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function describeProvider(provider: ProviderConfig): string[] {
  if (provider.kind === "builtin") {
    return [`${provider.name}: built-in test model`];
  }
  const credentials = provider.credentials.map(describeCredential).join(", ");
  const engine = provider.engine === "generic" ? "" : ` (${provider.engine})`;
  return [
    `${provider.name}: ${provider.dialect}${engine}, ${provider.nodes.map(({ url }) => url).join(" ")}`,
    `  credentials: ${credentials === "" ? "none" : credentials}`,
  ];
}

function describeCredential({ name, apiKey, limits }: CredentialConfig): string {
  return `${name} ${mask(apiKey)}${limits === undefined ? "" : ` [${describeLimits(limits)}]`}`;
}

/** The length tells an empty or cut key from a whole one; no character of it is shown. */
function mask(secret: string): string {
  return `••••(${secret.length})`;
}

function describeModel(model: ModelConfig): string[] {
  const aliases = model.aliases.length === 0 ? "" : ` (${model.aliases.join(", ")})`;
  const targets = model.targets
    .toSorted((left, right) => left.priority - right.priority)
    .map(({ provider, model: upstream, weight, priority, filters, limits }) => {
      const names = filters.length === 0 ? "" : `, ${filters.map(({ name }) => name).join(" ")}`;
      return `  → ${provider} ${upstream} (priority ${priority}, weight ${weight}${names}${limits === undefined ? "" : `; ${describeLimits(limits)}`})`;
    });
  const fallbacks = model.fallbacks.length === 0 ? [] : [`  then ${model.fallbacks.join(", ")}`];
  return [
    `${model.name}${aliases}: ${model.balance.policy}, up to ${plural(model.retry.attempts + 1, "attempt")}`,
    ...(model.limits === undefined ? [] : [`  limits: ${describeLimits(model.limits)}`]),
    ...targets,
    ...fallbacks,
  ];
}

function describeConsumer(consumer: ConsumerConfig): string[] {
  const grants = describeGrants(consumer.grants);
  return [
    `${consumer.name}: ${plural(consumer.keys.length, "key")}; may use ${grants}`,
    ...describeConsumerLimits(consumer),
  ];
}

function describeTemplate({ name, published, labels, sticky, versions }: TemplateConfig): string[] {
  const releases = Object.entries({ ...(published && { published }), ...labels }).map(
    ([label, shares]) => `${label} ${shares.map(describeShare).join(" + ")}`,
  );
  const numbers = versions.map(({ version, draft }) => `${version}${draft ? " (draft)" : ""}`);
  const by = sticky === undefined ? [] : [`sticky by ${sticky}`];
  return [[`${name}: versions ${numbers.join(", ")}`, ...releases, ...by].join("; ")];
}

function describeShare({ version, weight }: VersionShare, _index: number, all: readonly VersionShare[]): string {
  return all.length === 1 ? String(version) : `${version} (weight ${weight})`;
}

function describeDomain(domain: DomainConfig): string[] {
  const who = domain.consumers === undefined ? "every consumer" : domain.consumers.join(", ");
  const routes = domain.routes.map(({ path, apis, middlewares }) => {
    const filters = middlewares.length === 0 ? "" : ` [${middlewares.map(({ name }) => name).join(" ")}]`;
    return `  ${path}: ${apis.join(", ")}${filters}`;
  });
  return [`${domain.host}: ${who}`, ...routes];
}
