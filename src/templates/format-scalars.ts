/** Integers, characters and texts under Go's printf flags, before they are padded to a width. */
import { canBackquote, isPrintable, quote, quoteCharacter } from "./quoting.ts";
import { Byte } from "./values.ts";

/** What stands between `%` and a verb. */
export interface Flags {
  width: number | undefined;
  precision: number | undefined;
  minus: boolean;
  plus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  /** `%#v`. */
  goSyntax: boolean;
}

const RADIX: Readonly<Record<string, number>> = { b: 2, o: 8, O: 8, x: 16, X: 16 };

/** An integer in the base of its verb, with sign, prefix and leading zeros; zero padding is part of it. */
export function formatInteger(value: number | bigint | Byte, verb: string, flags: Flags): string {
  const number = value instanceof Byte ? value.value : value;
  const exact = typeof number === "number" && !Number.isSafeInteger(number) ? BigInt(number) : number;
  const isNegative = exact < 0;
  let digits = exact.toString(RADIX[verb] ?? 10);
  if (isNegative) digits = digits.slice(1);
  if (verb === "X") digits = digits.toUpperCase();
  const isSigned = isNegative || flags.plus || flags.space;
  if (flags.precision !== undefined) {
    // Go prints nothing but padding for a zero without digits
    if (flags.precision === 0 && digits === "0") return "";
    digits = digits.padStart(flags.precision, "0");
  } else if (flags.zero && !flags.minus && flags.width !== undefined) {
    digits = digits.padStart(flags.width - (isSigned ? 1 : 0), "0");
  }
  return signOf(isNegative, flags) + prefixOf(verb, digits, flags) + digits;
}

function signOf(isNegative: boolean, flags: Flags): string {
  if (isNegative) return "-";
  if (flags.plus) return "+";
  return flags.space ? " " : "";
}

function prefixOf(verb: string, digits: string, flags: Flags): string {
  let prefix = "";
  if (flags.sharp) {
    if (verb === "b") prefix = "0b";
    else if (verb === "x" || verb === "X") prefix = `0${verb}`;
    else if ((verb === "o" || verb === "O") && !digits.startsWith("0")) prefix = "0";
  }
  return verb === "O" ? `0o${prefix}` : prefix;
}

/** The code point of an integer as Go takes it: beyond Unicode is U+FFFD. */
function codePoint(value: bigint): number {
  const code = value < 0n || value > 0x10ffffn ? 0xfffd : Number(value);
  return code >= 0xd800 && code < 0xe000 ? 0xfffd : code;
}

/** %c */
export function characterOf(value: bigint): string {
  return String.fromCodePoint(codePoint(value));
}

/** %q of an integer */
export function quotedCharacter(value: bigint, flags: Flags): string {
  return quoteCharacter(codePoint(value), flags.plus ? "ascii" : "unicode");
}

/** %U */
export function unicodePoint(value: bigint, flags: Flags): string {
  const unsigned = BigInt.asUintN(64, value);
  const digits = unsigned
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(flags.precision ?? 4, 4), "0");
  const shows = flags.sharp && unsigned <= 0x10ffffn && isPrintable(Number(unsigned));
  return `U+${digits}${shows ? ` '${String.fromCodePoint(Number(unsigned))}'` : ""}`;
}

/** %q of a text */
export function quotedText(text: string, flags: Flags): string {
  if (flags.sharp && canBackquote(text)) return `\`${text}\``;
  return quote(text, flags.plus ? "ascii" : "unicode");
}

/** %x and %X of a text: its bytes in UTF-8. */
export function hexBytes(text: string, verb: string, flags: Flags): string {
  const all = Buffer.from(text);
  const bytes = flags.precision === undefined ? all : all.subarray(0, flags.precision);
  if (bytes.length === 0) return "";
  let hex = bytes.toString("hex");
  if (verb === "X") hex = hex.toUpperCase();
  const prefix = flags.sharp ? `0${verb}` : "";
  if (!flags.space) return prefix + hex;
  return hex.replace(/../g, (pair) => ` ${prefix}${pair}`).slice(1);
}
