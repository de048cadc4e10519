import { parseArgs } from "node:util";
import { PEER_NAMES } from "./peers/contract.ts";
import type { PeerName } from "./peers/contract.ts";
import type { Rest } from "./protocol.ts";

export const SCENARIO_NAMES = [
  "json-2k",
  "json-50k",
  "json-50k-tail",
  "sse-10k",
  "sse-saturation",
  "latency",
  "first-token",
  "idle-streams",
  "swap",
  "workers",
  "admission",
  "shared-limits",
  "soak",
] as const;
export type ScenarioName = (typeof SCENARIO_NAMES)[number];

export interface Options {
  readonly scenarios: readonly ScenarioName[];
  readonly peers: readonly PeerName[];
  readonly rounds: number;
  /** CPU seconds of the measured process that a round lasts. */
  readonly cpuSeconds: number;
  /** Wall seconds after which a round ends even so. */
  readonly maxRoundSeconds: number;
  /** What load and upstream do between requests while CPU time is measured. */
  readonly rest: Rest;
  readonly latencySeconds: number;
  readonly idleStreams: number;
  readonly soakRequests: number;
  readonly output: "table" | "json";
  readonly saved: "save" | "print-only";
  /** What follows the date in the name of what is saved: a part of the scenarios must not replace a whole run. */
  readonly part: string;
  /** Scenario to run under the profiler instead of measuring. */
  readonly profile: ScenarioName | undefined;
}

export const HELP = `npm run bench -- [options]
  --only a,b        scenarios: ${SCENARIO_NAMES.join(", ")} (all but soak)
  --peers a,b       of ${PEER_NAMES.join(", ")} (all that can be installed)
  --rounds N        rounds per peer, in turn (5)
  --cpu-seconds S   CPU time of the measured process per round (3)
  --quick           short rounds (0.5 s, 3 rounds): for a first look, not for figures
  --asleep          load and upstream sleep between requests: who is measured also pays for waking them
  --streams N       idle streams (10000, or what the limit of open files allows)
  --requests N      requests of the soak (1000000)
  --json            print JSON instead of the table
  --save            write docs/benchmarks/<date>.md even for a quick or partial run (with --only: <date>-<scenarios>.md)
  --profile NAME    run Sluice under --cpu-prof in that scenario and print where its time goes
  --help`;

/** Reads the command line. Throws with a message for the user; undefined when help was asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      peers: { type: "string" },
      rounds: { type: "string" },
      "cpu-seconds": { type: "string" },
      quick: { type: "boolean", default: false },
      asleep: { type: "boolean", default: false },
      streams: { type: "string", default: "10000" },
      requests: { type: "string", default: "1000000" },
      json: { type: "boolean", default: false },
      save: { type: "boolean", default: false },
      profile: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    return undefined;
  }
  const quick = values.quick;
  const cpuSeconds = positive("cpu-seconds", values["cpu-seconds"] ?? (quick ? "0.5" : "3"));
  const everything = SCENARIO_NAMES.filter((name) => name !== "soak");
  const complete = !quick && !values.asleep && values.only === undefined && values.peers === undefined;
  const only = values.only === undefined ? undefined : oneOf("only", values.only, SCENARIO_NAMES);
  return {
    scenarios: only ?? everything,
    peers: values.peers === undefined ? PEER_NAMES : oneOf("peers", values.peers, PEER_NAMES),
    rounds: Math.round(positive("rounds", values.rounds ?? (quick ? "3" : "5"))),
    cpuSeconds,
    maxRoundSeconds: cpuSeconds * 7,
    rest: values.asleep ? "asleep" : "awake",
    latencySeconds: quick ? 3 : 10,
    idleStreams: Math.round(positive("streams", values.streams)),
    soakRequests: Math.round(positive("requests", values.requests)),
    output: values.json ? "json" : "table",
    part: only === undefined ? "" : `-${only.join("-")}`,
    saved: values.save || complete ? "save" : "print-only",
    profile: values.profile === undefined ? undefined : oneOf("profile", values.profile, SCENARIO_NAMES)[0],
  };
}

function oneOf<Name extends string>(option: string, text: string, names: readonly Name[]): Name[] {
  return text.split(",").map((part) => {
    const found = names.find((name) => name === part.trim());
    if (found === undefined) {
      throw new Error(`--${option}: "${part}" is none of ${names.join(", ")}`);
    }
    return found;
  });
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) {
    throw new Error(`--${option}: "${text}" is not a positive number`);
  }
  return value;
}
