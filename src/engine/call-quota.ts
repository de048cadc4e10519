/**
 * The quota of one model call: reserves in the buckets that limit the call and each of its attempts what it will probably
 * use, and settles what it really used when the exchange ends, however it does.
 */
import type { Usage } from "../dialects/form.ts";
import { costNanoUsd, reserveNanoUsd } from "./prices-placeholder.ts";
import { SluiceError } from "../lib/errors.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";
import type { Amounts, Refusal } from "../quotas/admission.ts";
import type { CompiledModel, Endpoint } from "./engine.ts";
import type { Demand } from "./demand.ts";
import type { ServingModel } from "./endpoint-choice.ts";
import type { Exchange } from "./exchange.ts";
import { quotaError } from "./quota-error.ts";
import type { QuotaPlan } from "./quota-plan.ts";

/** How often a request that waits for a lease looks whether it has come, and how long it waits at most. */
const LEASE_POLL_MS = 2;
const LONGEST_LEASE_WAIT_MS = 500;

/** One call's reservations. */
export class CallQuota {
  readonly #exchange: Exchange;
  readonly #demand: Demand;
  readonly #record: number;
  #model: CompiledModel;
  #plan: QuotaPlan | undefined;
  #amounts: Amounts = { tokens: 0, nanoUsd: 0 };
  #poll: NodeJS.Timeout | undefined;

  constructor(exchange: Exchange, demand: Demand, { model, name }: ServingModel) {
    this.#exchange = exchange;
    this.#demand = demand;
    this.#record = exchange.entry.slot;
    this.#model = model;
    this.#plan = this.#planFor(model, name);
  }

  /** The buckets that the client's answer tells of. */
  get plan(): QuotaPlan | undefined {
    return this.#plan;
  }

  /** Reserves for the call. `then` is called at once, or, where this machine must ask others first, in a moment. */
  admit(then: (error: SluiceError | undefined) => void): void {
    if (this.#plan?.countsMoney === true && !isPriced(this.#model)) {
      then(notPriced());
      return;
    }
    this.#amounts = this.#estimate(this.#model, this.#plan);
    this.#tryToAdmit(then, sharedNowMs());
  }

  /** Reserves anew when a fallback is to serve: its own limits count, and the bill is its own. */
  serveBy({ model, name }: ServingModel): SluiceError | undefined {
    if (model === this.#model) {
      return undefined;
    }
    const { admission } = this.#exchange.services.quotas;
    admission.settle(this.#record, NOTHING);
    this.#model = model;
    this.#plan = this.#planFor(model, name);
    this.#amounts = this.#estimate(model, this.#plan);
    const refusal = admission.admit(this.#record, this.#plan?.buckets ?? [], this.#amounts);
    return refusal && this.#errorOf(refusal);
  }

  /** Reserves in the limits of the endpoint's target and credential. */
  admitAttempt(endpoint: Endpoint): SluiceError | undefined {
    const buckets = this.#exchange.services.quotas.plans.ofEndpoint(endpoint, Date.now());
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
  roomWaitMs(endpoint: Endpoint, { model, name }: ServingModel): number {
    const { admission, plans } = this.#exchange.services.quotas;
    const plan = model === this.#model ? this.#plan : this.#planFor(model, name);
    if (plan?.countsMoney === true && endpoint.target.price === undefined) {
      return Infinity;
    }
    const amounts = model === this.#model ? this.#amounts : this.#estimate(model, plan);
    const own = plans.ofEndpoint(endpoint, Date.now());
    const wait = own.length === 0 ? 0 : admission.roomWaitMs(own, amounts);
    return model === this.#model || plan === undefined
      ? wait
      : Math.max(wait, admission.roomWaitMs(plan.buckets, amounts));
  }

  /** A stream goes on; from time to time what has come by now is settled. */
  progressed(usage: Usage): void {
    const { entry, endpoint, services } = this.#exchange;
    entry.tokensSoFar(usage);
    services.quotas.admission.checkpoint(this.#record, amountsOf(usage, endpoint));
  }

  /** The exchange has ended. @param usage what was used @param hits upstream hits that were made */
  end(usage: Usage, endpoint: Endpoint | undefined, hits: number): void {
    clearInterval(this.#poll);
    const { admission } = this.#exchange.services.quotas;
    if (hits === 0) {
      admission.cancel(this.#record);
      return;
    }
    admission.settle(this.#record, amountsOf(usage, endpoint));
    if (usage.completionTokens > 0) {
      this.#plan?.output.learn(usage.completionTokens);
    }
  }

  #tryToAdmit(then: (error: SluiceError | undefined) => void, since: number): void {
    const { admission } = this.#exchange.services.quotas;
    const refusal = admission.admit(this.#record, this.#plan?.buckets ?? [], this.#amounts);
    if (refusal?.reason !== "lease") {
      then(refusal && this.#errorOf(refusal));
      return;
    }
    admission.askForLease(refusal);
    const askedAt = sharedNowMs();
    this.#poll = setInterval(() => {
      const again = admission.admit(this.#record, this.#plan?.buckets ?? [], this.#amounts);
      const answered = again?.reason === "lease" && admission.wasAnswered(again.bucket, askedAt);
      const waited = sharedNowMs() - since;
      if (again?.reason === "lease" && !answered && waited < LONGEST_LEASE_WAIT_MS) {
        if (again.bucket !== refusal.bucket) {
          admission.askForLease(again);
        }
        return;
      }
      clearInterval(this.#poll);
      then(again && this.#errorOf(again));
    }, LEASE_POLL_MS);
  }

  #planFor(model: CompiledModel, name: string): QuotaPlan | undefined {
    const { caller, services } = this.#exchange;
    return caller && services.quotas.plans.find(caller, model, name, Date.now());
  }

  #estimate(model: CompiledModel, plan: QuotaPlan | undefined): Amounts {
    const { promptTokens } = this.#demand;
    const output = this.#demand.outputTokens(model, plan);
    const nanoUsd =
      plan?.countsMoney === true
        ? Math.max(0, ...model.prices.map((price) => reserveNanoUsd(price, promptTokens, output)))
        : 0;
    return { tokens: promptTokens + output, nanoUsd };
  }

  #errorOf(refusal: Refusal): SluiceError {
    return quotaError(refusal, this.#exchange.services.name, Date.now(), this.#plan?.endsAt ?? 0);
  }
}

const NOTHING: Amounts = { tokens: 0, nanoUsd: 0 };

function amountsOf(usage: Usage, endpoint: Endpoint | undefined): Amounts {
  const price = endpoint?.target.price;
  return {
    tokens: usage.promptTokens + usage.completionTokens,
    nanoUsd: price === undefined ? 0 : costNanoUsd(price, usage),
  };
}

function isPriced(model: CompiledModel): boolean {
  return model.prices.length > 0;
}

function notPriced(): SluiceError {
  const message =
    "This model has no known price, and your use is limited by a budget in money. Ask your platform team for its price (`price` of its target; `free: true` if it costs nothing).";
  return new SluiceError("model_not_priced", message, { param: "model" });
}
