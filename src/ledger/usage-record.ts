import type { NameTable } from "../lib/name-table.ts";
import { OUTCOMES } from "./entry.ts";
import type { Outcome, UsageEntry } from "./entry.ts";
import {
  FLAG,
  FLAGS_WORD,
  ID_BYTE,
  ID_LENGTH_WORD,
  INTEGER_FIELD,
  NUMBER_FIELD,
  OUTCOME_WORD,
  SLOT_BYTES,
  SLOT_DOUBLES,
  SLOT_WORDS,
  UPSTREAM_NAME_BYTE,
  UPSTREAM_NAME_LENGTH_WORD,
} from "./usage-layout.ts";
import type { Flag, IntegerField, NumberField } from "./usage-layout.ts";

/**
 * A window on one slot of a usage table. The reader moves it from record to record: use it within the visit that
 * hands it out, and take `toEntry` for what must outlive the visit.
 */
export class UsageRecord {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #bytes: Buffer;
  #slot = 0;

  constructor(words: Int32Array, doubles: Float64Array, bytes: Buffer) {
    this.#words = words;
    this.#doubles = doubles;
    this.#bytes = bytes;
  }

  /** For the reader: puts the window on another slot. */
  moveTo(slot: number): void {
    this.#slot = slot;
  }

  /** An integer or name id. */
  integer(field: IntegerField): number {
    return this.#words[this.#slot * SLOT_WORDS + field] ?? 0;
  }

  /** A count or a time in milliseconds. */
  number(field: NumberField): number {
    return this.#doubles[this.#slot * SLOT_DOUBLES + field] ?? 0;
  }

  /** Whether the flag is set. */
  flag(flag: Flag): boolean {
    return ((this.#words[this.#slot * SLOT_WORDS + FLAGS_WORD] ?? 0) & flag) !== 0;
  }

  /** Index of the outcome in OUTCOMES. */
  get outcomeIndex(): number {
    return this.#words[this.#slot * SLOT_WORDS + OUTCOME_WORD] ?? 0;
  }

  get outcome(): Outcome {
    return OUTCOMES[this.outcomeIndex] ?? "gateway_error";
  }

  get requestId(): string {
    const start = this.#slot * SLOT_BYTES + ID_BYTE;
    return this.#bytes.toString("latin1", start, start + (this.#words[this.#slot * SLOT_WORDS + ID_LENGTH_WORD] ?? 0));
  }

  /** What the upstream model is called where the configuration has a `*` for it; "" where it has none. */
  get upstreamName(): string {
    const start = this.#slot * SLOT_BYTES + UPSTREAM_NAME_BYTE;
    const length = this.#words[this.#slot * SLOT_WORDS + UPSTREAM_NAME_LENGTH_WORD] ?? 0;
    return length === 0 ? "" : this.#bytes.toString("utf8", start, start + length);
  }

  /** Copies the request id's bytes (ASCII, at most 128). @returns how many there are. */
  copyRequestId(into: Uint8Array, at: number): number {
    const length = this.#words[this.#slot * SLOT_WORDS + ID_LENGTH_WORD] ?? 0;
    const start = this.#slot * SLOT_BYTES + ID_BYTE;
    for (let index = 0; index < length; index++) into[at + index] = this.#bytes[start + index] ?? 0;
    return length;
  }

  /** The record as a usage entry with names; a copy that stays valid. */
  toEntry(names: NameTable): UsageEntry {
    const name = (field: IntegerField): string => names.name(this.integer(field));
    return {
      requestId: this.requestId,
      startedAt: this.number(NUMBER_FIELD.startedAt),
      gateway: name(INTEGER_FIELD.gateway),
      domain: name(INTEGER_FIELD.domain),
      route: name(INTEGER_FIELD.route),
      operation: name(INTEGER_FIELD.operation),
      clientDialect: name(INTEGER_FIELD.clientDialect),
      targetDialect: name(INTEGER_FIELD.targetDialect),
      stream: this.flag(FLAG.stream),
      consumer: name(INTEGER_FIELD.consumer),
      key: name(INTEGER_FIELD.key),
      template: name(INTEGER_FIELD.template),
      model: name(INTEGER_FIELD.model),
      servedModel: name(INTEGER_FIELD.servedModel),
      provider: name(INTEGER_FIELD.provider),
      upstreamModel: this.upstreamName || name(INTEGER_FIELD.upstreamModel),
      credential: name(INTEGER_FIELD.credential),
      node: name(INTEGER_FIELD.node),
      outcome: this.outcome,
      status: this.integer(INTEGER_FIELD.status),
      error: name(INTEGER_FIELD.error),
      attempts: this.integer(INTEGER_FIELD.attempts),
      promptTokens: this.number(NUMBER_FIELD.promptTokens),
      cachedTokens: this.number(NUMBER_FIELD.cachedTokens),
      cacheWriteTokens: this.number(NUMBER_FIELD.cacheWriteTokens),
      completionTokens: this.number(NUMBER_FIELD.completionTokens),
      reasoningTokens: this.number(NUMBER_FIELD.reasoningTokens),
      costNanoUsd: this.number(NUMBER_FIELD.costNanoUsd),
      tokensEstimated: this.flag(FLAG.tokensEstimated),
      bytesIn: this.number(NUMBER_FIELD.bytesIn),
      bytesOut: this.number(NUMBER_FIELD.bytesOut),
      dispatchMs: this.number(NUMBER_FIELD.dispatchMs),
      firstTokenMs: this.number(NUMBER_FIELD.firstTokenMs),
      totalMs: this.number(NUMBER_FIELD.totalMs),
    };
  }
}
