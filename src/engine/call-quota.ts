/**
 * The quota of one model call: reserves in the buckets that limit the call and each of its attempts what it will probably
 * use, and settles what it really used when the exchange ends, however it does.
 */
import type { Amounts } from "../quotas/bucket.ts";
import type { Usage } from "../dialects/form.ts";
import { reserveNanoUsd } from "../ledger/prices/cost.ts";
import { SluiceError } from "../lib/errors.ts";
import type { PlannedBucket, Refusal } from "../quotas/admission.ts";
import { admitOrWait } from "../quotas/lease-wait.ts";
import type { Endpoint } from "./engine.ts";
import type { Demand } from "./demand.ts";
import type { ServingModel } from "./endpoint-choice.ts";
import type { Exchange } from "./exchange.ts";
import { quotaError } from "./quota-error.ts";
import { correctedTokens } from "./prompt-tokens.ts";
import type { QuotaPlan, QuotaPlans } from "./quota-plan.ts";
import { isNotPriced, lacksPrice, pricesOf } from "./target-price.ts";
import type { UsageSlot } from "./usage-slot.ts";

/** One call's reservations. */
export class CallQuota {
  readonly #exchange: Exchange;
  readonly #demand: Demand;
  readonly #record: number;
  /** The user model that something is reserved for; undefined where that was refused. */
  #serving: ServingModel | undefined;
  #plan: QuotaPlan | undefined;
  #amounts: Amounts = NOTHING;
  /** What the entry has of models that served before: it is settled. */
  #settled: Amounts = NOTHING;
  #poll: NodeJS.Timeout | undefined;

  constructor(exchange: Exchange, demand: Demand, serving: ServingModel) {
    this.#exchange = exchange;
    this.#demand = demand;
    this.#record = exchange.entry.slot;
    this.#serving = serving;
    this.#plan = this.#planFor(serving);
  }

