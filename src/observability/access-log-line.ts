import { OUTCOMES } from "../ledger/entry.ts";
import { FLAG, INTEGER_FIELD, NUMBER_FIELD } from "../ledger/usage-layout.ts";
import type { IntegerField, NumberField } from "../ledger/usage-layout.ts";
import type { UsageRecord } from "../ledger/usage-record.ts";
import type { NameTable } from "../lib/name-table.ts";
import { TupleIndex } from "../lib/tuple-index.ts";

// Keys are those of UsageEntry.
const NAMES: readonly (readonly [string, IntegerField])[] = [
  ["gateway", INTEGER_FIELD.gateway],
  ["domain", INTEGER_FIELD.domain],
  ["route", INTEGER_FIELD.route],
  ["operation", INTEGER_FIELD.operation],
  ["clientDialect", INTEGER_FIELD.clientDialect],
  ["targetDialect", INTEGER_FIELD.targetDialect],
  ["consumer", INTEGER_FIELD.consumer],
  ["key", INTEGER_FIELD.key],
  ["template", INTEGER_FIELD.template],
  ["model", INTEGER_FIELD.model],
  ["servedModel", INTEGER_FIELD.servedModel],
  ["provider", INTEGER_FIELD.provider],
  ["upstreamModel", INTEGER_FIELD.upstreamModel],
  ["credential", INTEGER_FIELD.credential],
  ["node", INTEGER_FIELD.node],
  ["error", INTEGER_FIELD.error],
];
const COUNTS: readonly (readonly [Uint8Array, NumberField])[] = [
  [key("promptTokens"), NUMBER_FIELD.promptTokens],
  [key("cachedTokens"), NUMBER_FIELD.cachedTokens],
  [key("cacheWriteTokens"), NUMBER_FIELD.cacheWriteTokens],
  [key("completionTokens"), NUMBER_FIELD.completionTokens],
  [key("reasoningTokens"), NUMBER_FIELD.reasoningTokens],
  [key("costNanoUsd"), NUMBER_FIELD.costNanoUsd],
  [key("bytesIn"), NUMBER_FIELD.bytesIn],
  [key("bytesOut"), NUMBER_FIELD.bytesOut],
];
const TIMES: readonly (readonly [Uint8Array, NumberField])[] = [
  [key("dispatchMs"), NUMBER_FIELD.dispatchMs],
  [key("firstTokenMs"), NUMBER_FIELD.firstTokenMs],
  [key("totalMs"), NUMBER_FIELD.totalMs],
];
const TIME_KEY = Buffer.from('{"time":"');
const REQUEST_ID_KEY = Buffer.from('","requestId":"');
const LINE_END = Buffer.from("}\n");

/** More than everything that is not a cached part can take. */
const MAX_OTHER_BYTES = 2_048;
const MAX_CACHED_PARTS = 4_096;
const ZERO = 48;
const DOT = 46;
const QUOTE = 34;
const BACKSLASH = 92;
const QUESTION_MARK = 63;

/**
 * Writes usage records as JSON lines, bytes straight into a buffer: everything but the request id, the times and
 * the counts repeats from request to request, so that part is made once per combination and copied.
 */
export class AccessLogLine {
  /** The line that `write` made last. Replaced when it has to grow. */
  bytes: Uint8Array = new Uint8Array(2 * MAX_OTHER_BYTES);
  readonly #names: NameTable;
  readonly #tuple = new Int32Array(NAMES.length + 5);
  #parts: Uint8Array[] = [];
  #partIndex = new TupleIndex(NAMES.length + 5);
  #second = -1;
  #secondText = new Uint8Array(0);

  constructor(names: NameTable) {
    this.#names = names;
  }

  /** Writes the record as a line with its newline into `bytes`. @returns its length. */
  write(record: UsageRecord): number {
    const part = this.#part(record);
    if (this.bytes.length < part.length + MAX_OTHER_BYTES)
      this.bytes = new Uint8Array(part.length + 2 * MAX_OTHER_BYTES);
    const bytes = this.bytes;
    let at = copy(TIME_KEY, bytes, 0);
    at = this.#writeTime(record.number(NUMBER_FIELD.startedAt), at);
    at = copy(REQUEST_ID_KEY, bytes, at);
    at = writeRequestId(record, bytes, at);
    bytes.set(part, at);
    at += part.length;
    const { upstreamName } = record;
    if (upstreamName !== "") {
      at = copy(Buffer.from(`,"upstreamModel":${JSON.stringify(upstreamName)}`), bytes, at);
    }
    for (let index = 0; index < COUNTS.length; index++) {
      const count = COUNTS[index];
      if (count === undefined) continue;
      at = copy(count[0], bytes, at);
      at = writeInteger(record.number(count[1]), bytes, at);
    }
    for (let index = 0; index < TIMES.length; index++) {
      const time = TIMES[index];
      if (time === undefined) continue;
      at = copy(time[0], bytes, at);
      at = writeThousandths(record.number(time[1]), bytes, at);
    }
    return copy(LINE_END, bytes, at);
  }

