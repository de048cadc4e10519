/**
 * Calendar months in a time zone, by the platform's tzdata. A month begins with the first instant of its first day: local
 * midnight, or where clocks skip midnight the moment to which they jump, or where midnight comes twice the first one.
 * From then on it is that month, also while clocks that were set back show the day before once more.
 */

/** A calendar month as a stretch of time. */
export interface Month {
  /** Year and month as one number: 202611. */
  readonly month: number;
  /** Milliseconds since the epoch: its first. */
  readonly startsAt: number;
  /** Milliseconds since the epoch: the first of the next month. */
  readonly endsAt: number;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** No zone was ever farther from UTC: 15 h 56 min, Manila before 1845. */
const MAX_OFFSET_MS = 16 * HOUR_MS;
/** A clock that was set back shows the month before for less than this: so far look back for its beginning. */
const WINDOW_MS = MAX_OFFSET_MS + 2 * HOUR_MS;
/** Zones are some 600; whatever comes beyond that is made anew each time. */
const MAX_CLOCKS = 2_000;
/** Within this the calendar is that of our days; `Date` reaches to the year 275760. */
const EARLIEST_MS = Date.UTC(1800, 0, 1);
const LATEST_MS = Date.UTC(9999, 0, 1);

const NEVER: Month = { month: 0, startsAt: 0, endsAt: 0 };

/** While it is still yesterday somewhere, last month's counters are still used. */
const LAST_ZONE_MS = 24 * HOUR_MS;

/** The oldest month (YYYYMM) that some time zone is still in. @param now milliseconds since the epoch */
export function oldestMonthInUse(now: number): number {
  return MonthClock.of("UTC").at(now - LAST_ZONE_MS).month;
}

/** Tells the months of one time zone. */
export class MonthClock {
  static readonly #clocks = new Map<string, MonthClock>();

  readonly #format: Intl.DateTimeFormat;
  /** The months that were asked for last: around a boundary two are in use, since clocks are set back, too. */
  #current = NEVER;
  #other = NEVER;

  private constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  /**
   * The clock of a zone, the same one each time.
   * @param timeZone an IANA name that the platform knows
   * @throws RangeError if it knows none of this name
   */
  static of(timeZone: string): MonthClock {
    let clock = MonthClock.#clocks.get(timeZone);
    if (clock === undefined) {
      clock = new MonthClock(timeZone);
      if (MonthClock.#clocks.size < MAX_CLOCKS) {
        MonthClock.#clocks.set(timeZone, clock);
      }
    }
    return clock;
  }

  /**
   * The month of a moment: the same object for every moment in it, as long as no more than two months are asked for.
   * @param epochMs milliseconds since the epoch, of the years 1800 to 9998
   * @throws RangeError beyond these
   */
  at(epochMs: number): Month {
    const current = this.#current;
    if (epochMs >= current.startsAt && epochMs < current.endsAt) {
      return current;
    }
    const other = this.#other;
    const found = epochMs >= other.startsAt && epochMs < other.endsAt ? other : this.#find(epochMs);
    this.#other = current;
    this.#current = found;
    return found;
  }

  /** A moment as it is written there: `2026-12-01T00:00:00+08:00`. @param epochMs milliseconds since the epoch */
  text(epochMs: number): string {
    const local = this.#local(epochMs);
    const offset = Math.round((local - epochMs) / MINUTE_MS);
    const minutes = Math.abs(offset);
    const two = (value: number): string => String(value).padStart(2, "0");
    const sign = offset < 0 ? "-" : "+";
    return `${new Date(local).toISOString().slice(0, -5)}${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  }

  #find(epochMs: number): Month {
    if (!(epochMs >= EARLIEST_MS && epochMs < LATEST_MS)) {
      throw new RangeError(`${epochMs} is no moment of the years 1800 to 9998 in milliseconds since the epoch`);
    }
    const local = new Date(this.#local(epochMs));
    let index = local.getUTCFullYear() * 12 + local.getUTCMonth();
    let endsAt = this.#startOf(index + 1);
    if (epochMs >= endsAt) {
      index += 1; // the clock was set back over midnight, and shows the last day of the month before again
      endsAt = this.#startOf(index + 1);
    }
    const month = Math.floor(index / 12) * 100 + (index % 12) + 1;
    return Object.freeze({ month, startsAt: this.#startOf(index), endsAt });
  }

  /** The first moment of a month that is counted from the year 0. */
  #startOf(index: number): number {
    const midnight = Date.UTC(Math.floor(index / 12), index % 12, 1);
    const end = midnight + WINDOW_MS;
    let from = midnight - WINDOW_MS;
    while (from < end) {
      // A stretch in which local time runs evenly: midnight is within it, before it (skipped when it began), or after it.
      const offset = this.#local(from) - from;
      const to = this.#nextChange(from, offset, end);
      if (midnight - offset < to) {
        return Math.max(midnight - offset, from);
      }
      from = to;
    }
    throw new RangeError(`${this.#format.resolvedOptions().timeZone} has no midnight near ${midnight}`);
  }

  /** When the offset changes next, or `end`. No zone changes its offset twice within an hour. */
  #nextChange(from: number, offset: number, end: number): number {
    for (let same = from; same < end;) {
      let later = Math.min(same + HOUR_MS, end);
      if (this.#local(later) - later === offset) {
        same = later;
        continue;
      }
      while (later - same > SECOND_MS) {
        const middle = same + Math.floor((later - same) / (2 * SECOND_MS)) * SECOND_MS;
        if (this.#local(middle) - middle === offset) {
          same = middle;
        } else {
          later = middle;
        }
      }
      return later;
    }
    return end;
  }

  /** Local time as if it were UTC: milliseconds since the epoch. @param epochMs any */
  #local(epochMs: number): number {
    const fields: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(epochMs)) {
      fields[type] = Number(value);
    }
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
    const subsecond = ((epochMs % SECOND_MS) + SECOND_MS) % SECOND_MS;
    return Date.UTC(year, month - 1, day, hour, minute, second) + subsecond;
  }
}
