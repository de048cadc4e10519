/**
 * The undo journal of an operation on several buckets, in the memory that they lie in. A thread can be killed between any
 * two of its writes; what it had changed by then is put back, so that an operation is done in all buckets or in none.
 * Used only under the buckets' lock, by whoever holds it.
 */
import {
  DOUBLE,
  JOURNAL_COUNT_WORD,
  JOURNAL_DOUBLE,
  JOURNAL_LINE,
  JOURNAL_RECORD_DOUBLE,
  JOURNAL_RECORD_WORD,
  JOURNAL_SLOTS_WORD,
} from "./bucket-layout.ts";
import type { BucketTable } from "./bucket-table.ts";
import { HELD, type ReservationTable } from "./reservation-table.ts";

/** One thread's view of the journal. */
export class Journal {
  readonly #table: BucketTable;
  readonly #reservations: ReservationTable;

  /** @param reservations those that the operations of this thread are about */
  constructor(table: BucketTable, reservations: ReservationTable) {
    this.#table = table;
    this.#reservations = reservations;
  }

  /** Begins an operation on a request: keeps what the request holds. */
  keepRecord(record: number): void {
    const { journal, header } = this.#table;
    const held = this.#reservations;
    const at = JOURNAL_RECORD_DOUBLE;
    journal[at] = held.isHeld(record) ? 1 : 0;
    journal[at + 1] = held.callCount(record);
    journal[at + 2] = held.count(record);
    journal[at + 3] = held.get(record, HELD.tokens);
    journal[at + 4] = held.get(record, HELD.nanoUsd);
    journal[at + 5] = held.get(record, HELD.tokensTaken);
    journal[at + 6] = held.get(record, HELD.nanoUsdTaken);
    header[JOURNAL_COUNT_WORD] = 0;
    Atomics.store(header, JOURNAL_RECORD_WORD, record + 1);
  }

  /** Keeps a bucket as it is, before it is changed. */
  keepBucket(slot: number): void {
    const { header, journal } = this.#table;
    const line = header[JOURNAL_COUNT_WORD]!;
    header[JOURNAL_SLOTS_WORD + line] = slot;
    const at = JOURNAL_DOUBLE + line * JOURNAL_LINE;
    journal[at] = this.#table.double(slot, DOUBLE.used);
    journal[at + 1] = this.#table.double(slot, DOUBLE.stampMs);
    journal[at + 2] = this.#table.double(slot, DOUBLE.reserved);
    journal[at + 3] = this.#table.double(slot, DOUBLE.spent);
    journal[at + 4] = this.#table.double(slot, DOUBLE.total);
    Atomics.store(header, JOURNAL_COUNT_WORD, line + 1);
  }

  /** The operation is done. This one word decides whether it is. */
  forget(): void {
    Atomics.store(this.#table.header, JOURNAL_RECORD_WORD, 0);
  }

  /** Undoes an operation that its thread did not live to finish. */
  rollBack(): void {
    const { header, journal } = this.#table;
    const record = header[JOURNAL_RECORD_WORD]! - 1;
    if (record < 0) {
      return;
    }
    for (let line = header[JOURNAL_COUNT_WORD]! - 1; line >= 0; line--) {
      const slot = header[JOURNAL_SLOTS_WORD + line]!;
      const at = JOURNAL_DOUBLE + line * JOURNAL_LINE;
      this.#table.setDouble(slot, DOUBLE.used, journal[at]!);
      this.#table.setDouble(slot, DOUBLE.stampMs, journal[at + 1]!);
      this.#table.setDouble(slot, DOUBLE.reserved, journal[at + 2]!);
      this.#table.setDouble(slot, DOUBLE.spent, journal[at + 3]!);
      this.#table.setDouble(slot, DOUBLE.total, journal[at + 4]!);
    }
    const at = JOURNAL_RECORD_DOUBLE;
    const held = this.#reservations;
    held.setHeld(record, journal[at] === 1 ? 1 : 0);
    held.setCounts(record, journal[at + 1]!, journal[at + 2]!);
    held.set(record, HELD.tokens, journal[at + 3]!);
    held.set(record, HELD.nanoUsd, journal[at + 4]!);
    held.set(record, HELD.tokensTaken, journal[at + 5]!);
    held.set(record, HELD.nanoUsdTaken, journal[at + 6]!);
    this.forget();
  }
}
