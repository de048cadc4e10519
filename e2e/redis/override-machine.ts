// A machine's part in limits that are set at run time, with everything that can happen between it and a real Redis.
import { OverrideBook } from "../../src/quotas/overrides/override-book.ts";
import { OverrideExchange } from "../../src/quotas/overrides/override-exchange.ts";
import type { LimitOverride } from "../../src/quotas/overrides/override.ts";
import type { RedisScript } from "../../src/quotas/authority/redis-connection.ts";
import type { Watched } from "./authority-client.ts";

const patienceMs = 5_000;

/** What becomes of a call: it and its answer arrive, it does not, or its answer does not. */
export type Fate = "ok" | "lost" | "unanswered";

/** One machine: a book and its exchange. What it stores outlives it. */
export class Machine {
  readonly book = new OverrideBook();
  readonly exchange: OverrideExchange;
  fate: Fate = "ok";
  calls = 0;
  readonly taken: LimitOverride[] = [];
  readonly #name: string;
  #said = 0;

  constructor(watched: Watched, name: string, gateway: string, stored: readonly LimitOverride[] = []) {
    this.#name = name;
    this.book.put(stored);
    this.exchange = new OverrideExchange({
      gateway,
      book: this.book,
      take: async (newer) => {
        this.taken.push(...newer);
        this.book.put(newer);
      },
      call: async (script: RedisScript, key: string, args: readonly string[]) => {
        this.calls += 1;
        if (this.fate === "lost") throw new Error("lost");
        const answer = await watched.authority.call(script, key, args, patienceMs);
        if (this.fate === "unanswered") throw new Error("no answer");
        return answer;
      },
    });
  }

  say(subject: string, rpm: number | null): void {
    const setAt = ++this.#said;
    const limits = rpm === null ? null : { rpm };
    this.book.put([{ subject, limits, setAt, by: "", from: "", on: this.#name, version: null }]);
  }

  /** What holds, by subject. */
  holds(subjects: readonly string[]): unknown[] {
    return subjects.map((subject) => this.book.get(subject)?.limits?.["rpm"] ?? null);
  }

  stored(subjects: readonly string[]): LimitOverride[] {
    return subjects.flatMap((subject) => this.book.get(subject) ?? []);
  }
}
