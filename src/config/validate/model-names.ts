/** Which model a name means: an exact name, an alias, or the longest beginning that a `name*` covers. */
import type { Entries } from "../document.ts";
import type { ModelDocument } from "../schema/model.ts";

export class ModelNames {
  /** Names and aliases to the model's name. */
  readonly #exact = new Map<string, string>();
  /** Beginnings, longest first. */
  readonly #beginnings: string[] = [];

  constructor(models: Entries<ModelDocument>) {
    for (const name of models.names) {
      if (name.endsWith("*")) {
        this.#beginnings.push(name.slice(0, -1));
      } else {
        this.#exact.set(name, name);
      }
    }
    this.#beginnings.sort((left, right) => right.length - left.length);
    for (const model of models.items) {
      for (const alias of model?.aliases ?? []) {
        this.#exact.set(alias, model!.name);
      }
    }
  }

  /** The name of the model that a client gets who asks for `name`. */
  find(name: string): string | undefined {
    const beginning = this.#beginnings.find((candidate) => name.startsWith(candidate));
    return this.#exact.get(name) ?? (beginning === undefined ? undefined : `${beginning}*`);
  }

  /** Some name that a client could ask for is covered by the pattern of a grant. */
  matchesAny(pattern: string): boolean {
    if (!pattern.endsWith("*")) {
      return this.find(pattern) !== undefined;
    }
    const start = pattern.slice(0, -1);
    const overlaps = (beginning: string): boolean => beginning.startsWith(start) || start.startsWith(beginning);
    return this.#beginnings.some(overlaps) || this.#exact.keys().some((name) => name.startsWith(start));
  }

  /** Every exact name and alias, for "did you mean". */
  names(): Iterable<string> {
    return this.#exact.keys();
  }
}
