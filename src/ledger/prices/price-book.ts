/**
 * Which price applies to a target: its own `price`, then the most specific of the configuration's `prices`, then the
 * catalogue's; the test model inside Sluice is free. What has none of these is unpriced, which is not free.
 */
import type { PriceRuleConfig, ProviderConfig, TargetConfig } from "../../config/snapshot.ts";
import { cataloguePrice } from "./catalogue.ts";
import { catalogueProviderOf } from "./catalogue-provider.ts";
import { freePrice, priceOfConfig, type Price } from "./price.ts";

/** Clients make up the names behind a `*`: so many are remembered, and none that is longer. */
const MAX_REMEMBERED = 10_000;
const MAX_REMEMBERED_LENGTH = 256;

/** What of a provider says what its models cost. */
export type PricedProvider = Pick<ProviderConfig, "name" | "kind" | "nodes">;

/** The rules for one provider, or for all. */
class Rules {
  readonly #exact = new Map<string, Price>();
  /** Longest first. */
  readonly #beginnings: (readonly [beginning: string, price: Price])[] = [];

  constructor(rules: readonly PriceRuleConfig[]) {
    for (const { provider, model, price } of rules) {
      const read = priceOfConfig(price, { kind: "rule", provider, model });
      if (model.endsWith("*")) {
        this.#beginnings.push([model.slice(0, -1), read]);
      } else {
        this.#exact.set(model, read);
      }
    }
    this.#beginnings.sort(([left], [right]) => right.length - left.length);
  }

  find(model: string): Price | undefined {
    return this.#exact.get(model) ?? this.#beginnings.find(([beginning]) => model.startsWith(beginning))?.[1];
  }
}

/** The prices of one snapshot. */
export class PriceBook {
  readonly #forProvider: ReadonlyMap<string, Rules>;
  readonly #forAll: Rules;
  /** By provider. */
  readonly #vendors = new Map<string, string | undefined>();
  /** By provider and upstream model, oldest first. */
  readonly #known = new Map<string, Price | undefined>();

  constructor(rules: readonly PriceRuleConfig[]) {
    const byProvider = Map.groupBy(rules, ({ provider }) => provider);
    this.#forAll = new Rules(byProvider.get(undefined) ?? []);
    byProvider.delete(undefined);
    this.#forProvider = new Map([...byProvider].map(([provider, own]) => [provider ?? "", new Rules(own)]));
  }

  /** What a target costs. @param upstreamModel its model's name, without `*` */
  find(provider: PricedProvider, target: Pick<TargetConfig, "price">, upstreamModel: string): Price | undefined {
    if (target.price !== undefined) {
      return priceOfConfig(target.price, { kind: "target" });
    }
    const key = `${provider.name} ${upstreamModel}`;
    const known = this.#known.get(key);
    if (known !== undefined || this.#known.has(key)) {
      return known;
    }
    const price = this.#search(provider, upstreamModel);
    if (upstreamModel.length <= MAX_REMEMBERED_LENGTH) {
      if (this.#known.size >= MAX_REMEMBERED) {
        this.#known.delete(this.#known.keys().next().value ?? "");
      }
      this.#known.set(key, price);
    }
    return price;
  }

  #search(provider: PricedProvider, model: string): Price | undefined {
    const rule = this.#forProvider.get(provider.name)?.find(model) ?? this.#forAll.find(model);
    if (rule !== undefined) {
      return rule;
    }
    if (provider.kind === "builtin") {
      return freePrice({ kind: "builtin" });
    }
    const vendor = this.#vendorOf(provider);
    return vendor === undefined ? undefined : cataloguePrice(vendor, model);
  }

  #vendorOf({ name, nodes }: PricedProvider): string | undefined {
    let vendor = this.#vendors.get(name);
    if (vendor === undefined && !this.#vendors.has(name)) {
      vendor = catalogueProviderOf(nodes.map(({ url }) => url));
      this.#vendors.set(name, vendor);
    }
    return vendor;
  }
}
