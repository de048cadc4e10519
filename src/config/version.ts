/** The version of a snapshot: a digest of its content. */
import { hash } from "node:crypto";
import type { Snapshot } from "./snapshot.ts";

/** Enough that two configurations never share one, short enough to read out. */
const VERSION_LENGTH = 16;

/** The snapshot with its version filled in. */
export function withVersion(content: Omit<Snapshot, "version">): Snapshot {
  const version = hash("sha256", JSON.stringify(content), "hex").slice(0, VERSION_LENGTH);
  return { version, ...content };
}
