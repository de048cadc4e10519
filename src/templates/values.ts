/**
 * The values of a template and Go's view of them. Data are what JSON.parse returns, with bigint for integers beyond
 * 2^53: nothing is converted before rendering.
 *
 * | here | in Go |
 * |---|---|
 * | number that is an integer of 64 bits, bigint | int |
 * | other number, Float64 | float64 |
 * | Byte | uint8 (what `index "text" 0` gives) |
 * | array | []any |
 * | object (own properties only) | map[string]any |
 * | IndexMap | map[int]any |
 * | null | nil in an interface |
 * | undefined | no value at all |
 */

/** A float64 that is an integer: `1.0` is not `1`. */
export class Float64 {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** A byte of a string. */
export class Byte {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** A map with integer keys. */
export class IndexMap {
  readonly entries: ReadonlyMap<number, Value>;
  constructor(entries: ReadonlyMap<number, Value>) {
    this.entries = entries;
  }
}

/** A moment in a time zone. */
export class Moment {
  readonly epochMs: number;
  /** IANA name. */
  readonly zone: string;
  constructor(epochMs: number, zone: string) {
    this.epochMs = epochMs;
    this.zone = zone;
  }
}

/** Any value of a template. */
export type Value =
  | undefined
  | null
  | boolean
  | string
  | number
  | bigint
  | Float64
  | Byte
  | IndexMap
  | Moment
  | readonly Value[]
  | ValueMap;

/** An object of the data: only own properties count. */
export interface ValueMap {
  readonly [key: string]: Value;
}

/** What Go's reflection would say of a value. */
export type Kind = "invalid" | "bool" | "string" | "int" | "float64" | "uint8" | "list" | "map" | "indexMap" | "moment";

const TWO_63 = 2 ** 63;

/** The kind of a value; null and undefined are `invalid`. */
export function kindOf(value: Value): Kind {
  switch (typeof value) {
    case "string":
      return "string";
    case "number":
      return Number.isInteger(value) && value >= -TWO_63 && value < TWO_63 ? "int" : "float64";
    case "boolean":
      return "bool";
    case "bigint":
      return BigInt.asIntN(64, value) === value ? "int" : "float64";
    case "object":
      return kindOfObject(value);
    default:
      return "invalid";
  }
}

function kindOfObject(value: object | null): Kind {
  if (value === null) return "invalid";
  if (Array.isArray(value)) return "list";
  if (value instanceof Float64) return "float64";
  if (value instanceof Byte) return "uint8";
  if (value instanceof IndexMap) return "indexMap";
  return value instanceof Moment ? "moment" : "map";
}

const TYPE_NAMES: Readonly<Record<Kind, string>> = {
  invalid: "<nil>",
  bool: "bool",
  string: "string",
  int: "int",
  float64: "float64",
  uint8: "uint8",
  list: "[]interface {}",
  map: "map[string]interface {}",
  indexMap: "map[int]interface {}",
  moment: "time.Time",
};

/** Go's name for the type of a value. */
export function typeName(value: Value): string {
  return TYPE_NAMES[kindOf(value)];
}

/** The number behind an int, float64 or uint8; big integers lose digits. */
export function asNumber(value: Value): number {
  return value instanceof Float64 || value instanceof Byte ? value.value : Number(value);
}

/** The integer behind an int or uint8, exactly. */
export function asBigInt(value: Value): bigint {
  if (typeof value === "bigint") return value;
  return BigInt(asNumber(value));
}

/** An int of 64 bits, as Go keeps the lower bits of what is larger. */
export function intValue(value: bigint): Value {
  const wrapped = BigInt.asIntN(64, value);
  const small = Number(wrapped);
  return Number.isSafeInteger(small) ? small : wrapped;
}

/** A float64; integral ones are wrapped, so that they stay floats. */
export function floatValue(value: number): Value {
  return Number.isInteger(value) ? new Float64(value) : value;
}

/** What work is charged to. */
interface Charged {
  steps(count: number): void;
}

/** Whether `if` takes a value for true: not the zero value of its type. */
export function isTrue(value: Value, meter: Charged): boolean {
  switch (kindOf(value)) {
    case "invalid":
      return false;
    case "bool":
      return value === true;
    case "string":
      return value !== "";
    case "int":
    case "float64":
    case "uint8":
      return asNumber(value) !== 0;
    case "list":
      return (value as readonly Value[]).length > 0;
    case "map":
      return keyCount(value as ValueMap, meter) > 0;
    case "indexMap":
      return (value as IndexMap).entries.size > 0;
    case "moment":
      return true;
  }
}

/** How many keys a map has; JavaScript has to list them to know. */
export function keyCount(map: ValueMap, meter: Charged): number {
  const { length } = Object.keys(map);
  meter.steps(Math.floor(length / 8));
  return length;
}

/** The member of a map, null for JSON's null; undefined when the map has no such own key. */
export function member(map: ValueMap, key: string): Value {
  if (!Object.hasOwn(map, key)) return undefined;
  const value = map[key];
  return value === undefined ? null : value;
}

/** An empty map that takes any key, `__proto__` too, as a plain one. */
export function newMap(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}

const BEYOND_ORDER = /[\ud800-\uffff]/;

/** Keys of a map in Go's order: by bytes. */
export function sortedKeys(map: ValueMap, meter: Charged): string[] {
  const keys = Object.keys(map);
  let units = 0;
  let isPlain = true;
  for (const key of keys) {
    units += key.length;
    isPlain &&= !BEYOND_ORDER.test(key);
  }
  // keys with long common beginnings are gone through in each comparison
  const rounds = Math.ceil(Math.log2(keys.length + 1));
  meter.steps(keys.length + Math.floor((units * rounds) / 64));
  return isPlain ? keys.sort() : keys.sort(compareStrings);
}

/** Keys of an index map, numerically. */
export function sortedIndexes(map: IndexMap, meter: Charged): number[] {
  meter.steps(map.entries.size);
  return [...map.entries.keys()].sort((a, b) => a - b);
}

/** Compares as Go does, by bytes of UTF-8, which is by code point: UTF-16 sorts surrogates before U+E000. */
export function compareStrings(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return codeOrder(left) - codeOrder(right);
  }
  return a.length - b.length;
}

function codeOrder(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
