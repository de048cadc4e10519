/**
 * Deadlines for very many concurrent activities. Arming one is a few writes, progress (`touch`) is one
 * write: no timer is created per activity or moved per chunk. One unreferenced ticker looks through the
 * next due times of all activities, which lie side by side in one Float64Array: 10,000 of them take about
 * 10 µs a tick, so nothing cleverer (a timing wheel, a heap) is needed. It rests when nothing is armed.
 */

/** How often due times are looked at: a deadline fires at most this plus the event loop's delay late, never early. */
const TICK_MS = 10;
/** The ticker goes on for so many empty ticks, so that single requests do not start and stop it. */
const IDLE_TICKS = 100;

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
  #entries: Entry[] = [];
  #dues = new Float64Array(64);
  #timer: NodeJS.Timeout | undefined;
  #idleTicks = 0;

  /** Starts the deadlines of one activity; `onExpire` is told the name of each one that passes, once. */
  start<Name extends string>(onExpire: (name: Name) => void): Deadlines<Name> {
    return new Deadlines(this, onExpire);
  }

  /** How many activities have something armed. */
  get size(): number {
    return this.#entries.length;
  }

  /** For `Deadlines`: looks at `entry` when `due` has come. */
  schedule(entry: Entry, due: number): void {
    if (entry.slot === -1) {
      entry.slot = this.#entries.length;
      this.#entries.push(entry);
      if (entry.slot === this.#dues.length) {
        const grown = new Float64Array(2 * this.#dues.length);
        grown.set(this.#dues);
        this.#dues = grown;
      }
      this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
    }
    this.#dues[entry.slot] = due;
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

  #tick(): void {
    const { length } = this.#entries;
    if (length === 0) {
      if (++this.#idleTicks > IDLE_TICKS) this.#rest();
      return;
    }
    this.#idleTicks = 0;
    const time = now();
    const dues = this.#dues;
    let expired: Entry[] | undefined;
    for (let slot = 0; slot < length; slot++) {
      if (dues[slot]! > time) continue;
      const entry = this.#entries[slot]!;
      dues[slot] = entry.nextDue();
      if (dues[slot]! <= time) (expired ??= []).push(entry);
    }
    if (expired !== undefined) this.#confirm(expired, time);
  }

  /**
   * Lets the event loop read its sockets before it judges: after a stall of our own, bytes that came in time
   * are still unread, and the upstream must not be blamed for that.
   */
  #confirm(expired: readonly Entry[], time: number): void {
    setImmediate(() => {
      for (const entry of expired) if (entry.slot !== -1) entry.expire(time);
    }).unref();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#idleTicks = 0;
    this.#dues = new Float64Array(64);
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
    // the ticker may look once for nothing; that is cheaper than telling it
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
    for (const name of this.#names.filter((_, index) => this.#dues[index]! <= time)) {
      if (this.#ended) return;
      this.disarm(name);
      this.#onExpire(name);
    }
  }
}
