/** Collects what is wrong with one document while it is read; places are resolved only for what is reported. */
import type { DocumentPath } from "./problem.ts";

/** A remedy may be costly to word (the nearest of 10,000 names), so it is asked for only when reported. */
export type Remedy = string | (() => string);

/** One thing that is wrong at one place of the document. */
export interface Finding {
  readonly path: DocumentPath;
  readonly message: string;
  readonly remedy: Remedy;
  /** `key`: the key itself is wrong, not its value. */
  readonly target: "key" | "value";
  /** Offset in the text, where that is known better than by path. */
  readonly offset?: number;
}

/** The findings of one load. */
export class Findings {
  readonly errors: Finding[] = [];
  readonly warnings: Finding[] = [];

  /** The value at `path` is wrong. */
  add(path: DocumentPath, message: string, remedy: Remedy = ""): void {
    this.errors.push({ path, message, remedy, target: "value" });
  }

  /** The key at the end of `path` is wrong. */
  addKey(path: DocumentPath, message: string, remedy: Remedy = ""): void {
    this.errors.push({ path, message, remedy, target: "key" });
  }

  /** The text at `offset` is wrong. */
  addAt(offset: number, path: DocumentPath, message: string, remedy: Remedy = ""): void {
    this.errors.push({ path, message, remedy, target: "value", offset });
  }

  /** The value at `path` is allowed but hardly meant. */
  warn(path: DocumentPath, message: string, remedy: Remedy = ""): void {
    this.warnings.push({ path, message, remedy, target: "value" });
  }
}
