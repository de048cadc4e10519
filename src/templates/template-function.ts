/** What a function of the template language is. */
import type { Meter } from "./meter.ts";
import { kindOf } from "./values.ts";
import type { Kind, Value } from "./values.ts";

/**
 * The type of a parameter. `any` takes every value, with null for nil; `value` takes every value and tells a missing
 * one (undefined) from null; the others take what Go would take for the type and refuse the rest with Go's words.
 */
export type ParameterType = "any" | "value" | "string" | "int" | "list" | "map";

/** A function that templates can call. */
export interface TemplateFunction {
  readonly parameters: readonly ParameterType[];
  /** The type of any further arguments; without it there can be none. */
  readonly rest?: ParameterType;
  /** How the executor evaluates the arguments, where that is not one after the other. */
  readonly special?: "and" | "or" | "call";
  /**
   * @param args as many as there are parameters, or more with `rest`, each of its type
   * @param meter to be charged before work or memory grows with the size of an argument
   * @throws CallError with what is wrong with the arguments
   */
  readonly call: (args: readonly Value[], meter: Meter) => Value;
}

/** Functions by name. */
export type FunctionTable = ReadonlyMap<string, TemplateFunction>;

/** Go's name of a parameter's type. */
export const PARAMETER_TYPE_NAMES: Readonly<Record<ParameterType, string>> = {
  any: "interface {}",
  value: "reflect.Value",
  string: "string",
  int: "int",
  list: "[]interface {}",
  map: "map[string]interface {}",
};

const KINDS: Readonly<Record<ParameterType, Kind | undefined>> = {
  any: undefined,
  value: undefined,
  string: "string",
  int: "int",
  list: "list",
  map: "map",
};

/** Whether a value that is not nil can be given for a parameter. */
export function isAssignable(value: Value, type: ParameterType): boolean {
  const kind = KINDS[type];
  return kind === undefined || kindOf(value) === kind;
}
