/**
 * Names as small integers. One thread assigns ids, others receive the list as deltas and look ids up when they
 * compile, so that hot code handles integers only. Append-only: an id never changes its meaning.
 */

const DEFAULT_MAX_NAMES = 4_000_000;

/** Part of a name table: `names[i]` has id `from + i`. Plain data, made to be posted to another thread. */
export interface NameDelta {
  readonly from: number;
  readonly names: readonly string[];
}

/** Append-only table of names; id 0 is the empty name. */
export class NameTable {
  readonly #names: string[] = [""];
  readonly #ids = new Map<string, number>([["", 0]]);
  readonly #maxNames: number;

  /** @param maxNames further names share the id of the empty name; nothing fails. */
  constructor(maxNames: number = DEFAULT_MAX_NAMES) {
    this.#maxNames = maxNames;
  }

  /** Number of names, the empty one included: the id that the next new name gets. */
  get size(): number {
    return this.#names.length;
  }

  /** All names by id. Grows; do not keep a copy in step with it by hand, use `since`. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** The id of a name, assigned now if it is new. Only the owning thread may assign; others use `find`. */
  id(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#names.length;
    if (id >= this.#maxNames) return 0;
    this.#names.push(name);
    this.#ids.set(name, id);
    return id;
  }

  /** The id of a name, or 0 if it has none. */
  find(name: string): number {
    return this.#ids.get(name) ?? 0;
  }

  /** The name of an id, "" for an id that was never assigned. */
  name(id: number): string {
    return this.#names[id] ?? "";
  }

  /** The names from id `size` on: what a copy that holds `size` names lacks. */
  since(size: number): NameDelta {
    return { from: size, names: this.#names.slice(size) };
  }

  /** Takes a delta from the owning table; what is known already is skipped. Throws RangeError if names in between are missing. */
  append(delta: NameDelta): void {
    if (delta.from > this.#names.length) {
      throw new RangeError(
        `name delta starts at ${delta.from}, this table ends at ${this.#names.length}: ask for since(${this.#names.length})`,
      );
    }
    for (let index = this.#names.length - delta.from; index < delta.names.length; index++) {
      const name = delta.names[index] ?? "";
      this.#ids.set(name, this.#names.length);
      this.#names.push(name);
    }
  }
}
