/** User models by name, alias or prefix pattern. */
import type { ModelConfig } from "../config/snapshot.ts";
import type { CompiledModel, ModelTable } from "./engine.ts";
import type { GrantSet } from "./grants.ts";

export class Models implements ModelTable {
  readonly #exact = new Map<string, CompiledModel>();
  /** Longest prefix first. */
  readonly #prefixes: { readonly prefix: string; readonly model: CompiledModel }[] = [];
  readonly listed: CompiledModel[] = [];

  add(config: ModelConfig, model: CompiledModel): void {
    for (const name of [config.name, ...config.aliases]) {
      if (name.endsWith("*")) {
        this.#prefixes.push({ prefix: name.slice(0, -1), model });
        this.#prefixes.sort((left, right) => right.prefix.length - left.prefix.length);
      } else {
        this.#exact.set(name, model);
      }
    }
    if (!config.name.endsWith("*")) {
      this.listed.push(model);
    }
  }

  find(name: string): CompiledModel | undefined {
    return this.#exact.get(name) ?? this.#prefixes.find(({ prefix }) => name.startsWith(prefix))?.model;
  }
}

/** The upstream model for what the client asked: a `*` in it stands for what the user model's `*` matched. */
export function upstreamModelFor(upstreamModel: string, model: CompiledModel, asked: string): string {
  if (!upstreamModel.includes("*")) {
    return upstreamModel;
  }
  const matched = model.name.endsWith("*") ? asked.slice(model.name.length - 1) : asked;
  return upstreamModel.replace("*", () => matched);
}

/** A grant covers a model under the name it was asked by (an alias, what a `*` stands for) or under its own. */
export function mayUse(grants: GrantSet | undefined, model: CompiledModel, asked: string): boolean {
  return grants !== undefined && (grants.allows(asked) || grants.allows(model.name));
}
