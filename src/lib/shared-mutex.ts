/**
 * A mutual-exclusion lock in shared memory for sections of a few microseconds. Free or taken costs one atomic
 * instruction; who finds it taken spins shortly and then sleeps, so that a holder whose core was taken away gets it back.
 * The lock knows its holder: what a dead thread held can be recovered (`recover`).
 */

/** Set when somebody may sleep. */
const CONTENDED = 0x4000_0000;
const SPINS = 200;
/** A sleeper looks again after this long, whatever it was told. */
const LONGEST_SLEEP_MS = 1;

/** One thread's handle of a lock. */
export class SharedMutex {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #owner: number;

  /**
   * @param words shared memory, zero at first
   * @param at index of the lock's word
   * @param owner a number of this thread alone, from 1 to 2^30 - 1
   */
  constructor(words: Int32Array, at: number, owner: number) {
    this.#words = words;
    this.#at = at;
    this.#owner = owner;
  }

  /** Takes the lock; waits for as long as somebody else holds it. Not reentrant. */
  lock(): void {
    if (Atomics.compareExchange(this.#words, this.#at, 0, this.#owner) !== 0) {
      this.#lockSlowly(Infinity);
    }
  }

  /**
   * Takes the lock if that is possible within some time: for a thread that must not wait for a holder that has died.
   * @returns whether it was taken
   */
  lockWithin(timeoutMs: number): boolean {
    return (
      Atomics.compareExchange(this.#words, this.#at, 0, this.#owner) === 0 ||
      this.#lockSlowly(performance.now() + timeoutMs)
    );
  }

  /** Gives the lock back. Only its holder may. */
  unlock(): void {
    const before = Atomics.exchange(this.#words, this.#at, 0);
    if ((before & CONTENDED) !== 0) {
      Atomics.notify(this.#words, this.#at, 1);
    }
  }

  /**
   * Frees the lock if `owner`, a thread that has ended, died with it.
   * @param repair puts right what that thread left half done; runs while the lock is still held
   * @returns whether it held the lock
   */
  recover(owner: number, repair: () => void): boolean {
    if ((Atomics.load(this.#words, this.#at) & ~CONTENDED) !== owner) {
      return false;
    }
    repair();
    Atomics.store(this.#words, this.#at, 0);
    Atomics.notify(this.#words, this.#at);
    return true;
  }

  #lockSlowly(endsAt: number): boolean {
    for (let spin = 0; spin < SPINS; spin++) {
      if (
        Atomics.load(this.#words, this.#at) === 0 &&
        Atomics.compareExchange(this.#words, this.#at, 0, this.#owner) === 0
      ) {
        return true;
      }
    }
    for (;;) {
      if (endsAt < Infinity && performance.now() >= endsAt) {
        return false;
      }
      const held = Atomics.load(this.#words, this.#at);
      // others may sleep besides, so a sleeper takes the lock as contended
      if (held === 0) {
        if (Atomics.compareExchange(this.#words, this.#at, 0, this.#owner | CONTENDED) === 0) {
          return true;
        }
      } else if (
        (held & CONTENDED) !== 0 ||
        Atomics.compareExchange(this.#words, this.#at, held, held | CONTENDED) === held
      ) {
        Atomics.wait(this.#words, this.#at, held | CONTENDED, LONGEST_SLEEP_MS);
      }
    }
  }
}