  get #plans(): QuotaPlans {
    return this.#exchange.services.quotas.plans;
  }

  /** The buckets that the client's answer tells of. */
  get plan(): QuotaPlan | undefined {
    return this.#plan;
  }

  /** Reserves for the call. `then` is called at once, or, where this machine must ask others first, in a moment. */
  admit(then: (error: SluiceError | undefined) => void): void {
    const serving = this.#serving!;
    if (isNotPriced(serving, { plan: this.#plan, plans: this.#plans, now: Date.now() })) {
      then(notPriced());
      return;
    }
    this.#amounts = this.#estimate(serving, this.#plan);
    const { admission } = this.#exchange.services.quotas;
    const planned = (): readonly PlannedBucket[] => {
      this.#plan = this.#planFor(serving);
      return this.#buckets;
    };
    this.#poll = admitOrWait(admission, this.#record, planned, this.#amounts, (refusal) => {
      then(refusal && this.#errorOf(refusal));
    });
  }

  /** Reserves anew when a fallback is to serve: its own limits count, and the bill is its own. */
  serveBy(serving: ServingModel): SluiceError | undefined {
    if (serving.model === this.#serving?.model) {
      return undefined;
    }
    const { admission } = this.#exchange.services.quotas;
    admission.settle(this.#record, this.#used());
    this.#settled = amountsOf(this.#exchange.entry);
    this.#plan = this.#planFor(serving);
    this.#amounts = this.#estimate(serving, this.#plan);
    const refusal = admission.admit(this.#record, this.#buckets, this.#amounts);
    this.#serving = refusal === undefined ? serving : undefined;
    return refusal && this.#errorOf(refusal);
  }

  /** Reserves in the limits of the endpoint's target and credential. */
  admitAttempt(endpoint: Endpoint): SluiceError | undefined {
    const { buckets } = this.#plans.ofEndpoint(endpoint, Date.now());
    if (buckets.length === 0) {
      return undefined;
    }
    const refusal = this.#exchange.services.quotas.admission.admitAttempt(this.#record, buckets);
    return refusal && this.#errorOf(refusal);
  }

  /** The attempt failed; what it has used by then stays used. */
  releaseAttempt(): void {
    this.#exchange.services.quotas.admission.releaseAttempt(this.#record);
  }

  /** Milliseconds until an endpoint has room for the call; 0 for now, Infinity for never. */
  roomWaitMs(endpoint: Endpoint, serving: ServingModel): number {
    const { admission } = this.#exchange.services.quotas;
    const serves = serving.model === this.#serving?.model;
    const plan = serves ? this.#plan : this.#planFor(serving);
    const now = Date.now();
    if (lacksPrice(endpoint, serving, { plan, plans: this.#plans, now })) {
      return Infinity;
    }
    const amounts = serves ? this.#amounts : this.#estimate(serving, plan);
    const own = this.#plans.ofEndpoint(endpoint, now).buckets;
    const wait = own.length === 0 ? 0 : admission.roomWaitMs(own, amounts);
    return serves || plan === undefined ? wait : Math.max(wait, admission.roomWaitMs(plan.buckets, amounts));
  }

  /** A stream goes on; from time to time what has come by now is settled. */
  progressed(usage: Usage): void {
    const { entry, services } = this.#exchange;
    entry.tokensSoFar(usage);
    services.quotas.admission.checkpoint(this.#record, this.#used());
  }

  /**
   * The call may go on after an answer: what it has used by then is settled, and the endpoint is asked as by a request of
   * its own. Where a limit must never be passed it may not, since only one answer was reserved.
   */
  mayAskAgain(endpoint: Endpoint): boolean {
    if (this.#plan?.mode === "hard" || this.#plans.ofEndpoint(endpoint, Date.now()).mode === "hard") {
      return false;
    }
    this.#exchange.services.quotas.admission.checkpoint(this.#record, this.#used());
    this.releaseAttempt();
    return this.admitAttempt(endpoint) === undefined;
  }

  /** The exchange has ended. @param entry what was used, and what it cost @param hits upstream hits that were made */
  end(entry: UsageSlot, hits: number): void {
    clearInterval(this.#poll);
    const { admission } = this.#exchange.services.quotas;
    if (hits === 0) {
      admission.cancel(this.#record);
      return;
    }
    admission.settle(this.#record, this.#used());
    const { completionTokens } = entry.usage;
    if (completionTokens > 0) {
      this.#plan?.output.learn(completionTokens);
    }
  }

  /** What the entry has of the model that serves now. */
  #used(): Amounts {
    const { tokens, nanoUsd } = amountsOf(this.#exchange.entry);
    return { tokens: tokens - this.#settled.tokens, nanoUsd: nanoUsd - this.#settled.nanoUsd };
  }

  get #buckets(): readonly PlannedBucket[] {
    return this.#plan?.buckets ?? [];
  }

  #planFor({ model, name }: ServingModel): QuotaPlan | undefined {
    const { caller, services } = this.#exchange;
    return caller && services.quotas.plans.find(caller, model, name, Date.now());
  }

  #estimate(serving: ServingModel, plan: QuotaPlan | undefined): Amounts {
    const { entry, services } = this.#exchange;
    const promptTokens = correctedTokens(services.quotas.correction, serving.model, this.#demand.prompt);
    const output = this.#demand.outputTokens(serving.model, plan, promptTokens);
    const at = entry.startedAt;
    const nanoUsd =
      plan?.countsMoney === true || services.quotas.plans.mayLimitEndpointsOf(serving.model)
        ? Math.max(0, ...pricesOf(serving).map((price) => reserveNanoUsd(price, promptTokens, output, at)))
        : 0;
    return { tokens: promptTokens + output, nanoUsd };
  }

  #errorOf(refusal: Refusal): SluiceError {
    return quotaError(refusal, this.#exchange.services.name, Date.now(), this.#plan?.endsAt ?? 0);
  }
}

const NOTHING: Amounts = { tokens: 0, nanoUsd: 0 };

function amountsOf({ usage, nanoUsd }: UsageSlot): Amounts {
  return { tokens: usage.promptTokens + usage.completionTokens, nanoUsd: nanoUsd ?? 0 };
}

function notPriced(): SluiceError {
  const message =
    "This model has no known price, and your use is limited by a budget in money. Ask your platform team for its price (`price` of its target, or `prices`; `free: true` if it costs nothing).";
  return new SluiceError("model_not_priced", message, { param: "model" });
}
