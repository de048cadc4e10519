/** Compact JSON as Go's encoding/json writes it with HTML escaping off: keys sorted, integer keys by their text. */
import type { Meter } from "./meter.ts";
import { formatMoment } from "./moment-format.ts";
import { CallError } from "./template-error.ts";
import { asNumber, compareStrings, kindOf, sortedKeys } from "./values.ts";
import type { IndexMap, Moment, Value, ValueMap } from "./values.ts";

/** @throws CallError for what JSON cannot say */
export function encodeJson(value: Value, meter: Meter): string {
  const encoder = new Encoder(meter);
  encoder.value(value, 0);
  return encoder.out;
}

class Encoder {
  out = "";
  readonly #meter: Meter;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  value(value: Value, depth: number): void {
    this.#meter.valueDepth(depth);
    this.#meter.steps(1);
    switch (kindOf(value)) {
      case "invalid":
        this.out += "null";
        return;
      case "bool":
      case "int":
        this.out += intText(value as boolean | number | bigint);
        return;
      case "uint8":
      case "float64":
        this.out += numberText(asNumber(value));
        return;
      case "string":
        return this.#string(value as string);
      case "moment":
        return this.#string(formatMoment(value as Moment, "2006-01-02T15:04:05.999999999Z07:00"));
      case "list":
        return this.#list(value as readonly Value[], depth);
      case "map": {
        const map = value as ValueMap;
        return this.#members(sortedKeys(map, this.#meter), (key) => map[key], depth);
      }
      case "indexMap": {
        const { entries } = value as IndexMap;
        this.#meter.steps(entries.size);
        const keys = [...entries.keys()].map(String).sort(compareStrings);
        return this.#members(keys, (key) => entries.get(Number(key)), depth);
      }
    }
  }

  #string(text: string): void {
    this.#meter.text(text.length);
    this.out += quoteJson(text);
    this.#meter.text(this.out.length > this.#meter.maxOutputBytes ? this.out.length : 0);
  }

  #list(values: readonly Value[], depth: number): void {
    this.out += "[";
    values.forEach((value, index) => {
      if (index > 0) this.out += ",";
      this.value(value, depth + 1);
    });
    this.out += "]";
  }

  #members(keys: readonly string[], get: (key: string) => Value, depth: number): void {
    this.out += "{";
    keys.forEach((key, index) => {
      if (index > 0) this.out += ",";
      this.#string(key);
      this.out += ":";
      this.value(get(key), depth + 1);
    });
    this.out += "}";
  }
}

function intText(value: boolean | number | bigint): string {
  // a number beyond 2^53 has more digits than JavaScript writes
  return typeof value === "number" && !Number.isSafeInteger(value) ? BigInt(value).toString() : String(value);
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) throw new CallError(`json: unsupported value: ${value}`);
  return Object.is(value, -0) ? "-0" : String(value);
}

/** A JSON string; besides what JSON asks for, Go escapes the two line separators. */
export function quoteJson(text: string): string {
  const quoted = JSON.stringify(text.isWellFormed() ? text : text.toWellFormed());
  return quoted.replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}
