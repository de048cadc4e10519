/** Smooth weighted round-robin: of any n picks in a row, each candidate gets its share as evenly as possible. */

/** What the balancer needs to know of an endpoint. */
export interface Candidate {
  readonly weight: number;
  /** Name-table ids of what can rest. */
  readonly nodeId: number;
  readonly credentialId: number;
}

/** Picks among the endpoints of one priority. State is per worker. */
export class WeightedRoundRobin<Endpoint extends Candidate> {
  readonly endpoints: readonly Endpoint[];
  readonly #credit: Float64Array;

  constructor(endpoints: readonly Endpoint[]) {
    this.endpoints = endpoints;
    this.#credit = new Float64Array(endpoints.length);
  }

  /** The next endpoint that `usable` lets pass, or undefined. */
  pick(usable: (endpoint: Endpoint) => boolean): Endpoint | undefined {
    const credit = this.#credit;
    let total = 0;
    let best = -1;
    for (let index = 0; index < credit.length; index++) {
      const endpoint = this.endpoints[index]!;
      if (!usable(endpoint)) {
        continue;
      }
      total += endpoint.weight;
      credit[index]! += endpoint.weight;
      if (best < 0 || credit[index]! > credit[best]!) {
        best = index;
      }
    }
    if (best < 0) {
      return undefined;
    }
    credit[best]! -= total;
    return this.endpoints[best];
  }
}
