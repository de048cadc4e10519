/** Latencies in steps of about 2 %: millions of them fit, and those of several processes add up. */

const STEPS_PER_OCTAVE = 32;
/** The shortest that is told apart, in milliseconds: 0.1 µs. */
const SHORTEST_MS = 1e-4;
/** Up to some 400 seconds. */
const STEPS = 32 * STEPS_PER_OCTAVE;

/** Counts of one process, as they travel to the bench. */
export type LatencyCounts = Uint32Array | readonly number[];

/** What one process measured. */
export class LatencyHistogram {
  readonly counts = new Uint32Array(STEPS);

  add(ms: number): void {
    const step = Math.floor(Math.log2(Math.max(SHORTEST_MS, ms) / SHORTEST_MS) * STEPS_PER_OCTAVE);
    this.counts[Math.min(STEPS - 1, step)]! += 1;
  }
}

/** Nearest-rank percentile (0 < share ≤ 1) of all processes together, in milliseconds; NaN for none. */
export function latencyPercentile(parts: readonly LatencyCounts[], share: number): number {
  const counts = Array.from({ length: STEPS }, (_, step) => parts.reduce((sum, part) => sum + (part[step] ?? 0), 0));
  const all = counts.reduce((sum, count) => sum + count, 0);
  let left = Math.max(1, Math.ceil(share * all));
  for (const [step, count] of counts.entries()) {
    left -= count;
    if (left <= 0) {
      return SHORTEST_MS * 2 ** ((step + 0.5) / STEPS_PER_OCTAVE);
    }
  }
  return Number.NaN;
}
