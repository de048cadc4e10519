/**
 * All limits that were set at run time, as one machine knows them. Machines agree subject by subject: the newest word
 * counts, by the order that Redis gives; a word that Redis has not heard yet is the newest here. A removal is a word, too,
 * and is kept for as long as a machine may come back that has not heard it.
 */
import { encodeOverride, type LimitOverride } from "./override.ts";

/** So long a removal is remembered, in milliseconds. */
export const REMEMBERED_MS = 90 * 86_400_000;

/** What follows from comparing with what Redis has. */
export interface Comparison {
  /** Newer there. */
  readonly newer: readonly LimitOverride[];
  /** Older there, or missing: Redis has lost data. */
  readonly lacking: readonly LimitOverride[];
}

export class OverrideBook {
  readonly #entries = new Map<string, LimitOverride>();
  #newestVersion = 0;

  /** The newest word on a subject, be it that the file's limits hold again. */
  get(subject: string): LimitOverride | undefined {
    return this.#entries.get(subject);
  }

  /** How many subjects have limits that were set. */
  get size(): number {
    let count = 0;
    for (const { limits } of this.#entries.values()) {
      count += limits === null ? 0 : 1;
    }
    return count;
  }

  put(entries: readonly LimitOverride[]): void {
    for (const entry of entries) {
      this.#entries.set(entry.subject, entry);
      this.#newestVersion = Math.max(this.#newestVersion, entry.version ?? 0);
    }
  }

  /** Forgets a subject: nothing was ever said of it. */
  forget(subject: string): void {
    this.#entries.delete(subject);
  }

  /** What no other machine has been told. */
  unshared(): LimitOverride[] {
    return [...this.#entries.values()].filter(({ version }) => version === null);
  }

  /** Removals that need not be remembered any more. @param now milliseconds since the epoch */
  outdated(now: number): string[] {
    return [...this.#entries.values()].filter((entry) => isOutdated(entry, now)).map(({ subject }) => subject);
  }

  /** The newest version that this machine has known of; 0 if it knew none. */
  get newestVersion(): number {
    return this.#newestVersion;
  }

  /** What Redis has of a subject is newer than what is known here. @param now milliseconds since the epoch */
  isNews(there: LimitOverride, now: number): boolean {
    const here = this.#entries.get(there.subject);
    if (here === undefined) {
      return !isOutdated(there, now);
    }
    // of what is still to be told only its place in the order is news
    return here.version === null ? isSame(here, there) : isNewer(there, here);
  }

  /** @param listed everything that Redis has @param now milliseconds since the epoch */
  compare(listed: readonly LimitOverride[], now: number): Comparison {
    const missing = new Map(this.#entries);
    const newer: LimitOverride[] = [];
    const lacking: LimitOverride[] = [];
    for (const there of listed) {
      const here = missing.get(there.subject);
      missing.delete(there.subject);
      if (this.isNews(there, now)) {
        newer.push(there);
      } else if (here !== undefined && here.version !== null && isNewer(here, there)) {
        lacking.push(here);
      }
    }
    for (const here of missing.values()) {
      if (here.version !== null && !isOutdated(here, now)) {
        lacking.push(here);
      }
    }
    return { newer, lacking };
  }
}

/** Where two machines were given one place in the order, by a Redis that had lost what it told the first, Redis counts. */
function isNewer(there: LimitOverride, here: LimitOverride): boolean {
  const [left, right] = [there.version ?? Infinity, here.version ?? Infinity];
  return left > right || (left === right && !isSame(there, here));
}

function isSame(left: LimitOverride, right: LimitOverride): boolean {
  return encodeOverride(left) === encodeOverride(right);
}

function isOutdated({ limits, version }: LimitOverride, now: number): boolean {
  return limits === null && version !== null && version < now - REMEMBERED_MS;
}
