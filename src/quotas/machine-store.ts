/**
 * The embedded store of what must outlive a restart, monthly counters and limits that were set at run time: one SQLite
 * file of this machine alone. Blocks, so it belongs on a thread of its own.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import { decodeOverride, encodeOverride, type LimitOverride } from "./overrides/override.ts";

/** One counter, in words that outlive a process. */
export interface MonthRow {
  /** As `subjectText` writes it. */
  readonly subject: string;
  readonly kind: "monthlyTokens" | "monthlyUsd";
  /** YYYYMM. */
  readonly month: number;
  /** Tokens, or nano-dollars. */
  readonly used: number;
}

interface SeenMachines {
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly seenAt: number;
}

interface OverrideRow {
  readonly subject: string;
  readonly version: number | null;
  readonly content: string;
}

/** The file cannot be used; the message says why and what to do. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS month_counters (
    subject TEXT NOT NULL, kind TEXT NOT NULL, month INTEGER NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (month, subject, kind)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS machine (id TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS runs (count INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS machines (count INTEGER NOT NULL, seen_at INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS limit_overrides (
    subject TEXT PRIMARY KEY, version INTEGER, content TEXT NOT NULL
  ) WITHOUT ROWID;
`;
const UPSERT = `
  INSERT INTO month_counters (subject, kind, month, used) VALUES (?, ?, ?, ?)
  ON CONFLICT (month, subject, kind) DO UPDATE SET used = excluded.used
`;

/** Fewer machines than there were are believed after so long: maybe all are being stopped, this one last. */
const FEWER_MS = 24 * 3_600_000;
/** So often it is written that they are as many as before. */
const AS_MANY_MS = 3_600_000;

const UPSERT_OVERRIDE = `
  INSERT INTO limit_overrides (subject, version, content) VALUES (?, ?, ?)
  ON CONFLICT (subject) DO UPDATE SET version = excluded.version, content = excluded.content
`;

/** Everything as it was when it was last written. */
export class MachineStore {
  /** A name of this machine that lasts as long as the file. */
  readonly machineId: string;
  /** How often the file has been opened, this time included; the same again if that could not be written. */
  readonly run: number;
  /** Machines that shared limits lately, this one included: the most of a day. */
  #machines: SeenMachines = { count: 1, seenAt: 0 };
  readonly #database: DatabaseSync;
  readonly #upsert: StatementSync;

  /**
   * Opens the file, and makes it and its folder if need be.
   * @param path of the file, or `:memory:`
   * @throws StoreError if it cannot be used, or another process uses it
   */
  constructor(path: string) {
    try {
      if (path !== ":memory:") {
        mkdirSync(dirname(path), { recursive: true });
      }
      this.#database = new DatabaseSync(path, { timeout: 1_000 });
      // one process a file: two that count in one would each overwrite what the other counted
      this.#database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
      this.#database.exec(SCHEMA);
      this.machineId = this.#ownId();
      this.run = this.#countRun();
      const seen = this.#database.prepare("SELECT count, seen_at AS seenAt FROM machines").get();
      this.#machines = (seen as SeenMachines | undefined) ?? this.#machines;
      this.#upsert = this.#database.prepare(UPSERT);
    } catch (error) {
      throw new StoreError(`the store ${path} cannot be used: ${remedy(error)}`, { cause: error });
    }
  }

