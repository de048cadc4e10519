/** `add`, `sub`, `mul`, `div`, `mod`, `int`, `float`: ints of 64 bits as in Go; a float among them makes all floats. */
import { CallError } from "../template-error.ts";
import type { FunctionTable, TemplateFunction } from "../template-function.ts";
import { Float64, asBigInt, asNumber, floatValue, intValue, kindOf, typeName } from "../values.ts";
import type { Value } from "../values.ts";

interface Operation {
  readonly ints: (a: bigint, b: bigint) => bigint;
  readonly floats: (a: number, b: number) => number;
}

function notZero(divisor: bigint | number): void {
  if (divisor === 0n || divisor === 0) throw new CallError("division by zero");
}

const ADD: Operation = { ints: (a, b) => a + b, floats: (a, b) => a + b };
const SUBTRACT: Operation = { ints: (a, b) => a - b, floats: (a, b) => a - b };
const MULTIPLY: Operation = { ints: (a, b) => a * b, floats: (a, b) => a * b };
const DIVIDE: Operation = {
  ints: (a, b) => {
    notZero(b);
    return a / b;
  },
  floats: (a, b) => {
    notZero(b);
    return a / b;
  },
};
const REMAINDER: Operation = {
  ints: (a, b) => {
    notZero(b);
    return a % b;
  },
  floats: (a, b) => {
    notZero(b);
    return a % b;
  },
};

/** The number that a value stands for: texts are read as templates read numbers. */
function numberOf(value: Value): Value {
  switch (kindOf(value)) {
    case "int":
    case "float64":
    case "uint8":
      return value;
    case "bool":
      return value === true ? 1 : 0;
    case "string":
      return parse((value as string).trim());
    default:
      throw new CallError(`a value of type ${typeName(value)} is no number`);
  }
}

function parse(text: string): Value {
  if (/^[+-]?\d{1,19}$/.test(text)) return intValue(BigInt(text.replace("+", "")));
  const number = Number(text);
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) || !Number.isFinite(number)) {
    throw new CallError(`${JSON.stringify(text.slice(0, 40))} is no number`);
  }
  return floatValue(number);
}

function compute(operation: Operation, a: Value, b: Value): Value {
  if (kindOf(a) !== "float64" && kindOf(b) !== "float64") return intValue(operation.ints(asBigInt(a), asBigInt(b)));
  const result = operation.floats(asNumber(a), asNumber(b));
  if (!Number.isFinite(result)) throw new CallError("the result is too large for a number");
  return floatValue(result);
}

function ofTwo(operation: Operation): TemplateFunction {
  return { parameters: ["any", "any"], call: ([a, b]) => compute(operation, numberOf(a), numberOf(b)) };
}

function ofAll(operation: Operation): TemplateFunction {
  return {
    parameters: ["any"],
    rest: "any",
    call: (args, meter) => {
      meter.steps(args.length);
      return args.map(numberOf).reduce((total, value) => compute(operation, total, value));
    },
  };
}

/** Cuts the fraction off. */
function toInt([value]: readonly Value[]): Value {
  const number = numberOf(value);
  if (kindOf(number) !== "float64") return intValue(asBigInt(number));
  const whole = Math.trunc(asNumber(number));
  if (Math.abs(whole) >= 2 ** 63) throw new CallError(`${whole} overflows int`);
  return intValue(BigInt(whole));
}

function toFloat([value]: readonly Value[]): Value {
  const number = asNumber(numberOf(value));
  return Number.isInteger(number) ? new Float64(number) : number;
}

/** The arithmetic functions. */
export const arithmeticFunctions: FunctionTable = new Map<string, TemplateFunction>([
  ["add", ofAll(ADD)],
  ["mul", ofAll(MULTIPLY)],
  ["sub", ofTwo(SUBTRACT)],
  ["div", ofTwo(DIVIDE)],
  ["mod", ofTwo(REMAINDER)],
  ["int", { parameters: ["any"], call: toInt }],
  ["float", { parameters: ["any"], call: toFloat }],
]);
