/** Runs a generator in slices between other work of the thread. */
import { setImmediate as nextTurn } from "node:timers/promises";

/** How a sliced run went. */
export interface SlicedRun<Result> {
  readonly result: Result;
  readonly durationMs: number;
  readonly longestSliceMs: number;
}

/** @param sliceMs the thread is given back after about so long */
export async function runInSlices<Result>(
  steps: Generator<undefined, Result>,
  sliceMs: number,
): Promise<SlicedRun<Result>> {
  const startedAt = performance.now();
  let longestSliceMs = 0;
  for (;;) {
    const sliceStart = performance.now();
    let step = steps.next();
    while (step.done !== true && performance.now() - sliceStart < sliceMs) {
      step = steps.next();
    }
    longestSliceMs = Math.max(longestSliceMs, performance.now() - sliceStart);
    if (step.done === true) {
      return { result: step.value, durationMs: performance.now() - startedAt, longestSliceMs };
    }
    await nextTurn();
  }
}

/** Runs a generator to its end at once, where nothing else waits for the thread. */
export function runAtOnce<Result>(steps: Generator<undefined, Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) {
      return value;
    }
  }
}
