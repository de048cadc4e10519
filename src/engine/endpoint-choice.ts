/**
 * Which endpoint a call uses next. Order: the endpoints of one priority, then those of the next, then the fallback
 * models'; when all were tried, the same again. What rests is left out while it rests.
 */
import type { Cooldowns } from "../balancing/cooldowns.ts";
import type { CompiledModel, Endpoint } from "./engine.ts";

/** A user model that may serve a call, and the name it goes by: the client's, or a fallback's. */
export interface ServingModel {
  readonly model: CompiledModel;
  readonly name: string;
}

/** What was chosen. */
export interface Choice extends ServingModel {
  readonly endpoint: Endpoint;
  /** It was tried before in this call. */
  readonly again: boolean;
}

/** The choices of one call. */
export class EndpointChoice {
  readonly #models: readonly ServingModel[];
  readonly #cooldowns: Cooldowns;
  readonly #tried = new Set<Endpoint>();
  readonly #unfit = new Set<Endpoint>();

  /** @param models in the order in which they are to serve */
  constructor(models: readonly ServingModel[], cooldowns: Cooldowns) {
    this.#models = models;
    this.#cooldowns = cooldowns;
  }

  /** The next endpoint; undefined if all of them rest, or none can take the request. */
  next(): Choice | undefined {
    return this.#choose(false) ?? (this.#tried.size === 0 ? undefined : this.#choose(true));
  }

  /** The request cannot be said in this endpoint's dialect. */
  exclude(endpoint: Endpoint): void {
    this.#unfit.add(endpoint);
  }

  /** Milliseconds until the first endpoint has rested, at least 1; Infinity if there is none that can take the request. */
  earliestWakeMs(): number {
    const cooldowns = this.#cooldowns;
    let earliest = Infinity;
    for (const { model } of this.#models) {
      for (const group of model.priorities) {
        for (const endpoint of group.endpoints) {
          if (!this.#unfit.has(endpoint)) {
            earliest = Math.min(earliest, restsUntil(endpoint, cooldowns));
          }
        }
      }
    }
    return Math.max(1, earliest - Date.now());
  }

  #choose(again: boolean): Choice | undefined {
    const now = Date.now();
    const usable = (endpoint: Endpoint): boolean =>
      this.#tried.has(endpoint) === again && !this.#unfit.has(endpoint) && restsUntil(endpoint, this.#cooldowns) <= now;
    for (const { model, name } of this.#models) {
      for (const group of model.priorities) {
        const endpoint = group.pick(usable);
        if (endpoint !== undefined) {
          this.#tried.add(endpoint);
          return { endpoint, model, name, again };
        }
      }
    }
    return undefined;
  }
}

/** When node and credential have rested, in milliseconds since the epoch. */
function restsUntil({ nodeId, credentialId }: Endpoint, cooldowns: Cooldowns): number {
  const node = cooldowns.restsUntil(nodeId);
  return credentialId === 0 ? node : Math.max(node, cooldowns.restsUntil(credentialId));
}
