/** What the targets of user models cost, as a gateway with this snapshot would count it. */
import type { ModelConfig, ProviderConfig, Snapshot, TargetConfig } from "../config/snapshot.ts";
import { upstreamModelFor } from "../engine/models.ts";
import { PriceBook } from "../ledger/prices/price-book.ts";
import type { Price } from "../ledger/prices/price.ts";

/** One target of a user model. */
export interface TargetPrice {
  readonly provider: string;
  readonly upstreamModel: string;
  /** `open`: it depends on what the `*` of the model's name stands for. */
  readonly price: Price | "unpriced" | "open";
}

/** A user model, by its own name or by one that its `*` covers. */
export interface ModelPrices {
  readonly name: string;
  readonly targets: readonly TargetPrice[];
}

/** The prices of one snapshot, by model. */
export class ModelPriceList {
  readonly #book: PriceBook;
  readonly #models: readonly ModelConfig[];
  readonly #providers: ReadonlyMap<string, ProviderConfig>;

  constructor({ prices, models, providers }: Pick<Snapshot, "prices" | "models" | "providers">) {
    this.#book = new PriceBook(prices);
    this.#models = models;
    this.#providers = new Map(providers.map((provider) => [provider.name, provider]));
  }

  all(): ModelPrices[] {
    return this.#models.map((model) => this.of(model, model.name));
  }

  /** The model that a client gets who asks for `name`; undefined if there is none. */
  find(name: string): ModelPrices | undefined {
    const exact = this.#models.find((model) => model.name === name || model.aliases.includes(name));
    if (exact !== undefined) {
      return this.of(exact, name);
    }
    const [longest] = this.#models
      .filter((model) => model.name.endsWith("*") && name.startsWith(model.name.slice(0, -1)))
      .toSorted((left, right) => right.name.length - left.name.length);
    return longest && this.of(longest, name);
  }

  /** @param name what a client asks for; the model's own name, if it ends in `*`, leaves prices open */
  of(model: ModelConfig, name: string): ModelPrices {
    return { name, targets: model.targets.map((target) => this.#target(target, model, name)) };
  }

  #target(target: TargetConfig, model: ModelConfig, name: string): TargetPrice {
    const provider = this.#providers.get(target.provider);
    const upstreamModel = upstreamModelFor(target.model, model, name);
    if (target.price === undefined && upstreamModel.includes("*")) {
      return { provider: target.provider, upstreamModel, price: "open" };
    }
    const price = provider && this.#book.find(provider, target, upstreamModel);
    return { provider: target.provider, upstreamModel, price: price ?? "unpriced" };
  }
}
