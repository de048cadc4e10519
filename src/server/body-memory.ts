import { availableParallelism, totalmem } from "node:os";
import type { ServerConfig } from "../config/snapshot.ts";

/** Of the memory that the process may use, so much is for request bodies; with what is made of them they take up to three times as much. */
const SHARE_FOR_BODIES = 1 / 8;

/** What a worker may hold of request bodies, in bytes: as configured, or its part of the memory of machine or container. */
export function bodyMemoryBytes({ maxBufferedBytes, workers }: ServerConfig): number {
  if (maxBufferedBytes > 0) {
    return maxBufferedBytes;
  }
  // 0: no constraint is known
  const constrained = process.constrainedMemory() || Infinity;
  return Math.floor((Math.min(totalmem(), constrained) * SHARE_FOR_BODIES) / (workers || availableParallelism()));
}
