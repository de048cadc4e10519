/**
 * The snapshot: the whole configuration at one version, as plain data (it crosses threads and machines).
 * YAML is what people write (schema/); this is what it means: defaults filled in, durations in
 * milliseconds, sizes in bytes, secrets substituted.
 */
import type { DialectName } from "../dialects/form.ts";
import type { JsonObject } from "../lib/json.ts";
import type { VersionShare } from "./template-reference.ts";

export interface Snapshot {
  /** Content hash of what was loaded; changes whenever anything in it does. */
  readonly version: string;
  readonly gateway: string;
  readonly server: ServerConfig;
  readonly admin: AdminConfig;
  readonly accessLog: AccessLogConfig;
  /** What several machines share; absent: this one is alone. */
  readonly state?: StateConfig;
  readonly quotas: QuotasConfig;
  readonly store: StoreConfig;
  readonly providers: readonly ProviderConfig[];
  readonly models: readonly ModelConfig[];
  readonly consumers: readonly ConsumerConfig[];
  readonly domains: readonly DomainConfig[];
  readonly templates: readonly TemplateConfig[];
  /** In the order of the file, which means nothing: the most specific one counts. */
  readonly prices: readonly PriceRuleConfig[];
}

export interface ListenConfig {
  readonly host: string;
  readonly port: number;
}

export interface AdminConfig {
  readonly listen: ListenConfig;
  /** Who may use `/admin/v1`. Empty: everybody reads, and only who is on this machine writes. */
  readonly tokens: readonly AdminTokenConfig[];
}

export interface AdminTokenConfig {
  readonly name: string;
  /** SHA-256 of the token, 64 hex digits. */
  readonly hash: string;
}

