/** What the targets of a model cost, under the name that a client asked for. */
import type { Price } from "../ledger/prices/price.ts";
import type { CompiledTarget } from "./engine.ts";
import type { ServingModel } from "./endpoint-choice.ts";
import { upstreamModelFor } from "./models.ts";

/** Undefined if nobody knows. */
export function priceOf(target: CompiledTarget, { model, name }: ServingModel): Price | undefined {
  // where the upstream model has a `*`, it is known only now
  return target.findPrice === undefined
    ? target.price
    : target.findPrice(upstreamModelFor(target.config.model, model, name));
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
