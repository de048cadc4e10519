/**
 * Keeps monthly buckets through restarts: fills them with what the store knows, and writes to it what changes. What a
 * running request has reserved is not written; what its checkpoints have settled is.
 */
import { isMonthly, KIND, parseSubjectText, subjectText, type Subject, bucketKey } from "./bucket.ts";
import { DOUBLE, WORD } from "./bucket-layout.ts";
import { usedByAll } from "./bucket-status.ts";
import type { BucketTable } from "./bucket-table.ts";
import { type BudgetAlert, budgetAlerts } from "./budget-alerts.ts";
import type { MachineStore, MonthRow } from "./machine-store.ts";

/** Names of the configuration, by id and back. */
export interface Names {
  name(id: number): string;
  /** 0 for a name that is not known. */
  find(name: string): number;
}

const KINDS = { monthlyTokens: KIND.monthlyTokens, monthlyUsd: KIND.monthlyUsd };

/** One store, and the buckets that it is the memory of. */
export class MonthRecorder {
  readonly #table: BucketTable;
  readonly #store: MachineStore;
  readonly #names: Names;
  readonly #onPassed: (alerts: readonly BudgetAlert[]) => void;
  /** Rows of the store whose subject the configuration does not name now. */
  #pending: MonthRow[] = [];
  /** YYYYMM: what the store has of earlier months was not read. */
  #loadedFrom = 0;

  /** @param onPassed told of budgets that passed 80 % or 100 % */
  constructor(
    table: BucketTable,
    store: MachineStore,
    names: Names,
    onPassed: (alerts: readonly BudgetAlert[]) => void = () => {},
  ) {
    this.#table = table;
    this.#store = store;
    this.#names = names;
    this.#onPassed = onPassed;
  }

  /** Reads the store. @param oldestMonth YYYYMM: earlier months are not needed any more */
  load(oldestMonth: number): void {
    this.#pending = this.#store.since(oldestMonth);
    this.#loadedFrom = oldestMonth;
    this.restore();
  }

  /** The clock was set back, into a month that was not needed when the process started. */
  #loadFrom(month: number): void {
    this.#pending.push(...this.#store.since(month, this.#loadedFrom));
    this.#loadedFrom = month;
    this.restore();
  }

  /** Adds what the store knows to the buckets of all subjects that have a name by now. Call it when names are new. */
  restore(): void {
    this.#pending = this.#pending.filter((row) => !this.#restore(row));
  }

  /** Writes what has changed since the last time. @returns how many counters @throws StoreError; nothing is lost then */
  flush(): number {
    this.restore();
    const rows: MonthRow[] = [];
    const slots: number[] = [];
    const alerts: BudgetAlert[] = [];
    const table = this.#table;
    const { highWater } = table;
    for (let slot = 0; slot < highWater; slot++) {
      if (table.isFree(slot) || !isMonthly(table.kind(slot))) {
        continue;
      }
      const month = table.word(slot, WORD.period);
      if (month < this.#loadedFrom) {
        this.#loadFrom(month);
      }
      // read without the lock: what changes in this moment is written the next time
      const isNew = table.double(slot, DOUBLE.used) !== table.double(slot, DOUBLE.stored);
      const isNews = usedByAll(table, slot) > table.double(slot, DOUBLE.told);
      const row = isNew || isNews ? this.#row(slot) : undefined;
      if (row !== undefined && isNews) {
        alerts.push(...this.#alertsOf(slot, row));
      }
      if (row !== undefined && isNew) {
        rows.push(row);
        slots.push(slot);
      }
    }
    if (alerts.length > 0) {
      // first, so that nobody who runs out of budget goes untold, be it that the store fails or the process dies now
      this.#onPassed(alerts);
    }
    if (rows.length > 0) {
      this.#store.write(rows);
      slots.forEach((slot, index) => {
        table.setDouble(slot, DOUBLE.stored, rows[index]!.used);
      });
    }
    return rows.length;
  }

  /** What was told before a restart is known from what was stored then, so nothing more has to be kept. */
  #alertsOf(slot: number, row: MonthRow): BudgetAlert[] {
    const table = this.#table;
    const before = Math.max(table.double(slot, DOUBLE.stored), table.double(slot, DOUBLE.told));
    const used = usedByAll(table, slot);
    table.setDouble(slot, DOUBLE.told, used);
    return budgetAlerts({ ...row, used }, before, table.double(slot, DOUBLE.limit));
  }

  #restore(row: MonthRow): boolean {
    const subject = row.kind in KINDS ? this.#subjectOf(row.subject) : undefined;
    if (subject === undefined) {
      return false;
    }
    const { lock } = this.#table;
    lock.lock();
    try {
      const slot = this.#table.findOrCreate(bucketKey(subject, KINDS[row.kind], row.month), 0);
      if (slot < 0) {
        return false;
      }
      for (const field of [DOUBLE.used, DOUBLE.total, DOUBLE.stored]) {
        this.#table.setDouble(slot, field, this.#table.double(slot, field) + row.used);
      }
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Undefined for what the configuration does not name now, and for what a later version has written. */
  #subjectOf(text: string): Subject | undefined {
    const parsed = tryToParse(text);
    if (parsed === undefined) {
      return undefined;
    }
    const { type, names } = parsed;
    const [first = 0, second = 0, third = 0] = names.map((name) => this.#names.find(name));
    const ids = [first, second, third].slice(0, names.length);
    return ids.includes(0) ? undefined : { type, first, second, third };
  }

  /** The bucket as a row; undefined if it is no month's, or its names are not known here yet. */
  #row(slot: number): MonthRow | undefined {
    const { lock } = this.#table;
    lock.lock();
    try {
      if (this.#table.isFree(slot) || !isMonthly(this.#table.kind(slot))) {
        return undefined;
      }
      const kind = this.#table.kind(slot) === KIND.monthlyUsd ? "monthlyUsd" : "monthlyTokens";
      const subject = this.#table.subject(slot);
      const text = subjectText(subject, (id) => this.#names.name(id));
      if (this.#subjectOf(text) === undefined) {
        return undefined;
      }
      const month = this.#table.word(slot, WORD.period);
      return { subject: text, kind, month, used: this.#table.double(slot, DOUBLE.used) };
    } finally {
      lock.unlock();
    }
  }
}

function tryToParse(text: string): ReturnType<typeof parseSubjectText> | undefined {
  try {
    return parseSubjectText(text);
  } catch {
    return undefined;
  }
}
