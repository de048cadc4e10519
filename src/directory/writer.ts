import { randomInt } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { HashWords } from "./hash.ts";
import type { DirectoryEntry, DirectoryHandle } from "./table.ts";
import { hashScratch, WritableTable } from "./writable-table.ts";

export interface DirectoryWriterOptions {
  /** Told of every new buffer, so that readers get it. Not called for the first: take `handle`. */
  readonly onNewBuffer?: (handle: DirectoryHandle) => void;
  /** More keys than this are refused. */
  readonly maxKeys?: number;
  /** Milliseconds that a long piece of work may hold the thread at a time; 0: one step. */
  readonly sliceMs?: number;
  /** Keys that the smallest buffer has room for: a power of two. */
  readonly minCapacity?: number;
}

/** What a replacement did. */
export interface DirectoryChanges {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly unchanged: number;
  /** Entries whose key had come before in the same replacement: the first counts. */
  readonly duplicates: number;
  /** A later replacement began before this one was through, and stands instead of it. */
  readonly superseded: boolean;
}

/** A new buffer is made when one in eight records is left: the rest serves changes that come while it is made. */
const RESERVE_SHARE = 8;
/** Entries between looks at the clock. */
const CLOCK_EVERY = 64;

/**
 * The one writer of the directory. Changes are visible to every reader at once; when a buffer is used up, what
 * lives is copied in slices into a new one while the old one goes on serving, and readers are handed the new one.
 */
export class DirectoryWriter {
  readonly #options: DirectoryWriterOptions;
  readonly #maxKeys: number;
  readonly #sliceMs: number;
  readonly #seed = randomInt(0x7fffffff);
  readonly #hash = new HashWords();
  readonly #scratch = hashScratch();
  readonly #minCapacity: number;
  #table: WritableTable;
  #generation = 1;
  /** The buffer being filled, and how many changes fit before it has to be finished. */
  #next: WritableTable | undefined;
  #nextBudget = 0;
  #rebuilding: Promise<void> | undefined;
  #replacement = 0;
  /** Keys changed one by one since the running replacement began: newer than what it brings. */
  #touched: Set<string> | undefined;

  constructor(options: DirectoryWriterOptions = {}) {
    this.#options = options;
    this.#maxKeys = options.maxKeys ?? 2_000_000;
    this.#sliceMs = options.sliceMs ?? 4;
    this.#minCapacity = options.minCapacity ?? 16_384;
    this.#table = new WritableTable(this.#minCapacity, this.#seed);
  }

