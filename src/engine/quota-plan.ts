/**
 * Quota plans: which buckets a caller's requests to a model count in. A plan is made when a caller first asks for a model
 * and kept for as long as caller, model, calendar month and the limits set at run time stay the same, so that admission
 * looks nothing up.
 */
import type { LimitsConfig } from "../config/snapshot.ts";
import type { PlannedBucket } from "../quotas/admission.ts";
import { countsTokens, KIND, type Subject } from "../quotas/bucket.ts";
import type { LimitOverrides } from "../quotas/overrides/limit-overrides.ts";
import { MonthClock } from "../quotas/months.ts";
import { OutputEstimate } from "../quotas/output-estimate.ts";
import { planBuckets, type LimitedSubject } from "../quotas/plan.ts";
import type { CompiledModel, Endpoint } from "./engine.ts";
import type { Caller } from "./exchange.ts";

/** Callers whose plans a worker keeps, and names that it keeps of one model that stands for many. */
const MAX_CALLERS = 100_000;
const MAX_NAMES = 1_000;

/** The buckets of a caller's requests to one model. */
export interface QuotaPlan {
  readonly buckets: readonly PlannedBucket[];
  /** `hard` if any of the limits is. */
  readonly mode: LimitsConfig["mode"];
  /** What fits into the smallest of the buckets that count tokens. */
  readonly tokenCapacity: number;
  /** Some limit counts money, so that only what has a price may serve. */
  readonly countsMoney: boolean;
  /** How long this caller's answers of this model usually are. */
  readonly output: OutputEstimate;
  /** Milliseconds since the epoch: when the plan's months begin and end. */
  readonly startsAt: number;
  readonly endsAt: number;
  /** Of the overrides that it was made with. */
  readonly generation: number;
}

/** The buckets of one endpoint: its target's and its credential's. */
export interface EndpointPlan extends Pick<
  QuotaPlan,
  "buckets" | "mode" | "countsMoney" | "startsAt" | "endsAt" | "generation"
> {}

interface CallerPlans {
  readonly policy: Caller["policy"];
  readonly byModel: WeakMap<CompiledModel, Map<string, QuotaPlan>>;
}

/** The plans of one worker. */
export class QuotaPlans {
  readonly #callers = new Map<number, Map<number, CallerPlans>>();
  #callerCount = 0;
  readonly #endpoints = new WeakMap<Endpoint, EndpointPlan>();
  readonly #overrides: LimitOverrides;

  /** @param overrides consulted whenever a plan is used */
  constructor(overrides: LimitOverrides) {
    this.#overrides = overrides;
  }

  /**
   * The plan of a request, or undefined if nothing limits it.
   * @param asked the model's name as the client says it @param now milliseconds since the epoch
   */
  find(caller: Caller, model: CompiledModel, asked: string, now: number): QuotaPlan | undefined {
    if (!caller.policy.isLimited && model.limits === undefined && this.#overrides.isEmpty) {
      return undefined;
    }
    const plans = this.#callerPlans(caller);
    let byName = plans.byModel.get(model);
    if (byName === undefined) {
      byName = new Map();
      plans.byModel.set(model, byName);
    }
    const known = byName.get(asked);
    if (known !== undefined && this.#isCurrent(known, now)) {
      return known;
    }
    const plan = this.#make(caller, model, asked, now, known?.output);
    if (byName.size < MAX_NAMES || known !== undefined) {
      byName.set(asked, plan);
    }
    return plan;
  }

  /** What limits an endpoint: its target, within its user model, and its credential, whatever it is used for. */
  ofEndpoint(endpoint: Endpoint, now: number): EndpointPlan {
    const { target, credentialId, credentialLimits, quotaTimeZone } = endpoint;
    const { limits: targetLimits } = target.config;
    if (targetLimits === undefined && credentialLimits === undefined && this.#overrides.isEmpty) {
      return NOT_LIMITED;
    }
    let plan = this.#endpoints.get(endpoint);
    if (plan === undefined || !this.#isCurrent(plan, now)) {
      const { month, startsAt, endsAt } = MonthClock.of(quotaTimeZone).at(now);
      const { modelId: first, providerId: second, upstreamModelId: third } = target;
      const subjects = [
        { subject: { type: "target", first, second, third }, limits: targetLimits },
        { subject: { type: "credential", first: credentialId, second: 0, third: 0 }, limits: credentialLimits },
      ] as const;
      const limited = this.#limited(subjects, month);
      plan = { ...summaryOf(limited), startsAt, endsAt, generation: this.#overrides.generation };
      this.#endpoints.set(endpoint, plan);
    }
    return plan;
  }

  /** Endpoints of the model may be limited by themselves. */
  mayLimitEndpointsOf(model: CompiledModel): boolean {
    return model.hasLimitedEndpoints || !this.#overrides.isEmpty;
  }

  #isCurrent({ startsAt, endsAt, generation }: EndpointPlan, now: number): boolean {
    return generation === this.#overrides.generation && now >= startsAt && now < endsAt;
  }

