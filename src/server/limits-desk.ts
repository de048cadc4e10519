/**
 * Limits that are set at run time, on the main thread: what is asked at the admin port is checked by the loader, written
 * to the store, put into force in all workers, and told to the other machines; what they have set comes the other way.
 */
import { hostname } from "node:os";
import { InTurn } from "../lib/in-turn.ts";
import type { JsonObject } from "../lib/json.ts";
import type { ProcessLog } from "../observability/log.ts";
import type { NamedSubject } from "../quotas/bucket.ts";
import { OverrideBook } from "../quotas/overrides/override-book.ts";
import { OverrideExchange, type OverrideExchangeOptions } from "../quotas/overrides/override-exchange.ts";
import type { LimitOverride } from "../quotas/overrides/override.ts";
import type { LimitsAnswer, LimitsQuestion, OverrideWrite } from "./messages.ts";
import { messageOf } from "../lib/thrown.ts";

/** Who asks for a change. */
export interface LimitsAuthor {
  /** Name of the admin token; "" where none is needed. */
  readonly by: string;
  /** Address. */
  readonly from: string;
}

/** A change of the limits of one subject. */
export type LimitsChange =
  | { readonly ask: "set"; readonly subject: NamedSubject; readonly text: string }
  | { readonly ask: "remove"; readonly subject: NamedSubject };

/** The store cannot take a change; the message says why. */
export class LimitsNotStored extends Error {
  override readonly name = "LimitsNotStored";
}

/** What a desk works with. */
export interface LimitsDeskOptions {
  /** Asks the loader. @throws LoaderUnavailable */
  readonly ask: (question: LimitsQuestion) => Promise<LimitsAnswer>;
  /** Asks the loader to put a change into force. Resolves when it holds in all workers. @throws LoaderUnavailable */
  readonly putIntoForce: (write: OverrideWrite) => Promise<void>;
  /** @throws StoreError */
  readonly store: (write: OverrideWrite) => Promise<void>;
  readonly log: ProcessLog;
}

export class LimitsDesk {
  readonly #options: LimitsDeskOptions;
  readonly #book = new OverrideBook();
  /** One change at a time, so that store, workers and book see them in one order. */
  readonly #turns = new InTurn();
  /** Of what others have set, what the store did not take: tried again with the next. */
  readonly #unstored = new Map<string, LimitOverride>();
  #exchange: OverrideExchange | undefined;

  constructor(options: LimitsDeskOptions) {
    this.#options = options;
  }

  /** What the store knew when the process began. */
  load(known: readonly LimitOverride[]): void {
    this.#book.put(known);
  }

  /** Set here, and not yet told to the other machines though there may be some. */
  get unshared(): number {
    return this.#exchange === undefined ? 0 : this.#book.unshared().length;
  }

  /** Everything that was set. @throws LoaderUnavailable */
  all(): Promise<LimitsAnswer> {
    return this.#options.ask({ ask: "all", isShared: this.#exchange !== undefined });
  }

  /** What limits one subject. @throws LoaderUnavailable */
  one(subject: NamedSubject, before?: string): Promise<LimitsAnswer> {
    const isShared = this.#exchange !== undefined;
    return this.#options.ask({ ask: "one", subject, isShared, ...(before !== undefined && { before }) });
  }

  /**
   * Sets or removes limits. The answer comes when that holds in all workers here, and other machines know it if they can.
   * @throws LoaderUnavailable, LimitsNotStored; nothing has changed then
   */
  async change(change: LimitsChange, author: LimitsAuthor): Promise<LimitsAnswer> {
    const answer = await this.#turns.run(() => this.#decide(change, author));
    if (answer.outcome !== "allowed") {
      return answer;
    }
    // that Redis is away is told of elsewhere; it hears of it when it is back
    await this.#exchange?.now().catch(() => undefined);
    return this.one(change.subject, answer.before);
  }

  /** Shares what is set with the other machines, from now on. Resolves when what they have set holds here, if Redis answers. */
  async share(options: Pick<OverrideExchangeOptions, "gateway" | "call">): Promise<void> {
    this.#exchange = new OverrideExchange({
      ...options,
      book: this.#book,
      take: (newer) => this.#turns.run(() => this.#take(newer)),
    });
    this.#exchange.start();
    await this.#exchange.now().catch(() => undefined);
  }

  stop(): void {
    this.#exchange?.stop();
  }

  async #decide(change: LimitsChange, { by, from }: LimitsAuthor): Promise<LimitsAnswer> {
    const answer = await this.#options.ask(change);
    if (answer.outcome !== "allowed") {
      return answer;
    }
    const { subject, limits, before } = answer;
    const entry = { subject, limits, setAt: Date.now(), by, from, on: hostname(), version: null };
    // where nobody else can have heard of it, a removal leaves nothing behind
    const isForgotten = limits === null && this.#exchange === undefined;
    const write = isForgotten ? { entries: [], forgotten: [subject] } : { entries: [entry], forgotten: [] };
    try {
      await this.#options.store(write);
    } catch (error) {
      const reason = messageOf(error);
      throw new LimitsNotStored(`Nothing was changed, since it could not be kept through a restart: ${reason}`);
    }
    this.#enter(write);
    await this.#options.putIntoForce(write);
    const after = said(limits);
    const details = { subject, by, from, before: before === NOTHING ? "no limits" : before, after };
    this.#options.log.info(details, `limits of ${subject} were changed: ${after}`);
    return answer;
  }

  /** Takes what others have set. What cannot be stored holds nevertheless. */
  async #take(newer: readonly LimitOverride[]): Promise<void> {
    const { log, store, putIntoForce } = this.#options;
    // set here while Redis was asked: that comes after what Redis told
    const now = Date.now();
    const entries = newer.filter((entry) => this.#book.isNews(entry, now));
    const forgotten = this.#book.outdated(now);
    const changed = entries.filter(({ subject, limits }) => {
      return JSON.stringify(this.#book.get(subject)?.limits ?? null) !== JSON.stringify(limits);
    });
    const write = { entries, forgotten };
    this.#enter(write);
    entries.forEach((entry) => this.#unstored.set(entry.subject, entry));
    if (this.#unstored.size + forgotten.length > 0) {
      try {
        await store({ entries: [...this.#unstored.values()], forgotten });
        this.#unstored.clear();
      } catch (error) {
        log.error({ err: error }, "limits that were set on another machine hold here, but not after a restart");
      }
    }
    if (entries.length > 0) {
      await putIntoForce(write).catch((error: unknown) => {
        log.error({ err: error }, "limits that were set on another machine do not hold here");
      });
    }
    for (const { subject, limits, by, from, on } of changed) {
      const after = said(limits);
      log.info({ subject, by, from, on, after }, `limits of ${subject} were changed on another machine: ${after}`);
    }
  }

  #enter({ entries, forgotten }: OverrideWrite): void {
    this.#book.put(entries);
    forgotten.forEach((subject) => {
      this.#book.forget(subject);
    });
  }
}

/** JSON of what holds where nothing is limited. */
const NOTHING = "null";

/** What was set, for the log. */
function said(limits: JsonObject | null): string {
  if (limits === null) {
    return "as the file says";
  }
  return Object.keys(limits).length === 0 ? "no limits" : JSON.stringify(limits);
}
