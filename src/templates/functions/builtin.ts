/** The functions that text/template has of its own, besides comparisons and escapes. */
import type { Meter } from "../meter.ts";
import { printAll, printFormatted, printLine } from "../printer.ts";
import { decodeBytes } from "../quoting.ts";
import { CallError } from "../template-error.ts";
import type { FunctionTable, TemplateFunction } from "../template-function.ts";
import { Byte, asNumber, isTrue, keyCount, kindOf, member, typeName } from "../values.ts";
import type { IndexMap, Value, ValueMap } from "../values.ts";

/** What Go's reflection says when it is asked for the type of nothing. */
const NO_TYPE = "reflect: call of reflect.Value.Type on zero Value";

/**
 * Elements, keys, or bytes of UTF-8. The published gateway's `len` returns text; this one returns Go's int, which
 * prints alike and can be compared as well.
 */
function length(value: Value, meter: Meter): Value {
  if (value === null) throw new CallError("len of nil pointer");
  switch (kindOf(value)) {
    case "invalid":
      throw new CallError(NO_TYPE);
    case "string":
      meter.read((value as string).length);
      return Buffer.byteLength(value as string);
    case "list":
      return (value as readonly Value[]).length;
    case "map":
      return keyCount(value as ValueMap, meter);
    case "indexMap":
      return (value as IndexMap).entries.size;
    default:
      throw new CallError(`len of type ${typeName(value)}`);
  }
}

/** A position in something of `size`, which itself is allowed. */
function position(index: Value, size: number): number {
  const kind = kindOf(index);
  if (kind === "invalid") throw new CallError("cannot index slice/array with nil");
  if (kind !== "int" && kind !== "uint8") {
    throw new CallError(`cannot index slice/array with type ${typeName(index)}`);
  }
  const at = asNumber(index);
  if (at < 0 || at > size) throw new CallError(`index out of range: ${index instanceof Byte ? at : String(index)}`);
  return at;
}

function index(args: readonly Value[], meter: Meter): Value {
  let item = args[0];
  if (kindOf(item) === "invalid") throw new CallError("index of untyped nil");
  for (let level = 1; level < args.length; level++) {
    if (kindOf(item) === "invalid") throw new CallError("index of nil pointer");
    item = indexOnce(item, args[level], meter);
  }
  return item;
}

function indexOnce(item: Value, key: Value, meter: Meter): Value {
  switch (kindOf(item)) {
    case "list": {
      const list = item as readonly Value[];
      const at = position(key, list.length);
      if (at === list.length) throw new CallError("reflect: slice index out of range");
      return list[at] ?? null;
    }
    case "string": {
      meter.read((item as string).length);
      const bytes = Buffer.from(item as string);
      const at = position(key, bytes.length);
      if (at === bytes.length) throw new CallError("reflect: string index out of range");
      return new Byte(bytes[at]!);
    }
    case "map":
      checkKey(key, "string");
      return member(item as ValueMap, key as string) ?? null;
    case "indexMap": {
      const number = key instanceof Byte ? key.value : key;
      checkKey(number, "int");
      return (item as IndexMap).entries.get(Number(number)) ?? null;
    }
    default:
      throw new CallError(`can't index item of type ${typeName(item)}`);
  }
}

function checkKey(key: Value, wanted: "string" | "int"): void {
  const kind = kindOf(key);
  if (kind === "invalid") throw new CallError(`value is nil; should be of type ${wanted}`);
  if (kind !== wanted) throw new CallError(`value has type ${typeName(key)}; should be ${wanted}`);
}

function slice(args: readonly Value[], meter: Meter): Value {
  const item = args[0];
  const kind = kindOf(item);
  if (kind === "invalid") throw new CallError("slice of untyped nil");
  if (args.length > 4) throw new CallError(`too many slice indexes: ${args.length - 1}`);
  if (kind === "string") {
    if (args.length === 4) throw new CallError("cannot 3-index slice a string");
    meter.read((item as string).length);
    const bytes = Buffer.from(item as string);
    const [from, to] = bounds(args.slice(1), bytes.length);
    return decodeBytes(bytes.subarray(from, to));
  }
  if (kind !== "list") throw new CallError(`can't slice item of type ${typeName(item)}`);
  const list = item as readonly Value[];
  const [from, to] = bounds(args.slice(1), list.length);
  meter.steps(to - from);
  return list.slice(from, to);
}

/** Go's [from:to:capacity]; what is left of the capacity cannot be seen here. */
function bounds(indexes: readonly Value[], size: number): [number, number] {
  const [from = 0, to = size, capacity] = indexes.map((index) => position(index, size));
  if (from > to) throw new CallError(`invalid slice index: ${from} > ${to}`);
  if (capacity !== undefined && to > capacity) throw new CallError(`invalid slice index: ${to} > ${capacity}`);
  return [from, to];
}

function call([name, callee]: readonly Value[]): never {
  if (kindOf(callee) === "invalid") throw new CallError("call of nil");
  throw new CallError(`non-function ${String(name)} of type ${typeName(callee)}`);
}

function decided(): never {
  throw new Error("and/or are evaluated by the evaluator");
}

/** len, index, slice, call, and, or, not, print, printf, println. */
export const builtinFunctions: FunctionTable = new Map<string, TemplateFunction>([
  ["and", { parameters: ["value"], rest: "value", special: "and", call: decided }],
  ["or", { parameters: ["value"], rest: "value", special: "or", call: decided }],
  ["not", { parameters: ["value"], call: ([value], meter) => !isTrue(value, meter) }],
  ["len", { parameters: ["value"], call: ([value], meter) => length(value, meter) }],
  ["index", { parameters: ["value"], rest: "value", call: index }],
  ["slice", { parameters: ["value"], rest: "value", call: slice }],
  ["call", { parameters: ["value"], rest: "value", special: "call", call }],
  ["print", { parameters: [], rest: "any", call: printAll }],
  ["println", { parameters: [], rest: "any", call: printLine }],
  [
    "printf",
    {
      parameters: ["string"],
      rest: "any",
      call: (args, meter) => printFormatted(args[0] as string, args.slice(1), meter),
    },
  ],
]);
