/** `eq`, `ne`, `lt`, `le`, `gt`, `ge`, by Go's rules: ints and floats are different types. */
import type { Meter } from "../meter.ts";
import { printValue } from "../printer.ts";
import { CallError } from "../template-error.ts";
import type { FunctionTable, TemplateFunction } from "../template-function.ts";
import { asNumber, compareStrings, kindOf, typeName } from "../values.ts";
import type { Kind, Value } from "../values.ts";

function isInteger(kind: Kind): boolean {
  return kind === "int" || kind === "uint8";
}

function isMap(kind: Kind): boolean {
  return kind === "map" || kind === "indexMap";
}

function isBasic(kind: Kind): boolean {
  return kind === "bool" || kind === "string" || kind === "float64" || isInteger(kind);
}

/** Negative, zero or positive; integers of any size. */
function compareNumbers(a: Value, b: Value): number {
  const left = typeof a === "bigint" ? a : asNumber(a);
  const right = typeof b === "bigint" ? b : asNumber(b);
  if (left < right) return -1;
  return left > right ? 1 : 0;
}

function compareTexts(a: string, b: string, meter: Meter): number {
  meter.read(Math.min(a.length, b.length));
  return compareStrings(a, b);
}

function incompatible(a: Value, b: Value): never {
  throw new CallError(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`);
}

function equals(a: Value, b: Value, meter: Meter): boolean {
  const kindA = kindOf(a);
  const kindB = kindOf(b);
  if (isInteger(kindA) && isInteger(kindB)) return compareNumbers(a, b) === 0;
  if (isBasic(kindA) || isBasic(kindB)) {
    if (kindA === kindB) return equalBasics(kindA, a, b, meter);
    return kindA === "invalid" || kindB === "invalid" ? false : incompatible(a, b);
  }
  if (kindA === "invalid" || kindB === "invalid") return kindA === kindB;
  if (kindA !== kindB && !(isMap(kindA) && isMap(kindB))) {
    const left = printValue(a, meter, "s");
    const right = printValue(b, meter);
    throw new CallError(`non-comparable types ${left}: ${typeName(a)}, ${typeName(b)}: ${right}`);
  }
  throw new CallError(`non-comparable type ${printValue(b, meter, "s")}: ${typeName(b)}`);
}

function equalBasics(kind: Kind, a: Value, b: Value, meter: Meter): boolean {
  if (kind === "bool") return a === b;
  if (kind === "string") {
    meter.read((a as string).length);
    return a === b;
  }
  return compareNumbers(a, b) === 0;
}

function equalsAny(args: readonly Value[], meter: Meter): boolean {
  if (args.length < 2) throw new CallError("missing argument for comparison");
  for (let index = 1; index < args.length; index++) if (equals(args[0], args[index], meter)) return true;
  return false;
}

const BAD_TYPE = "invalid type for comparison";

function isLess(a: Value, b: Value, meter: Meter): boolean {
  const kindA = kindOf(a);
  const kindB = kindOf(b);
  if (!isBasic(kindA) || !isBasic(kindB)) throw new CallError(BAD_TYPE);
  if (isInteger(kindA) && isInteger(kindB)) return compareNumbers(a, b) < 0;
  if (kindA !== kindB) incompatible(a, b);
  if (kindA === "bool") throw new CallError(BAD_TYPE);
  if (kindA === "string") return compareTexts(a as string, b as string, meter) < 0;
  return asNumber(a) < asNumber(b);
}

function isLessOrEqual(a: Value, b: Value, meter: Meter): boolean {
  return isLess(a, b, meter) || equals(a, b, meter);
}

function ofTwo(compare: (a: Value, b: Value, meter: Meter) => boolean): TemplateFunction {
  return { parameters: ["value", "value"], call: ([a, b], meter) => compare(a, b, meter) };
}

/** The comparison functions of text/template. */
export const comparisonFunctions: FunctionTable = new Map<string, TemplateFunction>([
  ["eq", { parameters: ["value"], rest: "value", call: equalsAny }],
  ["ne", ofTwo((a, b, meter) => !equals(a, b, meter))],
  ["lt", ofTwo(isLess)],
  ["le", ofTwo(isLessOrEqual)],
  ["gt", ofTwo((a, b, meter) => !isLessOrEqual(a, b, meter))],
  ["ge", ofTwo((a, b, meter) => !isLess(a, b, meter))],
]);
