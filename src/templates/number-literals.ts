/** Number and character constants of a template, by Go's rules for literals. */
import { unquoteCharacter } from "./quoting.ts";
import { floatValue, intValue } from "./values.ts";
import type { Value } from "./values.ts";

/** A constant under all the types that can hold it. */
export interface NumberConstant {
  /** Undefined where it does not fit an int. */
  readonly int: Value;
  /** Undefined where it is no float64. */
  readonly float: Value;
  /** Its value where nothing asks for a type; undefined where that overflows. */
  readonly ideal: Value;
}

const MIN_INT = -(2n ** 63n);
const MAX_INT = 2n ** 63n - 1n;
const MAX_UINT = 2n ** 64n - 1n;

/**
 * Reads a number.
 * @throws SyntaxError with Go's message; for imaginary numbers, which Go has and this has not, with one of our own
 */
export function parseNumber(text: string): NumberConstant {
  if (text.endsWith("i")) throw new SyntaxError(`imaginary numbers are not supported: ${text}`);
  const integer = parseInteger(text);
  if (integer !== undefined && integer >= MIN_INT && integer <= MAX_INT) {
    const int = intValue(integer);
    return { int, float: floatValue(Number(integer)), ideal: int };
  }
  if (integer !== undefined && integer > 0n && integer <= MAX_UINT && !text.startsWith("+")) {
    return { int: undefined, float: floatValue(Number(integer)), ideal: undefined };
  }
  const float = parseFloat64(text);
  if (float === undefined) throw new SyntaxError(`illegal number syntax: "${text}"`);
  if (!/[.eEpP]/.test(text)) throw new SyntaxError(`integer overflow: "${text}"`);
  const isInt = Number.isInteger(float) && float >= -(2 ** 63) && float < 2 ** 63;
  return { int: isInt ? intValue(BigInt(float)) : undefined, float: floatValue(float), ideal: floatValue(float) };
}

/**
 * Reads a character constant, which is an int.
 * @throws SyntaxError with Go's message
 */
export function parseCharacter(text: string): NumberConstant {
  const { code, end } = unquoteCharacter(text.slice(1), 0, "'");
  if (text.slice(1 + end) !== "'") throw new SyntaxError(`malformed character constant: ${text}`);
  return { int: code, float: floatValue(code), ideal: code };
}

/** Underscores may stand between digits and behind a base's prefix. */
function withoutUnderscores(text: string): string | undefined {
  if (!text.includes("_")) return text;
  const digits = text.replace(/^[+-]?0[xXoObB]/, "0");
  if (/^[+-]?_|_$|__|_[^0-9a-fA-F]|[^0-9a-fA-F]_/.test(digits)) return undefined;
  return text.replaceAll("_", "");
}

function parseInteger(text: string): bigint | undefined {
  const plain = withoutUnderscores(text);
  if (plain === undefined) return undefined;
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/.exec(plain);
  if (match === null) return undefined;
  // JavaScript wants the o that Go lets one leave out
  const magnitude = BigInt(match[2]!.replace(/^0(?=[0-7])/, "0o").toLowerCase());
  return match[1] === "-" ? -magnitude : magnitude;
}

function parseFloat64(text: string): number | undefined {
  const plain = withoutUnderscores(text);
  if (plain === undefined) return undefined;
  if (/^[+-]?0[xX]/.test(plain)) return parseHexFloat(plain);
  if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(plain)) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

function parseHexFloat(text: string): number | undefined {
  const match = /^([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?[0-9]+)$/.exec(text);
  if (match === null || `${match[2]}${match[3]}` === "") return undefined;
  const mantissa = BigInt(`0x${match[2]!}${match[3]!}`);
  const exponent = Number(match[4]) - 4 * match[3]!.length;
  const value = scaleByTwo(mantissa, exponent);
  if (!Number.isFinite(value)) return undefined;
  return match[1] === "-" ? -value : value;
}

/** mantissa × 2^exponent, rounded once, to even. */
function scaleByTwo(mantissa: bigint, exponent: number): number {
  const bits = mantissa.toString(2).length;
  if (mantissa === 0n || exponent + bits < -1100) return 0;
  if (exponent + bits > 1100) return Infinity;
  if (exponent >= 0) return Number(mantissa << BigInt(exponent));
  // keep as many bits as the result can hold, the last one sticky
  const kept = Math.min(53, exponent + bits + 1074);
  const drop = bits - kept;
  if (drop <= 0) return inTwoSteps(Number(mantissa), exponent);
  const quotient = mantissa >> BigInt(drop);
  const rest = mantissa - (quotient << BigInt(drop));
  const half = 1n << BigInt(drop - 1);
  const rounded = rest > half || (rest === half && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
  return inTwoSteps(Number(rounded), exponent + drop);
}

/** 2^exponent alone may be too small for a number. */
function inTwoSteps(mantissa: number, exponent: number): number {
  const first = Math.max(exponent, -1000);
  return mantissa * 2 ** first * 2 ** (exponent - first);
}
