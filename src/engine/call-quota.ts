/**
 * The quota of one model call: reserves in the buckets that limit the call and each of its attempts what it will probably
 * use, and settles what it really used when the exchange ends, however it does.
 */
import type { Amounts } from "../quotas/bucket.ts";
import type { Usage } from "../dialects/form.ts";
import { reserveNanoUsd } from "../ledger/prices/cost.ts";
import { SluiceError } from "../lib/errors.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";
import type { PlannedBucket, Refusal } from "../quotas/admission.ts";
import type { Endpoint } from "./engine.ts";
import type { Demand } from "./demand.ts";
import type { ServingModel } from "./endpoint-choice.ts";
import type { Exchange } from "./exchange.ts";
import { quotaError } from "./quota-error.ts";
import { correctedTokens } from "./prompt-tokens.ts";
import type { QuotaPlan, QuotaPlans } from "./quota-plan.ts";
import { isNotPriced, lacksPrice, pricesOf } from "./target-price.ts";
import type { UsageSlot } from "./usage-slot.ts";

/** How often a request that waits for a lease looks whether it has come, and how long it waits at most. */
const LEASE_POLL_MS = 2;
const LONGEST_LEASE_WAIT_MS = 500;

/** One call's reservations. */
export class CallQuota {
  readonly #exchange: Exchange;
  readonly #demand: Demand;
  readonly #record: number;
  #serving: ServingModel;
  #plan: QuotaPlan | undefined;
  #amounts: Amounts = { tokens: 0, nanoUsd: 0 };
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
    if (isNotPriced(this.#serving, { plan: this.#plan, plans: this.#plans, now: Date.now() })) {
      then(notPriced());
      return;
    }
    this.#amounts = this.#estimate(this.#serving, this.#plan);
    this.#tryToAdmit(then, sharedNowMs());
  }

  /** Reserves anew when a fallback is to serve: its own limits count, and the bill is its own. */
  serveBy(serving: ServingModel): SluiceError | undefined {
    if (serving.model === this.#serving.model) {
      return undefined;
    }
    const { admission } = this.#exchange.services.quotas;
    admission.settle(this.#record, NOTHING);
    this.#serving = serving;
    this.#plan = this.#planFor(serving);
    this.#amounts = this.#estimate(serving, this.#plan);
    const refusal = admission.admit(this.#record, this.#buckets, this.#amounts);
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

  /** The attempt failed before any content. */
  releaseAttempt(): void {
    this.#exchange.services.quotas.admission.releaseAttempt(this.#record);
  }

  /** Milliseconds until an endpoint has room for the call; 0 for now, Infinity for never. */
  roomWaitMs(endpoint: Endpoint, serving: ServingModel): number {
    const { admission } = this.#exchange.services.quotas;
    const serves = serving.model === this.#serving.model;
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
    services.quotas.admission.checkpoint(this.#record, amountsOf(entry));
  }

  /**
   * The call may go on after an answer: what it has used by then is settled. Where a limit must never be passed it may
   * not, since only one answer was reserved.
   */
  mayAskAgain(endpoint: Endpoint): boolean {
    const { entry, services } = this.#exchange;
    if (this.#plan?.mode === "hard" || this.#plans.ofEndpoint(endpoint, Date.now()).mode === "hard") {
      return false;
    }
    services.quotas.admission.checkpoint(this.#record, amountsOf(entry));
    return true;
  }

  /** The exchange has ended. @param entry what was used, and what it cost @param hits upstream hits that were made */
  end(entry: UsageSlot, hits: number): void {
    clearInterval(this.#poll);
    const { admission } = this.#exchange.services.quotas;
    if (hits === 0) {
      admission.cancel(this.#record);
      return;
    }
    admission.settle(this.#record, amountsOf(entry));
    const { completionTokens } = entry.usage;
    if (completionTokens > 0) {
      this.#plan?.output.learn(completionTokens);
    }
  }

  #tryToAdmit(then: (error: SluiceError | undefined) => void, since: number): void {
    const { admission } = this.#exchange.services.quotas;
    const tryNow = (): Refusal | undefined => admission.admit(this.#record, this.#buckets, this.#amounts);
    const refusal = tryNow();
    if (refusal?.reason !== "lease") {
      then(refusal && this.#errorOf(refusal));
      return;
    }
    let asked = refusal;
    let askedAt = admission.askForLeases(this.#buckets, this.#amounts);
    this.#poll = setInterval(() => {
      // a limit that is changed at run time holds for those that wait, too
      this.#plan = this.#planFor(this.#serving);
      const again = tryNow();
      if (again?.reason === "lease" && sharedNowMs() - since < LONGEST_LEASE_WAIT_MS) {
        const answer = again.bucket === asked.bucket ? admission.answerSince(again.bucket, askedAt) : "some";
        if (answer !== "scarce") {
          if (answer === "some") {
            // it went to others, or another bucket lacks a lease now
            asked = again;
            askedAt = admission.askForLeases(this.#buckets, this.#amounts);
          }
          return;
        }
      }
      clearInterval(this.#poll);
      then(again && this.#errorOf(again));
    }, LEASE_POLL_MS);
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
    const promptTokens = correctedTokens(services.quotas.correction, serving.model, this.#demand.promptTokens);
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
