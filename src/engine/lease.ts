import type { Engine } from "./engine.ts";

/** An engine in use: requests hold it to their end; once retired, it is disposed of when the last one lets go. */
export class EngineLease {
  readonly engine: Engine;
  #holders = 0;
  #retired = false;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  hold(): void {
    this.#holders += 1;
  }

  letGo(): void {
    this.#holders -= 1;
    this.#disposeIfUnused();
  }

  /** A newer engine serves from now on. */
  retire(): void {
    this.#retired = true;
    this.#disposeIfUnused();
  }

  #disposeIfUnused(): void {
    if (this.#retired && this.#holders === 0) {
      this.engine.dispose();
    }
  }
}
