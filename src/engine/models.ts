/** User models by name, alias or prefix pattern. */
import type { ModelConfig } from "../config/snapshot.ts";
import type { ModelInfo } from "../dialects/contract.ts";
import type { CompiledModel, ListedModel, ModelTable } from "./engine.ts";
import type { Policy } from "./policy.ts";

export class Models implements ModelTable {
  readonly #exact = new Map<string, CompiledModel>();
  /** Beginnings that a `*` ends, and their lengths, longest first. */
  readonly #beginnings = new Map<string, CompiledModel>();
  #lengths: readonly number[] = [];
  readonly listed: ListedModel[] = [];

  add(config: ModelConfig, model: CompiledModel): void {
    const isPattern = config.name.endsWith("*");
    for (const name of isPattern ? config.aliases : [config.name, ...config.aliases]) {
      this.#exact.set(name, model);
      this.listed.push({ name, model });
    }
    if (!isPattern) {
      return;
    }
    const beginning = config.name.slice(0, -1);
    this.#beginnings.set(beginning, model);
    if (!this.#lengths.includes(beginning.length)) {
      this.#lengths = [...this.#lengths, beginning.length].toSorted((left, right) => right - left);
    }
  }

  find(name: string): CompiledModel | undefined {
    const exact = this.#exact.get(name);
    if (exact !== undefined) {
      return exact;
    }
    for (const length of this.#lengths) {
      const model = length <= name.length ? this.#beginnings.get(name.slice(0, length)) : undefined;
      if (model !== undefined) {
        return model;
      }
    }
    return undefined;
  }
}

/**
 * The upstream model for what the client asked: a `*` in it stands for what the user model's `*` matched, or for an
 * alias as a whole.
 */
export function upstreamModelFor(upstreamModel: string, model: Pick<CompiledModel, "name">, asked: string): string {
  if (!upstreamModel.includes("*")) {
    return upstreamModel;
  }
  const beginning = model.name.slice(0, -1);
  const matched = asked.startsWith(beginning) ? asked.slice(beginning.length) : asked;
  return upstreamModel.replace("*", () => matched);
}

/** A grant covers a model under the name it was asked by (an alias, what a `*` stands for) or under its own. */
export function mayUse(policy: Policy | undefined, model: CompiledModel, asked: string): boolean {
  return policy !== undefined && (policy.allows(asked) || policy.allows(model.name));
}

/** No target of the model can count tokens itself. */
export function countsNowhere(model: CompiledModel): boolean {
  return model.priorities.every((group) =>
    group.endpoints.every(({ target }) => target.dialect.target.path("count_tokens", "", false) === null),
  );
}

/** A model as a list shows it. An alias names the model that it stands for, if the caller may use that as well. */
export function modelInfo({ info, name: own }: CompiledModel, name: string, policy: Policy | undefined): ModelInfo {
  const isShown = name !== own && !own.endsWith("*") && policy?.allows(own) === true;
  return { ...info, id: name, ...(isShown ? { aliasOf: own } : undefined) };
}
