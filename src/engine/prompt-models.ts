/**
 * The user models that prompts need and the configuration does not write down: a prompt in the published form names a
 * provider and a model there. Granted, limited and billed under `provider/model`.
 */
import type { ModelConfig, Snapshot } from "../config/snapshot.ts";

type WithModels = Pick<Snapshot, "models">;

const modelsByName = new WeakMap<WithModels, ReadonlyMap<string, ModelConfig>>();

/** The user model of a prompt: that of this name with a target at the provider, else `provider/model`. */
export function userModelOf(provider: string | undefined, model: string, snapshot: WithModels): string {
  if (provider === undefined) {
    return model;
  }
  let byName = modelsByName.get(snapshot);
  if (byName === undefined) {
    byName = new Map(snapshot.models.map((config) => [config.name, config]));
    modelsByName.set(snapshot, byName);
  }
  const known = byName.get(model);
  return known !== undefined && hasTargetAt(provider, known) ? model : `${provider}/${model}`;
}

/**
 * Those that must be made up. A name that the configuration gives a meaning keeps it, with its limits and filters; also by a
 * pattern, if that has a target at the provider.
 */
export function implicitModels(snapshot: Pick<Snapshot, "models" | "domains">): ModelConfig[] {
  const models = new Map<string, ModelConfig>();
  for (const { routes } of snapshot.domains) {
    for (const { middlewares } of routes) {
      for (const { name, options } of middlewares) {
        const { provider, model_name: model } = options;
        if (name === "v1_chat_template" && typeof provider === "string" && typeof model === "string") {
          const userModel = userModelOf(provider, model, snapshot);
          if (userModel !== model) {
            models.set(userModel, modelOf(userModel, provider, model));
          }
        }
      }
    }
  }
  if (models.size === 0) {
    return [];
  }
  const taken = new Set(snapshot.models.flatMap(({ name, aliases }) => [name, ...aliases]));
  const patterns = snapshot.models.filter(({ name }) => name.endsWith("*"));
  return [...models.values()].filter(({ name, targets }) => {
    const pattern = patterns
      .filter((candidate) => name.startsWith(candidate.name.slice(0, -1)))
      .toSorted((left, right) => right.name.length - left.name.length)[0];
    // a pattern that leads to others is not what the prompt asks for
    return !taken.has(name) && !(pattern !== undefined && hasTargetAt(targets[0]!.provider, pattern));
  });
}

function hasTargetAt(provider: string, { targets }: ModelConfig): boolean {
  return targets.some((target) => target.provider === provider);
}

function modelOf(name: string, provider: string, model: string): ModelConfig {
  return {
    name,
    aliases: [],
    targets: [{ provider, model, weight: 1, priority: 0, filters: [] }],
    balance: { policy: "weighted" },
    retry: { attempts: 2, on: ["connect", "429", "5xx", "firstTokenTimeout"] },
    fallbacks: [],
  };
}