  #callerPlans(caller: Caller): CallerPlans {
    let byKey = this.#callers.get(caller.consumerId);
    if (byKey === undefined) {
      byKey = new Map();
      this.#callers.set(caller.consumerId, byKey);
    }
    let plans = byKey.get(caller.keyId);
    if (plans === undefined || plans.policy !== caller.policy) {
      if (plans === undefined && ++this.#callerCount > MAX_CALLERS) {
        // rare, and only a cache: what is in use comes back with the next requests
        this.#callers.clear();
        this.#callerCount = 1;
        byKey = new Map();
        this.#callers.set(caller.consumerId, byKey);
      }
      plans = { policy: caller.policy, byModel: new WeakMap() };
      byKey.set(caller.keyId, plans);
    }
    return plans;
  }

  #make(
    caller: Caller,
    model: CompiledModel,
    asked: string,
    now: number,
    output: OutputEstimate = new OutputEstimate(),
  ): QuotaPlan {
    const own = MonthClock.of(caller.policy.timeZone).at(now);
    const supply = MonthClock.of(model.quotaTimeZone).at(now);
    const subject: Subject = { type: "model", first: model.nameId, second: 0, third: 0 };
    const limited = [
      ...this.#limited(this.#callerLimits(caller, model, asked), own.month),
      ...this.#limited([{ subject, limits: model.limits }], supply.month),
    ];
    const summary = summaryOf(limited);
    const tokens = summary.buckets.filter(({ kind }) => countsTokens(kind)).map(({ capacity }) => capacity);
    return {
      ...summary,
      tokenCapacity: Math.min(Infinity, ...tokens),
      output,
      startsAt: Math.max(own.startsAt, supply.startsAt),
      endsAt: Math.min(own.endsAt, supply.endsAt),
      generation: this.#overrides.generation,
    };
  }

  /** Of some subjects those that are limited, by what holds now. */
  #limited(subjects: readonly Limitable[], month: number): LimitedSubject[] {
    return subjects.flatMap(({ subject, limits: configured }) => {
      const limits = this.#overrides.limitsOf(subject, configured);
      return limits === undefined ? [] : [{ subject, limits, month }];
    });
  }

  #callerLimits(caller: Caller, model: CompiledModel, asked: string): Limitable[] {
    const { consumerId: first, keyId: second, policy } = caller;
    const { consumer: grant, key: keyGrant } = policy.grantsFor(asked, model.name);
    return [
      { subject: { type: "consumer", first, second: 0, third: 0 }, limits: policy.consumerLimits },
      { subject: { type: "key", first, second, third: 0 }, limits: policy.keyLimits },
      { subject: { type: "grant", first, second: grant?.patternId ?? 0, third: 0 }, limits: grant?.limits },
      { subject: { type: "keyGrant", first, second, third: keyGrant?.patternId ?? 0 }, limits: keyGrant?.limits },
    ];
  }
}

/** A subject, and what the file limits it to. */
interface Limitable {
  readonly subject: Subject;
  readonly limits: LimitsConfig | undefined;
}

const NOT_LIMITED: EndpointPlan = {
  buckets: [],
  mode: "soft",
  countsMoney: false,
  startsAt: -Infinity,
  endsAt: Infinity,
  generation: 0,
};

function summaryOf(limited: readonly LimitedSubject[]): Pick<EndpointPlan, "buckets" | "mode" | "countsMoney"> {
  const buckets = planBuckets(limited);
  return {
    buckets,
    mode: limited.some(({ limits }) => limits.mode === "hard") ? "hard" : "soft",
    countsMoney: buckets.some(({ kind }) => kind === KIND.monthlyUsd),
  };
}
