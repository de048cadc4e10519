/** A monotonic clock that all threads of the process share: `performance.now()` begins anew in each of them. */

const [seconds, nanoseconds] = process.hrtime();
const offsetMs = seconds * 1_000 + nanoseconds / 1e6 - performance.now();

/** Milliseconds of the system's monotonic clock. Never goes backwards, whatever happens to the wall clock. */
export function sharedNowMs(): number {
  return performance.now() + offsetMs;
}
