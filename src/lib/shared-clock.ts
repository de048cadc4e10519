/** A monotonic clock that all threads of the process share: `performance.now()` begins anew in each of them. */

/** Enough that not each is interrupted between its two readings, which would set the thread's clock back. */
const SAMPLES = 16;

let offsetMs = -Infinity;
for (let sample = 0; sample < SAMPLES; sample++) {
  const [seconds, nanoseconds] = process.hrtime();
  offsetMs = Math.max(offsetMs, seconds * 1_000 + nanoseconds / 1e6 - performance.now());
}

/** Milliseconds of the system's monotonic clock. Never goes backwards, whatever happens to the wall clock. */
export function sharedNowMs(): number {
  return performance.now() + offsetMs;
}
