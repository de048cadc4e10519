/**
 * Grants: which user models a caller may use. A grant set is what a consumer and one of its keys may do together; it is
 * addressed by its content, so it means the same in every engine and outlives them all.
 */
import type { GrantConfig } from "../config/snapshot.ts";

/** Grant sets a worker keeps; they are few (most keys share their consumer's). */
const MAX_GRANT_SETS = 1_000_000;

/** The patterns of one list of grants. */
export class GrantList {
  readonly #exact = new Set<string>();
  readonly #prefixes: string[] = [];

  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) {
      if (pattern.endsWith("*")) {
        this.#prefixes.push(pattern.slice(0, -1));
      } else {
        this.#exact.add(pattern);
      }
    }
  }

  allows(model: string): boolean {
    return this.#exact.has(model) || this.#prefixes.some((prefix) => model.startsWith(prefix));
  }
}

/** What one key may use: what its consumer is granted and, if the key is narrower, what the key is. */
export class GrantSet {
  readonly #consumer: GrantList;
  readonly #key: GrantList | undefined;

  constructor(consumer: readonly string[], key: readonly string[] | null) {
    this.#consumer = new GrantList(consumer);
    this.#key = key === null ? undefined : new GrantList(key);
  }

  allows(model: string): boolean {
    return this.#consumer.allows(model) && (this.#key === undefined || this.#key.allows(model));
  }
}

/** The canonical text of a grant set; its name-table id stands for it in the directory. */
export function grantSetName(consumer: readonly GrantConfig[], key: readonly GrantConfig[] | undefined): string {
  const patterns = (grants: readonly GrantConfig[]): string[] => grants.map((grant) => grant.model).toSorted();
  return `grants:${JSON.stringify([patterns(consumer), key === undefined ? null : patterns(key)])}`;
}

/** Grant sets by name-table id, compiled when first used. */
export class GrantSets {
  readonly #sets = new Map<number, GrantSet>();

  /** @param name resolves the id to the set's canonical text */
  get(id: number, name: (id: number) => string): GrantSet {
    let set = this.#sets.get(id);
    if (set === undefined) {
      const [consumer, key] = JSON.parse(name(id).slice("grants:".length)) as [string[], string[] | null];
      set = new GrantSet(consumer, key);
      if (this.#sets.size < MAX_GRANT_SETS) {
        this.#sets.set(id, set);
      }
    }
    return set;
  }
}
