/** Who has a budget in money and may use what has no price: there it never serves, which one should know beforehand. */
import type { ConsumerConfig, GrantConfig, KeyConfig, ModelConfig, Snapshot } from "../config/snapshot.ts";
import { ModelPriceList } from "./model-prices.ts";

/** Consumers that are warned of, and targets that one warning names; the rest is counted. */
const MAX_CONSUMERS = 20;
const MAX_NAMED = 5;

interface UnpricedModel {
  readonly model: ModelConfig;
  /** `index → idc index-72b`, one a target. */
  readonly targets: readonly string[];
}

/** A sentence for each consumer whom it concerns. */
export function warnOfUnpriced(snapshot: Snapshot): string[] {
  const list = new ModelPriceList(snapshot);
  const unpriced = snapshot.models.flatMap((model): UnpricedModel[] => {
    const targets = list
      .of(model, model.name)
      .targets.filter(({ price }) => price === "unpriced")
      .map(({ provider, upstreamModel }) => `${model.name} → ${provider} ${upstreamModel}`);
    return targets.length === 0 ? [] : [{ model, targets }];
  });
  if (unpriced.length === 0) {
    return [];
  }
  const sentences: string[] = [];
  for (const consumer of snapshot.consumers) {
    const targets = unpriced.filter(({ model }) => countsMoney(consumer, model)).flatMap((entry) => entry.targets);
    if (targets.length > 0 && sentences.push(sentence(consumer.name, targets)) === MAX_CONSUMERS) {
      sentences.push("there may be more consumers of whom this is true; they are not looked for.");
      break;
    }
  }
  return sentences;
}

function sentence(consumer: string, targets: readonly string[]): string {
  const more = targets.length > MAX_NAMED ? `, and ${targets.length - MAX_NAMED} more` : "";
  const named = targets.slice(0, MAX_NAMED).join(", ");
  return `consumer "${consumer}" has a budget in money, under which targets without a price never serve: ${named}${more}. Give them a \`price\`, or \`free: true\`.`;
}

/** Some key of the consumer may use the model, and what it uses counts as money. */
function countsMoney(consumer: ConsumerConfig, model: ModelConfig): boolean {
  const granted = consumer.grants.filter((grant) => covers(grant, model));
  if (granted.length === 0) {
    return false;
  }
  const all = [consumer, model, ...granted];
  return all.some(isLimitedInMoney) || consumer.keys.some((key) => keyCountsMoney(key, model));
}

function keyCountsMoney({ limits, grants }: KeyConfig, model: ModelConfig): boolean {
  const granted = grants?.filter((grant) => covers(grant, model));
  return granted === undefined
    ? isLimitedInMoney({ limits })
    : granted.length > 0 && [{ limits }, ...granted].some(isLimitedInMoney);
}

function isLimitedInMoney({ limits }: Pick<GrantConfig, "limits"> | { readonly limits: undefined }): boolean {
  return limits?.monthlyNanoUsd !== undefined;
}

function covers({ model: pattern }: GrantConfig, { name, aliases }: ModelConfig): boolean {
  return [name, ...aliases].some((candidate) => {
    const start = pattern.endsWith("*") ? pattern.slice(0, -1) : undefined;
    const beginning = candidate.endsWith("*") ? candidate.slice(0, -1) : undefined;
    return (
      pattern === candidate ||
      (start !== undefined && candidate.startsWith(start)) ||
      (beginning !== undefined && pattern.startsWith(beginning))
    );
  });
}