  /** The part between the request id and the counts. */
  #part(record: UsageRecord): Uint8Array {
    const tuple = this.#tuple;
    const width = NAMES.length;
    for (let column = 0; column < width; column++)
      tuple[column] = record.integer(NAMES[column]?.[1] ?? INTEGER_FIELD.gateway);
    tuple[width] = record.outcomeIndex;
    tuple[width + 1] = record.integer(INTEGER_FIELD.status);
    tuple[width + 2] = record.integer(INTEGER_FIELD.attempts);
    tuple[width + 3] = record.flag(FLAG.stream) ? 1 : 0;
    tuple[width + 4] = record.flag(FLAG.tokensEstimated) ? 1 : 0;
    const known = this.#parts[this.#partIndex.find(tuple)];
    if (known !== undefined) return known;
    if (this.#parts.length === MAX_CACHED_PARTS) {
      this.#parts = [];
      this.#partIndex = new TupleIndex(tuple.length);
    }
    const part = this.#makePart(tuple);
    this.#parts[this.#partIndex.add(tuple)] = part;
    return part;
  }

  #makePart(tuple: Int32Array): Uint8Array {
    const width = NAMES.length;
    let text = '"';
    for (const [column, [name]] of NAMES.entries()) {
      const id = tuple[column] ?? 0;
      // what stands for the `*` of an upstream model is said by the record itself
      const isOpen = name === "upstreamModel" && this.#names.name(id).includes("*");
      if (id !== 0 && !isOpen) text += `,"${name}":${JSON.stringify(this.#names.name(id))}`;
    }
    text += `,"outcome":"${OUTCOMES[tuple[width] ?? 0] ?? ""}","status":${tuple[width + 1]},"attempts":${tuple[width + 2]}`;
    text += `,"stream":${tuple[width + 3] === 1},"tokensEstimated":${tuple[width + 4] === 1}`;
    return Buffer.from(text);
  }

  /** ISO 8601 in UTC; what precedes the milliseconds is made once a second. */
  #writeTime(ms: number, at: number): number {
    const whole = ms >= 0 && ms < 8.64e15 ? Math.floor(ms) : 0;
    const second = Math.floor(whole / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = Buffer.from(new Date(second * 1000).toISOString().slice(0, -4));
    }
    const bytes = this.bytes;
    const millisecondsAt = copy(this.#secondText, bytes, at);
    const end = writeThreeDigits(whole - second * 1000, bytes, millisecondsAt);
    bytes[end] = 90; // Z
    return end + 1;
  }
}

function key(name: string): Uint8Array {
  return Buffer.from(`,"${name}":`);
}

// Byte by byte: for the few bytes of a key this is faster than a call to `set`.
function copy(from: Uint8Array, into: Uint8Array, at: number): number {
  for (let index = 0; index < from.length; index++) into[at + index] = from[index] ?? 0;
  return at + from.length;
}

/** The id without its quotes. Ids are checked where they come in; here it only matters that the line stays JSON. */
function writeRequestId(record: UsageRecord, bytes: Uint8Array, at: number): number {
  const end = at + record.copyRequestId(bytes, at);
  for (let index = at; index < end; index++) {
    const byte = bytes[index] ?? 0;
    if (byte < 32 || byte > 126 || byte === QUOTE || byte === BACKSLASH) bytes[index] = QUESTION_MARK;
  }
  return end;
}

/** A whole number ≥ 0; anything else a sound record cannot hold becomes 0. */
function writeInteger(value: number, bytes: Uint8Array, at: number): number {
  if (!(value >= 1 && value <= Number.MAX_SAFE_INTEGER)) {
    bytes[at] = ZERO;
    return at + 1;
  }
  let rest = Math.round(value);
  let digits = 1;
  for (let bound = 10; rest >= bound; bound *= 10) digits++;
  for (let index = at + digits - 1; index >= at; index--) {
    const quotient = Math.floor(rest / 10);
    bytes[index] = rest - quotient * 10 + ZERO;
    rest = quotient;
  }
  return at + digits;
}

/** A number ≥ 0 with three decimals. */
function writeThousandths(value: number, bytes: Uint8Array, at: number): number {
  const thousandths = value > 0 && value < 1e12 ? Math.round(value * 1000) : 0;
  const whole = Math.floor(thousandths / 1000);
  const dot = writeInteger(whole, bytes, at);
  bytes[dot] = DOT;
  return writeThreeDigits(thousandths - whole * 1000, bytes, dot + 1);
}

function writeThreeDigits(value: number, bytes: Uint8Array, at: number): number {
  const hundreds = Math.floor(value / 100);
  const tens = Math.floor((value - hundreds * 100) / 10);
  bytes[at] = ZERO + hundreds;
  bytes[at + 1] = ZERO + tens;
  bytes[at + 2] = ZERO + value - hundreds * 100 - tens * 10;
  return at + 3;
}
