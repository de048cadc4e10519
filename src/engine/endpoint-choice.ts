/**
 * Which endpoint a call uses next. Order: the endpoints of one priority, then those of the next, then the fallback
 * models'; when all were tried, the same again. What rests is left out while it rests.
 */
import type { Cooldowns } from "../balancing/cooldowns.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";
import type { CompiledModel, CompiledTarget, Endpoint } from "./engine.ts";
import type { Exchange } from "./exchange.ts";
import { mayUse } from "./models.ts";

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

/** Milliseconds until an endpoint's own limits leave room for the call: 0 for now, Infinity for never. */
export type RoomWait = (endpoint: Endpoint, serving: ServingModel) => number;

/** The choices of one call. */
export class EndpointChoice {
  readonly #models: readonly ServingModel[];
  readonly #cooldowns: Cooldowns;
  readonly #roomWaitMs: RoomWait;
  readonly #tried = new Set<Endpoint>();
  readonly #excluded = new Set<Endpoint | CompiledTarget>();

  /** @param models in the order in which they are to serve */
  constructor(models: readonly ServingModel[], cooldowns: Cooldowns, roomWaitMs: RoomWait = alwaysRoom) {
    this.#models = models;
    this.#cooldowns = cooldowns;
    this.#roomWaitMs = roomWaitMs;
  }

  /** The next endpoint; undefined if all of them were told to rest, or none can take the request. */
  next(): Choice | undefined {
    const now = sharedNowMs();
    const rested = (endpoint: Endpoint): boolean => restsUntil(endpoint, this.#cooldowns) <= now;
    // a node that we sent to rest ourselves, for failures of other models maybe, is better than none
    const willing = (endpoint: Endpoint): boolean => toldToRestUntil(endpoint, this.#cooldowns) <= now;
    return (
      this.#choose("untried", rested) ??
      this.#choose("tried", rested) ??
      this.#choose("untried", willing) ??
      this.#choose("tried", willing)
    );
  }

  /** Leaves an endpoint, or all of a target's, out for the rest of the call. */
  exclude(what: Endpoint | CompiledTarget): void {
    this.#excluded.add(what);
  }

  /** Some endpoint that can take the request has no room for it within its own limits. */
  get someLackRoom(): boolean {
    return this.#models.some((serving) =>
      serving.model.priorities.some(({ endpoints }) =>
        endpoints.some((endpoint) => !this.#isExcluded(endpoint) && this.#roomWaitMs(endpoint, serving) > 0),
      ),
    );
  }

  /** Milliseconds until the first endpoint has rested, at least 1; Infinity if there is none that can take the request. */
  earliestWakeMs(): number {
    const cooldowns = this.#cooldowns;
    let earliest = Infinity;
    const now = sharedNowMs();
    for (const serving of this.#models) {
      for (const group of serving.model.priorities) {
        for (const endpoint of group.endpoints) {
          if (!this.#isExcluded(endpoint)) {
            const rested = toldToRestUntil(endpoint, cooldowns) - now;
            earliest = Math.min(earliest, Math.max(rested, this.#roomWaitMs(endpoint, serving)));
          }
        }
      }
    }
    return Math.max(1, earliest);
  }

  #isExcluded(endpoint: Endpoint): boolean {
    return this.#excluded.has(endpoint) || this.#excluded.has(endpoint.target);
  }

  #choose(tried: "untried" | "tried", isAwake: (endpoint: Endpoint) => boolean): Choice | undefined {
    const again = tried === "tried";
    if (again && this.#tried.size === 0) {
      return undefined;
    }
    for (const serving of this.#models) {
      const { model, name } = serving;
      const usable = (endpoint: Endpoint): boolean =>
        this.#tried.has(endpoint) === again &&
        !this.#isExcluded(endpoint) &&
        isAwake(endpoint) &&
        this.#roomWaitMs(endpoint, serving) === 0;
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

/** When node and credential have rested, in milliseconds of the shared clock. */
function restsUntil(endpoint: Endpoint, cooldowns: Cooldowns): number {
  return Math.max(cooldowns.restsUntil(endpoint.nodeId), toldToRestUntil(endpoint, cooldowns));
}

/** The same without what we decided ourselves. */
function toldToRestUntil({ nodeId, credentialId }: Endpoint, cooldowns: Cooldowns): number {
  const node = cooldowns.toldToRestUntil(nodeId);
  return credentialId === 0 ? node : Math.max(node, cooldowns.toldToRestUntil(credentialId));
}

function alwaysRoom(): number {
  return 0;
}

/** The model and those of its fallbacks that the key is granted. */
export function servingModels(exchange: Exchange, model: CompiledModel, asked: string): ServingModel[] {
  const models = [{ model, name: asked }];
  for (const name of model.fallbacks) {
    const fallback = exchange.engine.models.find(name);
    if (fallback !== undefined && mayUse(exchange.caller?.policy, fallback, name)) {
      models.push({ model: fallback, name });
    }
  }
  return models;
}