  /** All counters of a month and of those after it. @param before YYYYMM: only of months before this one */
  since(month: number, before: number = Infinity): MonthRow[] {
    // as a real number, since SQLite knows whole ones that JavaScript does not
    const rows = this.#database.prepare(
      "SELECT subject, kind, month, CAST(used AS REAL) AS used FROM month_counters WHERE month >= ? AND month < ?",
    );
    return rows.all(month, before) as unknown as MonthRow[];
  }

  /** Writes counters, all or none. @throws StoreError when the disk is full or gone; what was there before stays */
  write(rows: readonly MonthRow[]): void {
    this.#writeAll("monthly counters", () => {
      for (const { subject, kind, month, used } of rows) {
        if (!Number.isNaN(used)) {
          this.#upsert.run(subject, kind, month, Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.round(used))));
        }
      }
    });
  }

  /** All limits that were set at run time, and removals that other machines may not know of. */
  overrides(): LimitOverride[] {
    const rows = this.#database.prepare("SELECT subject, version, content FROM limit_overrides").all();
    return (rows as unknown as OverrideRow[]).flatMap(({ subject, version, content }) => {
      const override = decodeOverride(content);
      return override === undefined ? [] : [{ subject, version, ...override }];
    });
  }

  /** Writes limits, and forgets those of some subjects, all or none. @throws StoreError; what was there before stays */
  writeOverrides(entries: readonly LimitOverride[], forgotten: readonly string[]): void {
    this.#writeAll("limits", () => {
      const upsert = this.#database.prepare(UPSERT_OVERRIDE);
      for (const entry of entries) {
        upsert.run(entry.subject, entry.version, encodeOverride(entry));
      }
      const remove = this.#database.prepare("DELETE FROM limit_overrides WHERE subject = ?");
      for (const subject of forgotten) {
        remove.run(subject);
      }
    });
  }

  /** Machines that shared limits when this one was last told, or the most of the last day; 1 if nobody knows. */
  get machines(): number {
    return this.#machines.count;
  }

  /**
   * So many machines share limits now; kept for when it starts next and cannot ask.
   * @param now milliseconds since the epoch @throws StoreError when it cannot be written
   */
  sawMachines(count: number, now: number): void {
    const before = this.#machines;
    const ageMs = Math.abs(now - before.seenAt);
    if (count < before.count ? ageMs < FEWER_MS : count === before.count && ageMs < AS_MANY_MS) {
      return;
    }
    this.#writeAll("the number of machines", () => {
      this.#database.exec("DELETE FROM machines");
      this.#database.prepare("INSERT INTO machines (count, seen_at) VALUES (?, ?)").run(count, now);
    });
    this.#machines = { count, seenAt: now };
  }

  /** All that is written, or nothing. @param what for the error's message @throws StoreError */
  #writeAll(what: string, write: () => void): void {
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      write();
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) {
        this.#database.exec("ROLLBACK");
      }
      throw new StoreError(`${what} cannot be written: ${remedy(error)}`, { cause: error });
    }
  }

  close(): void {
    this.#database.close();
  }

  #ownId(): string {
    const known = this.#database.prepare("SELECT id FROM machine").get() as { id: string } | undefined;
    if (known !== undefined) {
      return known.id;
    }
    const id = randomUUID();
    this.#database.prepare("INSERT INTO machine (id) VALUES (?)").run(id);
    return id;
  }

  #countRun(): number {
    const known = this.#database.prepare("SELECT count FROM runs").get() as { count: number } | undefined;
    const run = (known?.count ?? 0) + 1;
    try {
      this.#writeAll("the number of starts", () => {
        this.#database.exec("DELETE FROM runs");
        this.#database.prepare("INSERT INTO runs (count) VALUES (?)").run(run);
      });
    } catch {
      // A full disk is told of when it matters.
    }
    return run;
  }
}

/** SQLite's result codes (sqlite.org/rescode.html) that people can do something about. */
function remedy(error: unknown): string {
  const { errcode, code, message } = error as { errcode?: number; code?: string; message: string };
  switch ((errcode ?? 0) & 0xff) {
    case 5:
    case 6:
      return "another process uses it; give each Sluice a file of its own (store.url)";
    case 8:
      return "it is read-only; let Sluice write there, or choose another path (store.url)";
    case 10:
    case 13:
      return `the disk is full or failing (${message}); make room`;
    case 11:
    case 26:
      return "the file is damaged or no SQLite database; restore it, or move it away to begin with empty counters";
    case 14:
      return "it cannot be opened; check that the folder exists and Sluice may write there (store.url)";
    default:
      return code === "EACCES" || code === "EROFS" || code === "ENOSPC" ? `${message}; choose another path` : message;
  }
}
