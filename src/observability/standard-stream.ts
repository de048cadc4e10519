import { constants, fstatSync, openSync } from "node:fs";

/** Flags for what lines are appended to, without ever waiting for a reader. */
export const APPEND_FLAGS =
  constants.O_WRONLY | constants.O_APPEND | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * A descriptor for standard output (1) or standard error (2) that does not block: a pipe or terminal is opened anew,
 * where the system allows it, because the inherited one is shared with other processes and has to stay as it is.
 * @returns a descriptor of its own, or `stream` itself.
 */
export function openStandardStream(stream: 1 | 2): number {
  try {
    const stats = fstatSync(stream);
    // A file's position belongs to the inherited descriptor, and writing to a file does not block for long.
    if (!stats.isFIFO() && !stats.isCharacterDevice()) return stream;
    return openSync(`/proc/self/fd/${stream}`, APPEND_FLAGS);
  } catch {
    return stream;
  }
}
