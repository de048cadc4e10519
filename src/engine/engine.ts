/** The engine: a snapshot compiled. Immutable; a request takes it once, when it starts, and keeps it to its end. */
import type {
  LimitsConfig,
  ProviderConfig,
  RetryCause,
  RouteConfig,
  TargetConfig,
  TimeoutsConfig,
} from "../config/snapshot.ts";
import type { Candidate, WeightedRoundRobin } from "../balancing/weighted-round-robin.ts";
import type { Dialect, ModelInfo, Operation } from "../dialects/contract.ts";
import type { EventFilter, RequestFilter } from "../filters/contract.ts";
import type { ChatAnswer, ChatRequest } from "../dialects/form.ts";
import type { JsonObject } from "../lib/json.ts";
import type { Price } from "../ledger/prices/price.ts";
import type { Origin } from "../upstreams/origin.ts";
import type { HostTable, PathTable } from "./match.ts";
import type { NamedPrompts } from "./named-prompts.ts";
import type { OperationTable } from "./operations.ts";
import type { PromptRoute } from "./prompt-route.ts";

/** The model filters of one target, composed: only the hooks that some filter has. */
export interface ComposedModelFilters {
  readonly request: ((request: ChatRequest) => void) | undefined;
  readonly wireRequest: ((body: JsonObject, operation: Operation) => void) | undefined;
  readonly answer: ((answer: ChatAnswer) => void) | undefined;
  /** Makes the chain for one stream. */
  readonly createEventFilter: (() => EventFilter) | undefined;
}

export interface CompiledTarget {
  readonly config: TargetConfig;
  readonly provider: ProviderConfig;
  readonly dialect: Dialect;
  readonly filters: ComposedModelFilters;
  readonly timeouts: TimeoutsConfig;
  /** The user model that it is a target of. */
  readonly modelId: number;
  readonly providerId: number;
  readonly upstreamModelId: number;
  /** What its tokens cost; undefined if nobody knows, or its upstream model has a `*`. */
  readonly price: Price | undefined;
  /** The price by the upstream model, for a target whose upstream model has a `*`. */
  readonly findPrice: ((upstreamModel: string) => Price | undefined) | undefined;
}

/** What the balancer picks: target × node × credential. */
export interface Endpoint extends Candidate {
  readonly target: CompiledTarget;
  readonly origin: Origin;
  /** What the headers hold that nobody else may see. */
  readonly secrets: readonly string[];
  /** Path prefix of the node's URL (`/v1`). */
  readonly basePath: string;
  /** Names and values, alternating: the same for every request to this endpoint. */
  readonly headers: readonly string[];
  /** What the file limits the credential to, whatever it is used for. */
  readonly credentialLimits: LimitsConfig | undefined;
  /** Whose calendar months count here. */
  readonly quotaTimeZone: string;
}

export interface CompiledModel {
  /** As configured; may end in `*`. */
  readonly name: string;
  readonly nameId: number;
  /** Endpoints by priority, 0 first. */
  readonly priorities: readonly WeightedRoundRobin<Endpoint>[];
  /** Upstream hits in all: retry attempts plus one. */
  readonly maxHits: number;
  readonly retryOn: ReadonlySet<RetryCause>;
  /** Names of other user models, tried in order. */
  readonly fallbacks: readonly string[];
  readonly info: ModelInfo;
  /** The supply side's ceiling, for all callers together. */
  readonly limits: LimitsConfig | undefined;
  /** Whose calendar months count here. */
  readonly quotaTimeZone: string;
  /** Tokens that an answer has at most; undefined if nobody knows. */
  readonly maxOutputTokens: number | undefined;
  /** The prices of its targets, as far as they are known; undefined if they depend on what a `*` stands for. */
  readonly prices: readonly Price[] | undefined;
  /** Some endpoint has limits of its own. */
  readonly hasLimitedEndpoints: boolean;
}

export interface CompiledRoute {
  readonly config: RouteConfig;
  readonly nameId: number;
  readonly operations: OperationTable;
  /** For an exact route: the operation path that it stands for. */
  readonly operationPath: string | undefined;
  readonly beforeAuthentication: readonly NonNullable<RequestFilter["beforeAuthentication"]>[];
  /** What changes a chat request before a model is called. */
  readonly chat: readonly NonNullable<RequestFilter["chat"]>[];
  readonly answerHead: readonly NonNullable<RequestFilter["answerHead"]>[];
  readonly maxBodyBytes: number;
  readonly namedPrompts: NamedPrompts | undefined;
  /** What answers here instead of `operations`. */
  readonly prompt: PromptRoute | undefined;
}

export interface CompiledDomain {
  readonly host: string;
  readonly nameId: number;
  /** Name-table ids of the consumers who may call; undefined: all. */
  readonly consumerIds: ReadonlySet<number> | undefined;
  readonly routes: PathTable<CompiledRoute>;
}

/** Looks user models up by name, alias, or the longest prefix pattern. */
export interface ModelTable {
  find(name: string): CompiledModel | undefined;
  /** Every plain name that clients can ask for, aliases after what they stand for. */
  readonly listed: readonly ListedModel[];
}

/** A user model under one of its names. */
export interface ListedModel {
  readonly name: string;
  readonly model: CompiledModel;
}

export interface Engine {
  readonly version: string;
  readonly domains: HostTable<CompiledDomain>;
  readonly models: ModelTable;
  readonly heartbeatMs: number;
  /** Gives back what the engine holds of the registries. Called once, when its last request has ended. */
  dispose(): void;
}
