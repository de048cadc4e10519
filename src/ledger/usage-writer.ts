import { IndexRing } from "../lib/index-ring.ts";
import type { Outcome } from "./entry.ts";
import {
  CLEARED_DOUBLES,
  CLOSED_WORD,
  FLAGS_WORD,
  HEADER_WORDS,
  HIGH_WATER_WORD,
  ID_BYTE,
  ID_LENGTH_WORD,
  INTEGER_FIELD,
  MAX_ID_BYTES,
  MAX_UPSTREAM_NAME_BYTES,
  NUMBER_FIELD,
  OPENED_WORD,
  OUTCOME_INDEX,
  OUTCOME_WORD,
  REJECTED_WORD,
  SLOT_BYTES,
  SLOT_DOUBLES,
  SLOT_WORDS,
  STATE_DONE,
  STATE_OPEN,
  STATE_WORD,
  UPSTREAM_NAME_BYTE,
  UPSTREAM_NAME_LENGTH_WORD,
  usageSlotCount,
  usageTableParts,
} from "./usage-layout.ts";
import type { Flag, IntegerField, NumberField } from "./usage-layout.ts";

/** 31 bits: V8 keeps such numbers unboxed. */
const MAX_HANDLE = 0x7fffffff;

/**
 * The worker's side of the usage table. `open` when a request starts, setters as it goes on, `close` once at its
 * end; between the two a crash of the worker leaves the slot to the main thread, which accounts for it.
 * What `open` returns names the slot for this one request: after `close` it is worth nothing, though the slot goes on
 * to another request, so that what comes late never reaches another's entry.
 */
export class UsageWriter {
  readonly #header: Int32Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #bytes: Buffer;
  readonly #done: IndexRing;
  readonly #returned: IndexRing;
  /** Free slots, the last used on top: few slots stay warm instead of all taking turns. */
  readonly #free: Int32Array;
  /** The handle of the request that has a slot open; 0 if none has. */
  readonly #handles: Int32Array;
  readonly #slotCount: number;
  readonly #mask: number;
  #turn = 0;
  #freeCount = 0;
  #fresh = 0;
  #opened: number;
  #closed: number;

