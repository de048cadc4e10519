/** Finds what must be unique and is not. */
import { formatPath } from "../problem.ts";
import type { DocumentPath } from "../problem.ts";
import type { Findings } from "../findings.ts";

/** Remembers where each value was first seen. */
export class Unique {
  readonly #what: string;
  readonly #seen = new Map<string, DocumentPath>();

  /** @param what the kind of value, for the message: `the provider name` */
  constructor(what: string) {
    this.#what = what;
  }

  /** Adds a finding if `value` was claimed before. */
  claim(value: string, path: DocumentPath, findings: Findings): void {
    const first = this.#seen.get(value);
    if (first === undefined) {
      this.#seen.set(value, path);
    } else {
      findings.add(path, `${this.#what} is already used at ${formatPath(first)}`, "Each must be unique.");
    }
  }
}
