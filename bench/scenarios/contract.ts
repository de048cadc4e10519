import type { Bench, NamedPeer } from "../bench.ts";
import type { ScenarioName } from "../options.ts";

/** Runs on peers that are up already, shared with other scenarios. */
export interface SharedScenario {
  readonly name: ScenarioName;
  readonly kind: "shared";
  run(bench: Bench, peers: readonly NamedPeer[]): Promise<void>;
}

/** Starts what it needs itself. */
export interface OwnScenario {
  readonly name: ScenarioName;
  readonly kind: "own";
  run(bench: Bench): Promise<void>;
}

export type Scenario = SharedScenario | OwnScenario;
