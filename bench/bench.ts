import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BothSides, Load, Upstream } from "./helper.ts";
import type { Machine } from "./machine.ts";
import type { Options, ScenarioName } from "./options.ts";
import type {
  InstalledPeer,
  MissingPeer,
  PeerName,
  ReportedPeer,
  RunningPeer,
  StartContext,
} from "./peers/contract.ts";
import type { Cores } from "./processes.ts";
import { median } from "./statistics.ts";
import { messageOf } from "../src/lib/thrown.ts";

/** One measured quantity of one peer; its value is the median of the rounds. */
export interface Figure {
  readonly scenario: ScenarioName;
  readonly metric: string;
  readonly unit: string;
  readonly peer: PeerName | "direct" | "rate-limiter-flexible";
  readonly value: number;
  readonly rounds: readonly number[];
}

/** A peer that runs, under its name. */
export interface NamedPeer {
  readonly name: PeerName;
  readonly running: RunningPeer;
}

export interface CorePlan {
  readonly gateway: Cores;
  readonly helpers: Cores;
  /** All of the gateway's cores when it may use two. */
  readonly twoWorkers: Cores;
}

/** What all scenarios share: helpers, peers, and the place where figures go. */
export class Bench {
  readonly options: Options;
  readonly machine: Machine;
  readonly cores: CorePlan;
  readonly helper: BothSides;
  readonly upstream: Upstream;
  readonly load: Load;
  readonly peers: readonly InstalledPeer[];
  /** Where what is installed lies. */
  readonly cacheFolder: string;
  /** What scenarios measured or used besides the peers. */
  readonly otherPeers: ReportedPeer[] = [];
  readonly missingPeers: MissingPeer[] = [];
  readonly figures: Figure[] = [];
  /** What a reader of the table must know: failures, limits met. */
  readonly remarks: string[] = [];
  readonly #folder: string;
  #folders = 0;

  constructor(parts: {
    options: Options;
    machine: Machine;
    cores: CorePlan;
    helper: BothSides;
    peers: readonly InstalledPeer[];
    folder: string;
    cacheFolder: string;
  }) {
    this.options = parts.options;
    this.machine = parts.machine;
    this.cores = parts.cores;
    this.helper = parts.helper;
    this.upstream = parts.helper.upstream;
    this.load = parts.helper.load;
    this.peers = parts.peers;
    this.#folder = parts.folder;
    this.cacheFolder = parts.cacheFolder;
  }

  record(scenario: ScenarioName, peer: Figure["peer"], metric: string, unit: string, rounds: readonly number[]): void {
    const value = median(rounds);
    this.figures.push({ scenario, metric, unit, peer, value, rounds });
    this.log(`${scenario} ${peer} ${metric}: ${round(value)} ${unit} [${rounds.map(round).join(" ")}]`);
  }

  /** For a reader elsewhere: this machine's folders mean nothing there. */
  remark(text: string): void {
    this.remarks.push(text.replaceAll(`${this.#folder}/`, ""));
    this.log(text);
  }

  log(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  startContext(name: string): StartContext {
    const folder = join(this.#folder, `${name}-${++this.#folders}`);
    mkdirSync(folder, { recursive: true });
    return { folder, upstreamPort: this.upstream.port, cores: this.cores.gateway, workers: 1, nodeArguments: [] };
  }

  /** Starts all peers, at rest; those that do not start are named in the remarks. */
  async startPeers(): Promise<NamedPeer[]> {
    const started: NamedPeer[] = [];
    for (const peer of this.peers) {
      const running = await this.startPeer(peer);
      if (running !== undefined) {
        running.group.pause();
        started.push({ name: peer.name, running });
      }
    }
    return started;
  }

  async startPeer(peer: InstalledPeer): Promise<RunningPeer | undefined> {
    try {
      this.log(`starting ${peer.name} ${peer.version}`);
      return await peer.start(this.startContext(peer.name));
    } catch (error) {
      this.remark(`${peer.name} did not start: ${messageOf(error)}`);
      return undefined;
    }
  }
}

/** Three significant digits: more would pretend. */
export function round(value: number): string {
  if (!Number.isFinite(value)) {
    return "–";
  }
  if (Math.abs(value) >= 100) {
    return Math.round(value).toLocaleString("en-US");
  }
  return String(Number(value.toPrecision(3)));
}
