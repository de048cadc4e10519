/** A file that a configuration was made of, with what it held: the measure by which a watcher tells a change. */
import { hash } from "node:crypto";

export interface LoadedFile {
  /** Absolute. */
  readonly path: string;
  /** Of its content, or MISSING; undefined if it could not be read. */
  readonly digest: string | undefined;
}

/** The digest of a file that is not there. */
export const MISSING = "missing";

/** The digest of a file's content. */
export function digestOf(content: Buffer): string {
  return hash("sha256", content, "hex");
}
