/** Limits that were set at run time and hold instead of the file's, as a thread that admits requests knows them. */
import type { LimitsConfig } from "../../config/snapshot.ts";
import type { Subject } from "../bucket.ts";

/** What limits a subject from now on: these limits, nothing at all, or again what the file says. */
export interface OverrideChange {
  readonly subject: Subject;
  readonly holds: LimitsConfig | "nothing" | "file";
}

/** One thread's overrides. */
export class LimitOverrides {
  /** Counts the changes: what was planned at another count may be out of date. */
  #generation = 0;
  readonly #bySubject = new Map<string, OverrideChange>();

  get generation(): number {
    return this.#generation;
  }

  /** The file's limits hold for everyone. */
  get isEmpty(): boolean {
    return this.#bySubject.size === 0;
  }

  take(changes: readonly OverrideChange[]): void {
    for (const change of changes) {
      if (change.holds === "file") {
        this.#bySubject.delete(textOf(change.subject));
      } else {
        this.#bySubject.set(textOf(change.subject), change);
      }
    }
    this.#generation += 1;
  }

  /** What limits a subject. @param configured what the file says */
  limitsOf(subject: Subject, configured: LimitsConfig | undefined): LimitsConfig | undefined {
    const holds = this.isEmpty ? undefined : this.#bySubject.get(textOf(subject))?.holds;
    if (holds === undefined || holds === "file") {
      return configured;
    }
    return holds === "nothing" ? undefined : holds;
  }

  /** All of them, as changes from none. */
  all(): OverrideChange[] {
    return [...this.#bySubject.values()];
  }
}

function textOf({ type, first, second, third }: Subject): string {
  return `${type}:${first}:${second}:${third}`;
}
