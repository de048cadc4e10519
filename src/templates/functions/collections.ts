/** Lists, maps and choices: `list`, `dict`, `first`, `last`, `default`, `coalesce`, `ternary`. */
import type { Meter } from "../meter.ts";
import { printValue } from "../printer.ts";
import { CallError } from "../template-error.ts";
import type { FunctionTable, TemplateFunction } from "../template-function.ts";
import { isTrue, kindOf, newMap, typeName } from "../values.ts";
import type { Value } from "../values.ts";

function list(args: readonly Value[], meter: Meter): Value {
  meter.steps(args.length);
  return args;
}

/** As in sprig a key without a value has the empty text. */
function dict(args: readonly Value[], meter: Meter): Value {
  meter.steps(args.length);
  const map = newMap();
  for (let index = 0; index < args.length; index += 2) {
    map[printValue(args[index], meter)] = index + 1 < args.length ? (args[index + 1] ?? null) : "";
  }
  return map;
}

/** An end of a list, nil of an empty one. */
function endOf(position: 0 | -1): TemplateFunction {
  return {
    parameters: ["any"],
    call: ([value]) => {
      if (kindOf(value) === "invalid") return null;
      if (kindOf(value) !== "list") throw new CallError(`wants a list, not a value of type ${typeName(value)}`);
      return (value as readonly Value[]).at(position) ?? null;
    },
  };
}

/** Functions that make or choose among values. What counts as empty is what `if` takes for false. */
export const collectionFunctions: FunctionTable = new Map<string, TemplateFunction>([
  ["list", { parameters: [], rest: "any", call: list }],
  ["dict", { parameters: [], rest: "any", call: dict }],
  ["first", endOf(0)],
  ["last", endOf(-1)],
  [
    "default",
    { parameters: ["any", "any"], call: ([fallback, value], meter) => (isTrue(value, meter) ? value : fallback) },
  ],
  [
    "coalesce",
    { parameters: [], rest: "any", call: (args, meter) => args.find((value) => isTrue(value, meter)) ?? null },
  ],
  ["empty", { parameters: ["any"], call: ([value], meter) => !isTrue(value, meter) }],
  [
    "ternary",
    { parameters: ["any", "any", "any"], call: ([yes, no, condition], meter) => (isTrue(condition, meter) ? yes : no) },
  ],
]);
