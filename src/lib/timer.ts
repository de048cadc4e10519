/**
 * Deadlines for very many concurrent activities. Arming one is a few writes, progress (`touch`) is one
 * write: no timer is created per activity or moved per chunk. The next due times of all activities lie side by side in
 * one Float64Array; one unreferenced timer waits for the earliest of them and then looks through them all. That
 * takes a nanosecond each, so nothing cleverer (a timing wheel, a heap) is needed.
 */

/** Due times are looked through no more often than this, so a deadline may fire this late, but never early. */
const SHORTEST_WAIT_MS = 10;
/** Longer waits are cut: timers of Node hold no more than 24 days. */
const LONGEST_WAIT_MS = 3_600_000;

/** Milliseconds of a monotonic clock, with fractions. */
export function now(): number {
  return performance.now();
}

/** What the ticker needs of an activity. */
interface Entry {
  /** Its place in the ticker's tables, -1 while it has none. Only the ticker writes it. */
  slot: number;
  /** When it wants to be looked at next; Infinity for never. */
  nextDue(): number;
  expire(time: number): void;
}

/** Watches the deadlines of all activities of one thread. */
export class DeadlineTicker {
  readonly #entries: Entry[] = [];
  #dues = new Float64Array(64);
  #timer: NodeJS.Timeout | undefined;
  /** When the timer will fire; Infinity if there is none. */
  #wakesAt = Infinity;

  /** Starts the deadlines of one activity; `onExpire` is told the name of each one that passes, once. */
  start<Name extends string>(onExpire: (name: Name) => void): Deadlines<Name> {
    return new Deadlines(this, onExpire);
  }

  /** How many activities have armed something and not ended. */
  get size(): number {
    return this.#entries.length;
  }

  /** For `Deadlines`: looks at `entry` when `due` has come. */
  schedule(entry: Entry, due: number): void {
    if (entry.slot === -1) this.#add(entry);
    this.#dues[entry.slot] = due;
    if (due < this.#wakesAt) this.#wakeAt(due);
  }

  /** For `Deadlines`: forgets `entry`. */
  remove(entry: Entry): void {
    const { slot } = entry;
    if (slot === -1) return;
    entry.slot = -1;
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#entries[slot] = last;
    last.slot = slot;
    this.#dues[slot] = this.#dues[this.#entries.length]!;
  }

  #add(entry: Entry): void {
    entry.slot = this.#entries.length;
    this.#entries.push(entry);
    if (entry.slot < this.#dues.length) return;
    const grown = new Float64Array(2 * this.#dues.length);
    grown.set(this.#dues);
    this.#dues = grown;
  }

  #wakeAt(due: number): void {
    clearTimeout(this.#timer);
    // Node's timers count whole milliseconds and may be up to one early
    const waitMs = Math.ceil(due - now()) + 1;
    const boundedMs = Math.min(LONGEST_WAIT_MS, Math.max(SHORTEST_WAIT_MS, waitMs));
    this.#timer = setTimeout(() => {
      this.#look();
    }, boundedMs).unref();
    this.#wakesAt = due;
  }

  #look(): void {
    const time = now();
    const dues = this.#dues;
    const { length } = this.#entries;
    let earliest = Infinity;
    let expired: Entry[] | undefined;
    for (let slot = 0; slot < length; slot++) {
      let due = dues[slot]!;
      if (due <= time) {
        const entry = this.#entries[slot]!;
        due = entry.nextDue();
        if (due <= time) {
          (expired ??= []).push(entry);
          due = Infinity;
        }
        dues[slot] = due;
      }
      if (due < earliest) earliest = due;
    }
    this.#wakesAt = Infinity;
    if (earliest < Infinity) this.#wakeAt(earliest);
    if (expired !== undefined) this.#judge(expired, time);
  }

  /**
   * Lets the event loop read its sockets before it judges: after a stall of our own, bytes that came in time
   * are still unread, and the upstream must not be blamed for that. (Unreferenced, an immediate would not wake
   * the loop.)
   */
  #judge(expired: readonly Entry[], time: number): void {
    setImmediate(() => {
      for (const entry of expired) {
        // it may have ended, by itself or through another's end
        if (entry.slot === -1) continue;
        entry.expire(time);
        if (entry.slot !== -1) this.schedule(entry, entry.nextDue());
      }
    });
  }
}

/** The deadlines of one activity, each known by a name. */
export class Deadlines<Name extends string> {
  slot = -1;
  readonly #ticker: DeadlineTicker;
  readonly #onExpire: (name: Name) => void;
  readonly #names: Name[] = [];
  readonly #dues: number[] = [];
  #silenceName: Name | undefined;
  #silenceMs = 0;
  #touchedAt = 0;
  #ended = false;

  /** Use `DeadlineTicker.start`. */
  constructor(ticker: DeadlineTicker, onExpire: (name: Name) => void) {
    this.#ticker = ticker;
    this.#onExpire = onExpire;
  }

  /** `name` expires `ms` from now, whatever happens. Arming it again replaces it. */
  arm(name: Name, ms: number): void {
    if (this.#ended) return;
    const due = now() + ms;
    const index = this.#names.indexOf(name);
    if (index === -1) {
      this.#names.push(name);
      this.#dues.push(due);
    } else {
      this.#dues[index] = due;
    }
    this.#ticker.schedule(this, this.nextDue());
  }

  /** `name` expires once nothing was touched for `ms`, counted from now. An activity has one such deadline. */
  armSilence(name: Name, ms: number): void {
    if (this.#ended) return;
    this.#silenceName = name;
    this.#silenceMs = ms;
    this.#touchedAt = now();
    this.#ticker.schedule(this, this.nextDue());
  }

  /** There was progress: the silence starts anew. */
  touch(): void {
    this.#touchedAt = now();
  }

  /** Forgets `name`; nothing happens if it is not armed. */
  disarm(name: Name): void {
    if (name === this.#silenceName) this.#silenceName = undefined;
    const index = this.#names.indexOf(name);
    if (index !== -1) {
      this.#names.splice(index, 1);
      this.#dues.splice(index, 1);
    }
    // the ticker may look once for nothing, which is cheaper than telling it
  }

  /** Forgets everything, for good. */
  end(): void {
    this.#ended = true;
    this.#ticker.remove(this);
  }

  /** For the ticker. */
  nextDue(): number {
    let due = this.#silenceName === undefined ? Infinity : this.#touchedAt + this.#silenceMs;
    for (const other of this.#dues) if (other < due) due = other;
    return due;
  }

  /** For the ticker: reports what was due at `time`. */
  expire(time: number): void {
    const silence = this.#silenceName;
    if (silence !== undefined && this.#touchedAt + this.#silenceMs <= time) {
      this.disarm(silence);
      this.#onExpire(silence);
    }
    // a copy, since callbacks may arm and disarm
    for (const name of [...this.#names]) {
      if (this.#ended) return;
      const due = this.#dues[this.#names.indexOf(name)];
      if (due === undefined || due > time) continue;
      this.disarm(name);
      this.#onExpire(name);
    }
  }
}
