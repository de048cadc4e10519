/** How exactly a limit was kept, by the moments at which requests were admitted. Times in milliseconds. */

/** Of what the limit allows between two moments, the share that was admitted. */
export function utilisation(times: readonly number[], from: number, to: number, perMs: number): number {
  return times.filter((time) => time >= from && time < to).length / (perMs * (to - from));
}

/** The most that was admitted in any stretch of this length. */
export function mostWithin(times: readonly number[], windowMs: number): number {
  const sorted = times.toSorted((left, right) => left - right);
  let first = 0;
  let most = 0;
  for (const [index, time] of sorted.entries()) {
    while (sorted[first]! <= time - windowMs) {
      first += 1;
    }
    most = Math.max(most, index - first + 1);
  }
  return most;
}

/**
 * Whole requests by which the worst stretch of time, however long, exceeds what may come at once and what flows back
 * meanwhile; 0 where none does.
 * @param atOnce requests that may come at once
 */
export function overshoot(times: readonly number[], atOnce: number, perMs: number): number {
  const sorted = times.toSorted((left, right) => left - right);
  let least = Infinity;
  let worst = 0;
  for (const [index, time] of sorted.entries()) {
    const allowance = index - time * perMs;
    least = Math.min(least, allowance);
    worst = Math.max(worst, allowance + 1 - least - atOnce);
  }
  // a clock of whole milliseconds lets a fraction of a request flow back early
  return Math.floor(worst);
}
