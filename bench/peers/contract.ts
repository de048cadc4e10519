/** What the bench can put in the place of the gateway. */
import type { Cores, ProcessGroup } from "../processes.ts";

export const PEER_NAMES = ["nginx", "sluice", "portkey", "litellm", "bifrost"] as const;
export type PeerName = (typeof PEER_NAMES)[number];

/** Whether answers are whole or streams: nginx is best served by different settings for the two. */
export type Traffic = "whole" | "stream";

/** Where to send requests, and what they need to pass. */
export interface Target {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface StartContext {
  /** A fresh folder for configuration and logs. */
  readonly folder: string;
  readonly upstreamPort: number;
  readonly cores: Cores;
  readonly workers: number;
  /** Arguments for the Node that runs it (Sluice only): profiling. */
  readonly nodeArguments: readonly string[];
}

/** A peer that runs. */
export interface RunningPeer {
  readonly group: ProcessGroup;
  target(traffic: Traffic): Target;
}

/** A peer that could be installed. */
export interface InstalledPeer extends ReportedPeer {
  readonly name: PeerName;
  start(context: StartContext): Promise<RunningPeer>;
}

/** What was measured, or used for it, as the report says it. */
export interface ReportedPeer {
  readonly name: string;
  readonly version: string;
  /** What was on while it was measured. */
  readonly features: string;
}

/** What could not be had, and why. */
export interface MissingPeer {
  readonly name: string;
  readonly reason: string;
}

/** A peer of the list: knows how to come by itself from a package registry, into a folder of the bench's cache. */
export interface PeerKind {
  readonly name: PeerName;
  /** Throws with the reason if it cannot be had here. */
  install(cacheFolder: string): Promise<InstalledPeer>;
}
