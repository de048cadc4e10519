/** Reads a directive of printf: flags, argument index, width and precision. */
import type { Flags } from "./format-scalars.ts";
import type { Meter } from "./meter.ts";
import { asNumber, kindOf } from "./values.ts";
import type { Value } from "./values.ts";

/** Widths and precisions beyond this are refused, by Go too. */
const MAX_WIDTH = 1_000_000;

/** A directive without any flags. */
export function plainFlags(): Flags {
  return {
    width: undefined,
    precision: undefined,
    minus: false,
    plus: false,
    sharp: false,
    space: false,
    zero: false,
    goSyntax: false,
  };
}

/** Reads what stands between `%` and its verb. */
export class DirectiveReader {
  readonly flags: Flags = plainFlags();
  readonly #format: string;
  readonly #values: readonly Value[];
  readonly #meter: Meter;
  at: number;
  next: number;
  reordered = false;
  goodIndex = true;
  /** What Go writes about a bad width or precision. */
  complaints = "";

  constructor(format: string, at: number, values: readonly Value[], next: number, meter: Meter) {
    this.#meter = meter;
    this.#format = format;
    this.at = at;
    this.#values = values;
    this.next = next;
  }

  read(): void {
    while (this.#flag(this.#format[this.at])) this.at++;
    let afterIndex = this.#argumentIndex();
    if (this.#format[this.at] === "*") {
      this.at++;
      this.#widthFromArgument();
      afterIndex = false;
    } else {
      this.flags.width = this.#number();
      if (afterIndex && this.flags.width !== undefined) this.goodIndex = false;
    }
    if (this.#format[this.at] === "." && this.at + 1 < this.#format.length) {
      this.at++;
      if (afterIndex) this.goodIndex = false;
      afterIndex = this.#precision();
    }
    if (!afterIndex) this.#argumentIndex();
  }

  #flag(character: string | undefined): boolean {
    switch (character) {
      case "#":
        return (this.flags.sharp = true);
      case "0":
        return (this.flags.zero = true);
      case "+":
        return (this.flags.plus = true);
      case "-":
        return (this.flags.minus = true);
      case " ":
        return (this.flags.space = true);
      default:
        return false;
    }
  }

  /** Reads `[n]`; whether there was one. */
  #argumentIndex(): boolean {
    if (this.#format[this.at] !== "[") return false;
    this.reordered = true;
    const close = this.#format.indexOf("]", this.at + 1);
    this.#meter.read((close < 0 ? this.#format.length : close) - this.at);
    if (close < 0 || this.#format.length - this.at < 3) {
      this.at++;
      this.goodIndex = false;
      return false;
    }
    const text = this.#format.slice(this.at + 1, close);
    this.at = close + 1;
    const index = /^[0-9]+$/.test(text) && Number(text) <= MAX_WIDTH * 10 ? Number(text) - 1 : undefined;
    if (index === undefined || index < 0 || index >= this.#values.length) {
      this.goodIndex = false;
      return index !== undefined;
    }
    this.next = index;
    return true;
  }

  #widthFromArgument(): void {
    const width = this.#integerArgument();
    this.flags.width = width;
    if (width === undefined) {
      this.complaints += "%!(BADWIDTH)";
    } else if (width < 0) {
      this.flags.width = -width;
      this.flags.minus = true;
      this.flags.zero = false;
    }
  }

  #precision(): boolean {
    const afterIndex = this.#argumentIndex();
    if (this.#format[this.at] !== "*") {
      this.flags.precision = this.#number() ?? 0;
      return afterIndex;
    }
    this.at++;
    const precision = this.#integerArgument();
    if (precision === undefined || precision < 0) this.complaints += "%!(BADPREC)";
    else this.flags.precision = precision;
    return false;
  }

  #integerArgument(): number | undefined {
    if (this.next >= this.#values.length) return undefined;
    const value = this.#values[this.next++];
    const kind = kindOf(value);
    if (kind !== "int" && kind !== "uint8") return undefined;
    const number = asNumber(value);
    return Math.abs(number) > MAX_WIDTH ? undefined : number;
  }

  #number(): number | undefined {
    const start = this.at;
    while (/[0-9]/.test(this.#format[this.at] ?? "")) this.at++;
    if (this.at === start) return undefined;
    const number = Number(this.#format.slice(start, this.at));
    if (number <= MAX_WIDTH * 10 + 9) return number;
    // Go gives up on the rest of the format
    this.at = this.#format.length;
    return undefined;
  }
}
