/** The variables of a running template: a stack, in which an inner declaration hides an outer one. */
import type { Value } from "./values.ts";

/** Variables of one call of a template. */
export class Scope {
  readonly #names: string[] = ["$"];
  readonly #values: Value[];
  /** Whether the value is an element of a list or map, which Go sees through an interface. */
  readonly #elements: boolean[] = [false];

  constructor(root: Value) {
    this.#values = [root];
  }

  get size(): number {
    return this.#names.length;
  }

  /** Forgets what was declared after `size` was read. */
  shrink(size: number): void {
    this.#names.length = size;
    this.#values.length = size;
    this.#elements.length = size;
  }

  declare(name: string, value: Value): void {
    this.#names.push(name);
    this.#values.push(value);
    this.#elements.push(false);
  }

  /** Index of a variable, -1 if it was not declared. */
  find(name: string): number {
    return this.#names.lastIndexOf(name);
  }

  value(index: number): Value {
    return this.#values[index];
  }

  isElement(index: number): boolean {
    return this.#elements[index] === true;
  }

  set(index: number, value: Value): void {
    this.#values[index] = value;
    this.#elements[index] = false;
  }

  /** Like `set`, for an element of a list or map. */
  setElement(index: number, value: Value): void {
    this.#values[index] = value;
    this.#elements[index] = true;
  }
}
