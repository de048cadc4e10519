/** JSON in prompts: `jsonify`, `toJson`, `fromJson`, `make_json_object`, `slice_to_index_map`. */
import { parseJson } from "../../lib/json-parse.ts";
import { encodeJson } from "../json-encode.ts";
import type { Meter } from "../meter.ts";
import { printValue } from "../printer.ts";
import { CallError } from "../template-error.ts";
import type { FunctionTable, TemplateFunction } from "../template-function.ts";
import { IndexMap, asNumber, intValue, kindOf, newMap, typeName } from "../values.ts";
import type { Value } from "../values.ts";

function jsonify([value]: readonly Value[], meter: Meter): Value {
  return encodeJson(value, meter);
}

function makeJsonObject(args: readonly Value[], meter: Meter): Value {
  if (args.length % 2 !== 0) {
    throw new CallError(`keys and values must come in pairs, but there are ${args.length} arguments`);
  }
  meter.steps(args.length);
  const map = newMap();
  for (let index = 0; index < args.length; index += 2) map[printValue(args[index], meter)] = args[index + 1] ?? null;
  return map;
}

function sliceToIndexMap([list, start]: readonly Value[], meter: Meter): Value {
  const entries = new Map<number, Value>();
  if (kindOf(list) === "invalid") return new IndexMap(entries);
  if (kindOf(list) !== "list") throw new CallError(`wants a list, not a value of type ${typeName(list)}`);
  const values = list as readonly Value[];
  meter.steps(values.length);
  const first = asNumber(start);
  if (!Number.isSafeInteger(first + values.length)) throw new CallError(`cannot count from ${String(start)}`);
  values.forEach((value, index) => entries.set(first + index, value));
  return new IndexMap(entries);
}

/** Texts, and numbers. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** An integer that a JavaScript number may not hold. */
const BIG_INTEGER = /^-?\d{16,}$/;

/**
 * Reads JSON without losing digits of big integers: parsed as numbers they would, so they are replaced by texts with
 * a mark that the source has not.
 */
function fromJson([text]: readonly Value[], meter: Meter): Value {
  const source = text as string;
  meter.read(source.length);
  meter.steps(Math.floor(source.length / 8));
  try {
    if (!/\d{16}/.test(source)) return parseJson(source);
    let mark = "integer:";
    while (source.includes(mark)) mark = `${mark.slice(0, -1)}-:`;
    const replaced = source.replace(TOKENS, (token) => (BIG_INTEGER.test(token) ? `"${mark}${token}"` : token));
    // the marked text is valid where the source is not: a number as a key
    parseJson(source);
    return withIntegers(parseJson(replaced), mark, meter, 0);
  } catch (error) {
    if (error instanceof SyntaxError) throw new CallError(`invalid JSON: ${error.message}`);
    throw error;
  }
}

function withIntegers(value: Value, mark: string, meter: Meter, depth: number): Value {
  meter.steps(1);
  meter.valueDepth(depth);
  switch (kindOf(value)) {
    case "string": {
      const string = value as string;
      if (!string.startsWith(mark)) return value;
      const integer = BigInt(string.slice(mark.length));
      return BigInt.asIntN(64, integer) === integer ? intValue(integer) : Number(integer);
    }
    case "list":
      return (value as readonly Value[]).map((item) => withIntegers(item, mark, meter, depth + 1));
    case "map": {
      const map = newMap();
      for (const [key, item] of Object.entries(value as object) as [string, Value][]) {
        map[key] = withIntegers(item, mark, meter, depth + 1);
      }
      return map;
    }
    default:
      return value;
  }
}

/** The JSON functions; `toJson` is `jsonify` under the name that Helm users know. */
export const jsonFunctions: FunctionTable = new Map<string, TemplateFunction>([
  ["jsonify", { parameters: ["any"], call: jsonify }],
  ["toJson", { parameters: ["any"], call: jsonify }],
  ["fromJson", { parameters: ["string"], call: fromJson }],
  ["make_json_object", { parameters: [], rest: "any", call: makeJsonObject }],
  ["slice_to_index_map", { parameters: ["any", "int"], call: sliceToIndexMap }],
]);
