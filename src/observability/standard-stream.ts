import { constants, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";

/** Flags for what lines are appended to, without ever waiting for a reader. */
export const APPEND_FLAGS =
  constants.O_WRONLY | constants.O_APPEND | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** Kept for the life of the process: an unreferenced socket object would close its descriptor. */
const held = new Map<number, Socket>();

/**
 * A descriptor for standard output (1) or standard error (2) that does not block. A write that blocks would hold up
 * the thread, or a thread of the pool and with it the end of the process.
 * @returns a descriptor of its own, or `stream` itself.
 */
export function openStandardStream(stream: 1 | 2): number {
  try {
    const stats = fstatSync(stream);
    // A pipe or terminal is opened anew: the inherited one is shared with other processes and has to stay as it is.
    if (stats.isFIFO() || stats.isCharacterDevice()) return openSync(`/proc/self/fd/${stream}`, APPEND_FLAGS);
    // A socket cannot be opened anew; wrapping it has the side effect that is wanted, and Node undoes it at the end.
    if (stats.isSocket() && !held.has(stream))
      held.set(stream, new Socket({ fd: stream, readable: false, writable: true }).unref());
  } catch {
    // Without a descriptor of our own the inherited one has to do.
  }
  // A file stays: its position belongs to the inherited descriptor, and writing to it does not block for long.
  return stream;
}