export interface ServerConfig {
  readonly listen: ListenConfig;
  /** 0: one a core. */
  readonly workers: number;
  readonly drainTimeoutMs: number;
  readonly maxBodyBytes: number;
  /** What a worker holds of request bodies at once; 0: its part of an eighth of the memory. */
  readonly maxBufferedBytes: number;
  readonly maxHeaderBytes: number;
  /** From connection (or the end of the last request) to the end of the header. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to the last byte of its body. */
  readonly requestTimeoutMs: number;
  /** So long lives a connection that is idle, or whose client takes nothing of its answer. */
  readonly keepAliveTimeoutMs: number;
  /** Open connections a worker takes; more are closed at once. */
  readonly maxConnections: number;
  /** Silence in a stream after which a heartbeat comment is sent. */
  readonly heartbeatMs: number;
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface AccessLogConfig {
  /** `stdout`, `none`, or a file's path. */
  readonly output: string;
}

/** What several machines share is kept in a Redis. */
export interface StateConfig {
  readonly redis: RedisConfig;
  /** The longest that an answer of Redis is waited for. */
  readonly timeoutMs: number;
}

export interface RedisNode {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  /** Absent: the usual one. */
  readonly port?: number;
}

export interface RedisConfig {
  readonly kind: "server" | "cluster" | "sentinel";
  /** One server; some nodes of the cluster; the sentinels. */
  readonly nodes: readonly RedisNode[];
  readonly sentinel?: { readonly master: string; readonly username?: string; readonly password?: string };
  readonly username?: string;
  readonly password?: string;
  readonly database: number;
  /** PEM texts; absent: no TLS. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly serverName?: string };
}

/**
 * `soft`: a request is taken for what it will probably use, and one that uses more ends in the red. `hard`: it is taken
 * for the most that it may use, so the limit is never passed.
 */
export type QuotaMode = "soft" | "hard";

/** What holds where a quota says nothing else. */
export interface QuotasConfig {
  readonly mode: QuotaMode;
  /** So much of a minute's worth may come at once. 1,000 to 60,000. */
  readonly burstMs: number;
  /** What a machine admits once it cannot reach what several share: its share, everything, or nothing. */
  readonly onAuthorityLoss: "share" | "open" | "closed";
  /** IANA name: whose calendar months count where no consumer's do. */
  readonly timeZone: string;
}

/** Limits of one thing, defaults filled in; at least one of the first five is there. 0 admits nothing. */
export interface LimitsConfig {
  /** Requests a minute. */
  readonly rpm?: number;
  /** Tokens a minute, input and output together. */
  readonly tpm?: number;
  /** Requests that run at one time. */
  readonly concurrency?: number;
  /** Tokens a calendar month, input and output together. */
  readonly monthlyTokens?: number;
  /** Billionths of a dollar a calendar month; below 2^53. */
  readonly monthlyNanoUsd?: number;
  /** So much of a minute's worth of `rpm` and `tpm` may come at once. 1,000 to 60,000. */
  readonly burstMs: number;
  readonly mode: QuotaMode;
}

export interface StoreConfig {
  readonly kind: "sqlite";
  /** The database file: absolute, or relative to the working directory. */
  readonly path: string;
}

export interface TimeoutsConfig {
  readonly connectMs: number;
  /** From dispatch to the first content token of a stream. An answer that comes as a whole has the total clock only. */
  readonly firstTokenMs: number;
  /** Silence of the upstream after its first token. */
  readonly idleMs: number;
  /** The whole request, all attempts together. */
  readonly totalMs: number;
}

export interface CredentialConfig {
  readonly name: string;
  readonly apiKey: string;
  readonly weight: number;
  /** Absent here and everywhere below: nothing is limited. */
  readonly limits?: LimitsConfig;
}

export interface NodeConfig {
  /** Base URL with the path prefix (`https://api.openai.com/v1`), no trailing slash. */
  readonly url: string;
}

export interface ProviderConfig {
  readonly name: string;
  readonly dialect: DialectName;
  /** `builtin` answers inside the gateway (the offline test provider); `http` goes to nodes. */
  readonly kind: "http" | "builtin";
  readonly engine: string;
  readonly nodes: readonly NodeConfig[];
  /** Empty: no credential is sent. */
  readonly credentials: readonly CredentialConfig[];
  readonly timeouts: TimeoutsConfig;
  /** Connections to one node, a worker. */
  readonly maxConnections: number;
  /** Header names and values added to every request to this provider. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface MiddlewareConfig {
  readonly name: string;
  /** As written, but without `@type`; the filter's own schema validates and completes it at compile time. */
  readonly options: JsonObject;
}

export interface TargetConfig {
  readonly provider: string;
  /** Upstream model; one `*` in it stands for what the `*` of the user model's name matched. */
  readonly model: string;
  readonly weight: number;
  /** 0 first; a higher number is used when the lower ones cannot serve. */
  readonly priority: number;
  readonly filters: readonly MiddlewareConfig[];
  readonly limits?: LimitsConfig;
  /** Absent: what `Snapshot.prices` or the price catalogue say. */
  readonly price?: PriceConfig;
}

/** Prices by kind of token: picodollars (10^-12 USD) a token, whole numbers from 0 to 10^10. */
export interface RatesConfig {
  readonly input: number;
  /** Of the input: read from the provider's cache. */
  readonly cachedInput: number;
  /** Of the input: written to the provider's cache. */
  readonly cacheWrite: number;
  /** Of the input: written there to be kept for an hour. */
  readonly cacheWriteHour: number;
  readonly output: number;
  /** Of the output: spent on reasoning. */
  readonly reasoning: number;
}

/** What the tokens of one model cost. */
export interface PriceConfig {
  readonly base: RatesConfig;
  /** Rates of requests whose prompt has more than `above` tokens, ascending; the last that fits holds for all of it. */
  readonly tiers: readonly { readonly above: number; readonly rates: RatesConfig }[];
}

/** The price of an upstream model, or of all with a beginning. */
export interface PriceRuleConfig {
  /** Absent: whoever provides it. */
  readonly provider?: string;
  /** Upstream model; may end in `*`. */
  readonly model: string;
  readonly price: PriceConfig;
}

/** What a retry may follow. `connect` covers every connection failure before the first token. */
export type RetryCause = "connect" | "429" | "5xx" | "firstTokenTimeout";

export interface ModelConfig {
  /** May end in `*`: every name with that beginning, unless a longer one or an exact name matches. */
  readonly name: string;
  /** Without `*`. */
  readonly aliases: readonly string[];
  readonly targets: readonly TargetConfig[];
  readonly balance: { readonly policy: "weighted" | "round-robin" };
  readonly retry: { readonly attempts: number; readonly on: readonly RetryCause[] };
  /** Other user models (names, aliases, or what a `name*` matches), tried in order; theirs are not followed. */
  readonly fallbacks: readonly string[];
  readonly limits?: LimitsConfig;
  /** Tokens that a request without `max_tokens` is expected to produce at most; absent: unknown. */
  readonly maxOutputTokens?: number;
}

export interface GrantConfig {
  /** A user model's name, or `*`, or a prefix ending in `*`. */
  readonly model: string;
  /** Of everything that the grant covers together. */
  readonly limits?: LimitsConfig;
}

export interface KeyConfig {
  readonly name: string;
  /** SHA-256 of the key, 64 hex digits. */
  readonly hash: string;
  /** Milliseconds since the epoch; absent: never. */
  readonly expiresAt?: number;
  /** Narrower than the consumer's; absent: the consumer's. */
  readonly grants?: readonly GrantConfig[];
  readonly limits?: LimitsConfig;
}

export interface ConsumerConfig {
  readonly name: string;
  /** IANA name: the calendar of its months, also for its keys and grants. */
  readonly timeZone: string;
  readonly limits?: LimitsConfig;
  readonly grants: readonly GrantConfig[];
  readonly keys: readonly KeyConfig[];
}

/** A prompt that routes refer to by name. */
export interface TemplateConfig {
  readonly name: string;
  /** Absent: only labels and versions can be referred to. */
  readonly published?: readonly VersionShare[];
  readonly labels: Readonly<Record<string, readonly VersionShare[]>>;
  /** `parseSticky` reads it; absent: a version is drawn for each request. */
  readonly sticky?: string;
  readonly versions: readonly TemplateVersionConfig[];
}

export interface TemplateVersionConfig {
  readonly version: number;
  /** In use only where this very version is named. */
  readonly draft: boolean;
  /** Those of `prompt_template`. */
  readonly options: JsonObject;
}

export interface RouteConfig {
  /** `/v1/*` (that prefix and all below), or an exact path. */
  readonly path: string;
  /** Client dialects that answer here; empty: a middleware answers. */
  readonly apis: readonly DialectName[];
  readonly middlewares: readonly MiddlewareConfig[];
  /** Bounds a request on this route instead of the provider's total timeout. */
  readonly timeoutMs?: number;
  /** Adds the `x-sluice-*` headers to answers. */
  readonly exposeHeaders: boolean;
  /** Fields that a target cannot take are left out and named in `x-sluice-dropped`, instead of refused. */
  readonly dropUnsupported: boolean;
}

export interface DomainConfig {
  /** Lower case, no port; `*` = any other host; `*.example.com` = any name below. */
  readonly host: string;
  /** Absent: every consumer. */
  readonly consumers?: readonly string[];
  readonly routes: readonly RouteConfig[];
}