  /** What a reader needs to begin. */
  get handle(): DirectoryHandle {
    return { buffer: this.#table.buffer, generation: this.#generation };
  }

  /** Keys in the directory. */
  get size(): number {
    return this.#table.live;
  }

  /** Bytes of shared memory reserved, and how many of them are in use. */
  get memory(): { readonly reservedBytes: number; readonly records: number } {
    return { reservedBytes: this.#table.buffer.byteLength, records: this.#table.count };
  }

  /**
   * Adds or changes one key; resolves when every reader of the current buffer sees it.
   * @throws RangeError if the hash is malformed or the directory is full.
   */
  async upsert(entry: DirectoryEntry): Promise<void> {
    this.#hash.fromHex(entry.hash);
    this.#touched?.add(entry.hash.toLowerCase());
    while (!this.#hasRoom()) await this.#rebuild();
    const hash = this.#hash.fromHex(entry.hash);
    if (this.#table.live >= this.#maxKeys && !this.#table.has(hash)) throw this.#tooMany();
    this.#table.put(hash, entry, "overwrite");
    if (this.#next !== undefined) {
      this.#next.put(hash, entry, "overwrite");
      this.#nextBudget--;
    }
  }

  /** Removes one key at once; false if it was not there. @throws RangeError if the hash is malformed. */
  remove(hash: string): boolean {
    const words = this.#hash.fromHex(hash);
    this.#touched?.add(hash.toLowerCase());
    this.#next?.remove(words);
    return this.#table.remove(words);
  }

  /**
   * Makes the directory hold exactly these keys, touching only what differs and leaving the thread free in between.
   * Keys changed by `upsert` or `remove` meanwhile keep that change. A later replacement supersedes a running one.
   * @param expected about how many entries will come: saves growing step by step, which takes twice the memory.
   * @throws RangeError at a malformed hash or too many keys; what came before it is applied, nothing is removed.
   */
  async replaceAll(
    entries: Iterable<DirectoryEntry>,
    expected: number = Array.isArray(entries) ? entries.length : 0,
  ): Promise<DirectoryChanges> {
    const replacement = ++this.#replacement;
    const touched = new Set<string>();
    this.#touched = touched;
    const counts = { added: 0, changed: 0, same: 0, seen: 0 };
    const slice = new Slice(this.#sliceMs);
    let removed = 0;
    const outcome = (superseded: boolean): DirectoryChanges => ({
      added: counts.added,
      changed: counts.changed,
      removed,
      unchanged: counts.same,
      duplicates: counts.seen,
      superseded,
    });
    try {
      await this.#rebuilding;
      if (expected > this.#table.capacity - this.#table.count) await this.#rebuild(Math.min(expected, this.#maxKeys));
      if (replacement !== this.#replacement) return outcome(true);
      this.#table.forgetSeen();
      for (const hash of touched) this.#table.markSeen(this.#hash.fromHex(hash));
      for (const entry of entries) {
        if (slice.due()) {
          await slice.pause();
          if (replacement !== this.#replacement) return outcome(true);
        }
        while (this.#rebuilding !== undefined || this.#isLow()) await this.#rebuild();
        if (touched.size > 0 && touched.has(entry.hash.toLowerCase())) continue;
        if (replacement !== this.#replacement) return outcome(true);
        const hash = this.#hash.fromHex(entry.hash);
        if (this.#table.live >= this.#maxKeys && !this.#table.has(hash)) throw this.#tooMany();
        counts[this.#table.put(hash, entry, "keep")]++;
      }
      for (let record = 0; record < this.#table.count; record++) {
        if (slice.due()) {
          await slice.pause();
          // Copying into a new buffer numbers the records anew: begin again with what is there then.
          while (this.#rebuilding !== undefined) {
            await this.#rebuilding;
            record = 0;
          }
          if (replacement !== this.#replacement) return outcome(true);
        }
        if (this.#table.sweep(record, this.#scratch)) removed++;
      }
      return outcome(false);
    } finally {
      if (replacement === this.#replacement) this.#touched = undefined;
    }
  }

  #tooMany(): RangeError {
    return new RangeError(`the directory holds ${this.#maxKeys} API keys, which is its limit`);
  }

  /** Few records are left, or so many are dead that copying the living saves memory. */
  #isLow(): boolean {
    const { capacity, count, live } = this.#table;
    return count >= capacity - capacity / RESERVE_SHARE || count - live > Math.max(this.#minCapacity / 2, live / 2);
  }

  #hasRoom(): boolean {
    if (this.#isLow() && this.#rebuilding === undefined) void this.#rebuild();
    return this.#table.count < this.#table.capacity && (this.#next === undefined || this.#nextBudget > 0);
  }

  /** Copies what lives into a new buffer with room for `more` keys besides; joins the copying that is under way. */
  #rebuild(more: number = 0): Promise<void> {
    this.#rebuilding ??= this.#copy(more).finally(() => {
      this.#rebuilding = undefined;
    });
    return this.#rebuilding;
  }

  async #copy(more: number): Promise<void> {
    const from = this.#table;
    // Twice what lives: the next copying is as far away as possible without wasting more than address space.
    const needed = Math.max(
      from.live * 2,
      Math.ceil(((from.live + more) * RESERVE_SHARE) / (RESERVE_SHARE - 1)) + 1,
      this.#minCapacity,
    );
    const next = new WritableTable(2 ** Math.ceil(Math.log2(needed)), this.#seed);
    this.#next = next;
    this.#nextBudget = next.capacity - from.live;
    const slice = new Slice(this.#sliceMs);
    const scratch = hashScratch();
    const end = from.count;
    for (let record = 0; record < end; record++) {
      if (slice.due()) await slice.pause();
      next.copyFrom(from, record, scratch);
    }
    this.#table = next;
    this.#next = undefined;
    this.#generation++;
    this.#options.onNewBuffer?.(this.handle);
  }
}

/** Tells a long loop when to make room for other work. */
class Slice {
  readonly #sliceMs: number;
  #deadline: number;
  #steps = 0;

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs;
    this.#deadline = performance.now() + sliceMs;
  }

  due(): boolean {
    if (this.#sliceMs === 0) return true;
    return ++this.#steps % CLOCK_EVERY === 0 && performance.now() >= this.#deadline;
  }

  async pause(): Promise<void> {
    await setImmediate();
    this.#deadline = performance.now() + this.#sliceMs;
  }
}
