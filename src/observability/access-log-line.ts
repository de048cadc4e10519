import { FLAG, INTEGER_FIELD, NUMBER_FIELD } from "../ledger/usage-layout.ts";
import type { IntegerField, NumberField } from "../ledger/usage-layout.ts";
import type { UsageRecord } from "../ledger/usage-record.ts";
import type { NameTable } from "../lib/name-table.ts";

// Keys are those of UsageEntry.
const NAMES: readonly (readonly [string, IntegerField])[] = [
  [',"gateway":', INTEGER_FIELD.gateway],
  [',"domain":', INTEGER_FIELD.domain],
  [',"route":', INTEGER_FIELD.route],
  [',"operation":', INTEGER_FIELD.operation],
  [',"clientDialect":', INTEGER_FIELD.clientDialect],
  [',"targetDialect":', INTEGER_FIELD.targetDialect],
  [',"consumer":', INTEGER_FIELD.consumer],
  [',"key":', INTEGER_FIELD.key],
  [',"model":', INTEGER_FIELD.model],
  [',"servedModel":', INTEGER_FIELD.servedModel],
  [',"provider":', INTEGER_FIELD.provider],
  [',"upstreamModel":', INTEGER_FIELD.upstreamModel],
  [',"credential":', INTEGER_FIELD.credential],
  [',"node":', INTEGER_FIELD.node],
  [',"error":', INTEGER_FIELD.error],
];
const COUNTS: readonly (readonly [string, NumberField])[] = [
  [',"promptTokens":', NUMBER_FIELD.promptTokens],
  [',"cachedTokens":', NUMBER_FIELD.cachedTokens],
  [',"cacheWriteTokens":', NUMBER_FIELD.cacheWriteTokens],
  [',"completionTokens":', NUMBER_FIELD.completionTokens],
  [',"reasoningTokens":', NUMBER_FIELD.reasoningTokens],
  [',"bytesIn":', NUMBER_FIELD.bytesIn],
  [',"bytesOut":', NUMBER_FIELD.bytesOut],
];
const TIMES: readonly (readonly [string, NumberField])[] = [
  [',"dispatchMs":', NUMBER_FIELD.dispatchMs],
  [',"firstTokenMs":', NUMBER_FIELD.firstTokenMs],
  [',"totalMs":', NUMBER_FIELD.totalMs],
];

/**
 * Writes usage records as JSON lines, without the detour through an entry: names are quoted once and kept, empty
 * ones left out, times rounded to microseconds.
 */
export class AccessLogLine {
  readonly #names: NameTable;
  readonly #quoted: string[] = [];
  #second = -1;
  #secondText = "";

  constructor(names: NameTable) {
    this.#names = names;
  }

  /** The record as one line with its newline. */
  format(record: UsageRecord): string {
    let line = `{"time":"${this.#time(record.number(NUMBER_FIELD.startedAt))}","requestId":${JSON.stringify(record.requestId)}`;
    for (const [key, field] of NAMES) {
      const id = record.integer(field);
      if (id !== 0) line += key + this.#quote(id);
    }
    line += `,"outcome":"${record.outcome}","status":${record.integer(INTEGER_FIELD.status)},"attempts":${record.integer(INTEGER_FIELD.attempts)}`;
    line += record.flag(FLAG.stream) ? ',"stream":true' : ',"stream":false';
    for (const [key, field] of COUNTS) line += key + jsonNumber(record.number(field));
    line += record.flag(FLAG.tokensEstimated) ? ',"tokensEstimated":true' : ',"tokensEstimated":false';
    for (const [key, field] of TIMES) line += key + jsonNumber(Math.round(record.number(field) * 1000) / 1000);
    return `${line}}\n`;
  }

  #quote(id: number): string {
    return (this.#quoted[id] ??= JSON.stringify(this.#names.name(id)));
  }

  /** ISO 8601 in UTC; the part down to the second is made once a second. */
  #time(ms: number): string {
    const whole = Math.floor(ms);
    if (!(whole >= 0 && whole < 8.64e15)) return "1970-01-01T00:00:00.000Z";
    const second = Math.floor(whole / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(second * 1000).toISOString().slice(0, -4);
    }
    return `${this.#secondText}${String(whole - second * 1000).padStart(3, "0")}Z`;
  }
}

// JSON has no NaN and no infinity; neither does a sound record, but a log line must be readable whatever it got.
function jsonNumber(value: number): string {
  return Number.isFinite(value) ? String(value) : "0";
}