  /** @param buffer from `createUsageBuffer`, new or reset by the reader. */
  constructor(buffer: SharedArrayBuffer) {
    this.#slotCount = usageSlotCount(buffer);
    const parts = usageTableParts(this.#slotCount);
    this.#header = new Int32Array(buffer, 0, HEADER_WORDS);
    this.#words = new Int32Array(buffer, parts.slots, this.#slotCount * SLOT_WORDS);
    this.#doubles = new Float64Array(buffer, parts.slots, this.#slotCount * SLOT_DOUBLES);
    this.#bytes = Buffer.from(buffer, parts.slots, this.#slotCount * SLOT_BYTES);
    this.#done = new IndexRing(buffer, parts.doneRing, this.#slotCount);
    this.#returned = new IndexRing(buffer, parts.returnedRing, this.#slotCount);
    this.#free = new Int32Array(this.#slotCount);
    this.#handles = new Int32Array(this.#slotCount);
    this.#mask = this.#slotCount - 1;
    this.#opened = Atomics.load(this.#header, OPENED_WORD);
    this.#closed = Atomics.load(this.#header, CLOSED_WORD);
  }

  /** Requests opened and not closed. */
  get inFlight(): number {
    return (this.#opened - this.#closed) | 0;
  }

  /**
   * Takes a slot for a request.
   * @param requestId ASCII, at most 128 bytes are kept. @param startedAt milliseconds since the epoch.
   * @returns a handle for the other methods, or -1 if no slot is free: answer 503 `overloaded`.
   */
  open(requestId: string, startedAt: number): number {
    const slot = this.#take();
    if (slot < 0) {
      Atomics.store(this.#header, REJECTED_WORD, ((this.#header[REJECTED_WORD] ?? 0) + 1) | 0);
      return -1;
    }
    const base = slot * SLOT_WORDS;
    this.#clear(slot);
    this.#doubles[slot * SLOT_DOUBLES + NUMBER_FIELD.startedAt] = startedAt;
    this.#words[base + ID_LENGTH_WORD] = this.#bytes.write(
      requestId,
      slot * SLOT_BYTES + ID_BYTE,
      MAX_ID_BYTES,
      "latin1",
    );
    this.#opened = (this.#opened + 1) | 0;
    Atomics.store(this.#words, base + STATE_WORD, STATE_OPEN);
    Atomics.store(this.#header, OPENED_WORD, this.#opened);
    const handle = this.#nextHandle(slot);
    this.#handles[slot] = handle;
    return handle;
  }

  /** The number of the slot behind a handle. */
  slotOf(handle: number): number {
    return handle & this.#mask;
  }

  /** Sets an integer or a name id. After `close` nothing happens, here and below. */
  setInteger(handle: number, field: IntegerField, value: number): void {
    const slot = handle & this.#mask;
    if (this.#handles[slot] === handle) {
      this.#words[slot * SLOT_WORDS + field] = value;
    }
  }

  /** Sets a number: a token or byte count, or milliseconds. */
  setNumber(handle: number, field: NumberField, value: number): void {
    const slot = handle & this.#mask;
    if (this.#handles[slot] === handle) {
      this.#doubles[slot * SLOT_DOUBLES + field] = value;
    }
  }

  /**
   * Sets what the upstream model is called where the configuration has a `*` for it, "" where it has none. Clients choose
   * such names, so they get no ids; of a long one the beginning is kept.
   */
  setUpstreamName(handle: number, name: string): void {
    const slot = handle & this.#mask;
    if (this.#handles[slot] === handle) {
      const start = slot * SLOT_BYTES + UPSTREAM_NAME_BYTE;
      const length = name === "" ? 0 : this.#bytes.write(name, start, MAX_UPSTREAM_NAME_BYTES, "utf8");
      this.#words[slot * SLOT_WORDS + UPSTREAM_NAME_LENGTH_WORD] = length;
    }
  }

  /** Sets a flag; flags are never taken back. */
  setFlag(handle: number, flag: Flag): void {
    const slot = handle & this.#mask;
    if (this.#handles[slot] === handle) {
      const index = slot * SLOT_WORDS + FLAGS_WORD;
      this.#words[index] = (this.#words[index] ?? 0) | flag;
    }
  }

  /**
   * Ends the request and hands its slot to the main thread.
   * @param status what the client got, 499 if it left before. @param totalMs from start to end.
   * @throws Error if the request was closed before, which would make two entries of one.
   */
  close(handle: number, outcome: Outcome, status: number, totalMs: number): void {
    const slot = handle & this.#mask;
    if (this.#handles[slot] !== handle) {
      throw new Error("this request's usage entry is closed");
    }
    this.#handles[slot] = 0;
    const base = slot * SLOT_WORDS;
    this.#words[base + OUTCOME_WORD] = OUTCOME_INDEX[outcome];
    this.#words[base + INTEGER_FIELD.status] = status;
    this.#doubles[slot * SLOT_DOUBLES + NUMBER_FIELD.totalMs] = totalMs;
    this.#closed = (this.#closed + 1) | 0;
    Atomics.store(this.#words, base + STATE_WORD, STATE_DONE);
    Atomics.store(this.#header, CLOSED_WORD, this.#closed);
    this.#done.push(slot);
  }

  /** The slot with a number that changes from request to request: positive, and small enough to stay an integer. */
  #nextHandle(slot: number): number {
    this.#turn = (this.#turn + this.#slotCount) & MAX_HANDLE;
    // Never 0, which marks a slot that nobody has open.
    return (this.#turn || (this.#turn = this.#slotCount)) | slot;
  }

  #take(): number {
    if (this.#freeCount === 0) {
      for (let slot = this.#returned.shift(); slot >= 0; slot = this.#returned.shift()) {
        this.#free[this.#freeCount++] = slot;
      }
    }
    if (this.#freeCount > 0) return this.#free[--this.#freeCount] ?? -1;
    if (this.#fresh === this.#slotCount) return -1;
    const slot = this.#fresh++;
    Atomics.store(this.#header, HIGH_WATER_WORD, this.#fresh);
    return slot;
  }

  // Eight bytes at a time, and no call: faster than `fill` for so few.
  #clear(slot: number): void {
    const start = slot * SLOT_DOUBLES;
    for (let index = start; index < start + CLEARED_DOUBLES; index++) this.#doubles[index] = 0;
  }
}
