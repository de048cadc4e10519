/** Keeps a machine's book of limits that were set at run time in step with those of the other machines, through Redis. */
import { randomUUID } from "node:crypto";
import { InTurn } from "../../lib/in-turn.ts";
import { type RedisScript, redisScript } from "../authority/redis-connection.ts";
import { REMEMBERED_MS, type OverrideBook } from "./override-book.ts";
import { decodeOverride, encodeOverride, type LimitOverride } from "./override.ts";
import { OVERRIDE_SCRIPT } from "./override-script.ts";

/** So often Redis is asked whether anything is new, in milliseconds: it answers with one word if not. */
const LOOK_MS = 250;
/** Subjects told of in one call: a script blocks Redis while it runs. */
const MAX_TOLD = 1_000;

const SCRIPT = redisScript(OVERRIDE_SCRIPT);

/** The key of what machines of one deployment have set. */
export function overridesKeyOf(gateway: string): string {
  return `{sluice:${gateway}}:limits`;
}

/** What an exchange is made with. */
export interface OverrideExchangeOptions {
  readonly gateway: string;
  readonly book: OverrideBook;
  /** Runs a script. Rejects when Redis is not well or does not answer. */
  readonly call: (script: RedisScript, key: string, args: readonly string[]) => Promise<unknown>;
  /** Puts what others have set into the book, and into force here. Must not reject. */
  readonly take: (newer: readonly LimitOverride[]) => Promise<void>;
}

/** One machine's part. */
export class OverrideExchange {
  readonly #options: OverrideExchangeOptions;
  readonly #key: string;
  /** What Redis had when it was looked at last; nothing is known of it at the start. */
  #mark = "unknown";
  /** One at a time: one that is under way may not know of what has just been set. */
  readonly #turns = new InTurn();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OverrideExchangeOptions) {
    this.#options = options;
    this.#key = overridesKeyOf(options.gateway);
  }

  /** Looks from time to time. */
  start(): void {
    this.#timer ??= setInterval(() => {
      this.now().catch(() => undefined); // Redis is away, which others tell of; it is tried again
    }, LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Tells what is new here and takes what is new there. Rejects where Redis cannot be asked. */
  now(): Promise<void> {
    return this.#turns.run(() => this.#exchange());
  }

  async #exchange(): Promise<void> {
    const { book, take } = this.#options;
    let untold = book.unshared();
    const told = new Set<LimitOverride>();
    do {
      const part = untold.slice(0, MAX_TOLD);
      part.forEach((entry) => told.add(entry));
      const listed = await this.#tell(part);
      untold = untold.slice(MAX_TOLD);
      if (listed !== undefined) {
        const { newer, lacking } = book.compare(listed, Date.now());
        await take(newer);
        // told at once, since from now on Redis seems to have it; once, whatever Redis makes of it
        untold = [...new Set([...untold, ...lacking])].filter((entry) => !told.has(entry));
      }
    } while (untold.length > 0);
  }

  /** @returns all that Redis has; undefined if it is as it was */
  async #tell(entries: readonly LimitOverride[]): Promise<LimitOverride[] | undefined> {
    const { book, call } = this.#options;
    const lines = entries.flatMap((entry) => [
      entry.subject,
      entry.version === null ? "" : String(entry.version),
      entry.limits === null ? "-" : "+",
      encodeOverride(entry),
    ]);
    const numbers = [String(book.newestVersion), String(REMEMBERED_MS)];
    const answer = await call(SCRIPT, this.#key, [this.#mark, randomUUID(), ...numbers, ...lines]);
    if (!Array.isArray(answer) || typeof answer[0] !== "string") {
      throw new Error("Redis: the script's answer is not one of ours. Is this Redis, or a proxy?");
    }
    const [mark, ...flat] = answer as string[];
    if (mark === this.#mark) {
      return undefined;
    }
    this.#mark = mark!;
    return flat.flatMap((subject, at) => (at % 2 === 0 ? readValue(subject, flat[at + 1]!) : []));
  }
}

/** What a later version of Sluice may have written is left alone. */
function readValue(subject: string, value: string): LimitOverride[] {
  const [, version, content] = /^(\d+) [+-] (.*)$/s.exec(value) ?? [];
  const override = content === undefined ? undefined : decodeOverride(content);
  return override === undefined ? [] : [{ subject, ...override, version: Number(version) }];
}
