/**
 * Quota plans: which buckets a caller's requests to a model count in. A plan is made when a caller first asks for a model
 * and kept for as long as caller, model and calendar month stay the same, so that admission looks nothing up.
 */
import type { LimitsConfig } from "../config/snapshot.ts";
import type { PlannedBucket } from "../quotas/admission.ts";
import { countsTokens, KIND, type Subject } from "../quotas/bucket.ts";
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
}

/** The buckets of one endpoint: its target's and its credential's. */
interface EndpointPlan {
  readonly buckets: readonly PlannedBucket[];
  readonly startsAt: number;
  readonly endsAt: number;
}

interface CallerPlans {
  readonly policy: Caller["policy"];
  readonly byModel: WeakMap<CompiledModel, Map<string, QuotaPlan>>;
}

/** The plans of one worker. */
export class QuotaPlans {
  readonly #callers = new Map<number, Map<number, CallerPlans>>();
  #callerCount = 0;
  readonly #endpoints = new WeakMap<Endpoint, EndpointPlan>();

  /**
   * The plan of a request, or undefined if nothing limits it.
   * @param asked the model's name as the client says it @param now milliseconds since the epoch
   */
  find(caller: Caller, model: CompiledModel, asked: string, now: number): QuotaPlan | undefined {
    if (!caller.policy.isLimited && model.limits === undefined) {
      return undefined;
    }
    const plans = this.#callerPlans(caller);
    let byName = plans.byModel.get(model);
    if (byName === undefined) {
      byName = new Map();
      plans.byModel.set(model, byName);
    }
    const known = byName.get(asked);
    if (known !== undefined && now >= known.startsAt && now < known.endsAt) {
      return known;
    }
    const plan = this.#make(caller, model, asked, now, known?.output);
    if (byName.size < MAX_NAMES || known !== undefined) {
      byName.set(asked, plan);
    }
    return plan;
  }

  /** The buckets of an endpoint's target and credential; empty if neither is limited. */
  ofEndpoint(endpoint: Endpoint, now: number): readonly PlannedBucket[] {
    if (endpoint.limited.length === 0) {
      return NO_BUCKETS;
    }
    let plan = this.#endpoints.get(endpoint);
    if (plan === undefined || now < plan.startsAt || now >= plan.endsAt) {
      const { month, startsAt, endsAt } = MonthClock.of(endpoint.quotaTimeZone).at(now);
      plan = { buckets: planBuckets(endpoint.limited.map((limited) => ({ ...limited, month }))), startsAt, endsAt };
      this.#endpoints.set(endpoint, plan);
    }
    return plan.buckets;
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
    const limited: LimitedSubject[] = this.#callerLimits(caller, model, asked).map(({ subject, limits }) => ({
      subject,
      limits,
      month: own.month,
    }));
    if (model.limits !== undefined) {
      const subject: Subject = { type: "model", first: model.nameId, second: 0, third: 0 };
      limited.push({ subject, limits: model.limits, month: supply.month });
    }
    const buckets = planBuckets(limited);
    const tokens = buckets.filter(({ kind }) => countsTokens(kind)).map(({ capacity }) => capacity);
    return {
      buckets,
      mode: limited.some(({ limits }) => limits.mode === "hard") ? "hard" : "soft",
      tokenCapacity: Math.min(Infinity, ...tokens),
      countsMoney: buckets.some(({ kind }) => kind === KIND.monthlyUsd),
      output,
      startsAt: Math.max(own.startsAt, supply.startsAt),
      endsAt: Math.min(own.endsAt, supply.endsAt),
    };
  }

  #callerLimits(caller: Caller, model: CompiledModel, asked: string): { subject: Subject; limits: LimitsConfig }[] {
    const { consumerId: first, keyId, policy } = caller;
    const { consumer: grant, key: keyGrant } = policy.grantsFor(asked, model.name);
    const all: { subject: Subject; limits: LimitsConfig | undefined }[] = [
      { subject: { type: "consumer", first, second: 0, third: 0 }, limits: policy.consumerLimits },
      { subject: { type: "key", first, second: keyId, third: 0 }, limits: policy.keyLimits },
      { subject: { type: "grant", first, second: grant?.patternId ?? 0, third: 0 }, limits: grant?.limits },
      {
        subject: { type: "keyGrant", first, second: keyId, third: keyGrant?.patternId ?? 0 },
        limits: keyGrant?.limits,
      },
    ];
    return all.flatMap(({ subject, limits }) => (limits === undefined ? [] : [{ subject, limits }]));
  }
}

const NO_BUCKETS: readonly PlannedBucket[] = [];
