/** What a target's encoder says of fields that it cannot map: refuse by name, or note what was left out. */
import { SluiceError } from "../lib/errors.ts";
import type { DialectName, Extra } from "./form.ts";

/** Gathers what one encoded request leaves out. */
export class FieldReport {
  readonly #target: DialectName;
  readonly #dropUnsupported: boolean;
  readonly #dropped: string[] = [];

  constructor(target: DialectName, dropUnsupported: boolean) {
    this.#target = target;
    this.#dropUnsupported = dropUnsupported;
  }

  /** Fields left out so far, in the client's words. */
  get dropped(): readonly string[] {
    return this.#dropped;
  }

  /**
   * Notes that `field` cannot be mapped; the caller goes on without it.
   * @param remedy a sentence that tells the client what to do instead
   * @throws SluiceError `unsupported_field` naming the field, unless dropping is allowed
   */
  unsupported(field: string, remedy: string): void {
    if (!this.#dropUnsupported) {
      throw new SluiceError(
        "unsupported_field",
        `${field}: cannot be sent to a provider that speaks ${this.#target}. ${remedy}`,
        { param: field },
      );
    }
    if (!this.#dropped.includes(field)) this.#dropped.push(field);
  }

  /**
   * Notes the fields of another dialect's `extra`. Null and false say that an option is not used, so they pass.
   * @param path where the object is, in the client's words; "" for the request itself
   */
  foreign(extra: Extra | undefined, path: string): void {
    if (extra === undefined || extra.dialect === this.#target) return;
    for (const [name, value] of Object.entries(extra.fields)) {
      if (value === null || value === undefined || value === false) continue;
      this.unsupported(path === "" ? name : `${path}.${name}`, "Leave it out.");
    }
  }
}
