/** What the targets of a model cost, under the name that a client asked for. */
import type { Price } from "../ledger/prices/price.ts";
import type { CompiledTarget, Endpoint } from "./engine.ts";
import type { ServingModel } from "./endpoint-choice.ts";
import { upstreamModelFor } from "./models.ts";
import type { QuotaPlan, QuotaPlans } from "./quota-plan.ts";

/** Undefined if nobody knows. */
export function priceOf(target: CompiledTarget, { model, name }: ServingModel): Price | undefined {
  // where the upstream model has a `*`, it is known only now
  return target.findPrice === undefined
    ? target.price
    : target.findPrice(upstreamModelFor(target.config.model, model, name));
}

/** Nobody knows what the endpoint costs, and some limit counts money there: the caller's or the endpoint's own. */
export function lacksPrice(endpoint: Endpoint, serving: ServingModel, { plan, plans, now }: MoneyLimits): boolean {
  const countsMoney = plan?.countsMoney === true || plans.ofEndpoint(endpoint, now).countsMoney;
  return countsMoney && priceOf(endpoint.target, serving) === undefined;
}

/** No endpoint of the model may serve, for want of a price. */
export function isNotPriced(serving: ServingModel, limits: MoneyLimits): boolean {
  return serving.model.priorities.every(({ endpoints }) =>
    endpoints.every((endpoint) => lacksPrice(endpoint, serving, limits)),
  );
}

/** Where it is found whether limits count money. */
export interface MoneyLimits {
  /** Of the caller. */
  readonly plan: QuotaPlan | undefined;
  readonly plans: QuotaPlans;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The prices of all targets, as far as they are known. */
export function pricesOf(serving: ServingModel): readonly Price[] {
  const { prices, priorities } = serving.model;
  if (prices !== undefined) {
    return prices;
  }
  const targets = new Set(priorities.flatMap(({ endpoints }) => endpoints.map(({ target }) => target)));
  return [...targets].flatMap((target) => priceOf(target, serving) ?? []);
}
