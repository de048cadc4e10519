/** Prints values as Go's fmt does: Sprint, Sprintln, Sprintf with every verb and flag, and its error texts. */
import { formatFloat } from "./format-float.ts";
import { characterOf, formatInteger, hexBytes, quotedCharacter, quotedText, unicodePoint } from "./format-scalars.ts";
import type { Flags } from "./format-scalars.ts";
import type { Meter } from "./meter.ts";
import { momentText } from "./moment-format.ts";
import { Byte, asBigInt, asNumber, kindOf, sortedIndexes, sortedKeys, typeName } from "./values.ts";
import { DirectiveReader, plainFlags } from "./printf-directive.ts";
import type { IndexMap, Moment, Value, ValueMap } from "./values.ts";

/** Values one after the other as `print` writes them: a space between two that are no texts. */
export function printAll(values: readonly Value[], meter: Meter): string {
  const printer = new Printer(meter);
  values.forEach((value, index) => {
    if (index > 0 && typeof value !== "string" && typeof values[index - 1] !== "string") printer.write(" ");
    printer.argument(value, "v");
  });
  return printer.out;
}

/** Values as `println` writes them. */
export function printLine(values: readonly Value[], meter: Meter): string {
  const printer = new Printer(meter);
  values.forEach((value, index) => {
    if (index > 0) printer.write(" ");
    printer.argument(value, "v");
  });
  printer.write("\n");
  return printer.out;
}

/** One value as `%v` or another verb without flags writes it. */
export function printValue(value: Value, meter: Meter, verb = "v"): string {
  if (typeof value === "string" && verb !== "T") return value;
  const printer = new Printer(meter);
  printer.argument(value, verb);
  return printer.out;
}

/** `printf`. */
export function printFormatted(format: string, values: readonly Value[], meter: Meter): string {
  const printer = new Printer(meter);
  printer.formatted(format, values);
  return printer.out;
}

class Printer {
  out = "";
  flags: Flags = plainFlags();
  readonly #meter: Meter;
  /** Whether an argument index such as `%[2]d` was used. */
  #reordered = false;
  #goodIndex = true;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  write(text: string): void {
    this.out += text;
    this.#meter.text(this.out.length > this.#meter.maxOutputBytes ? this.out.length : text.length);
  }

  #pad(text: string): void {
    const { width } = this.flags;
    if (width === undefined || width === 0) return this.write(text);
    this.#meter.text(width);
    const missing = width - characterCount(text);
    if (missing <= 0) return this.write(text);
    if (this.flags.minus) this.write(text + " ".repeat(missing));
    else this.write((this.flags.zero ? "0" : " ").repeat(missing) + text);
  }

  #padUnzeroed(text: string): void {
    const { zero } = this.flags;
    this.flags.zero = false;
    this.#pad(text);
    this.flags.zero = zero;
  }

  /** A value as an argument of its own. */
  argument(value: Value, verb: string): void {
    if (value === null || value === undefined) {
      if (verb === "T" || verb === "v") this.#pad("<nil>");
      else this.#badVerb(value, verb);
    } else if (verb === "T") {
      this.#padText(typeName(value));
    } else if (verb === "p" || (verb === "w" && typeof value === "object" && !isScalar(value))) {
      this.#badVerb(value, verb);
    } else {
      this.value(value, verb, 0);
    }
  }

  /** A value, perhaps inside another one. */
  value(value: Value, verb: string, depth: number): void {
    this.#meter.steps(1);
    switch (kindOf(value)) {
      case "invalid":
        return this.write(this.flags.goSyntax ? "interface {}(nil)" : "<nil>");
      case "bool":
        return verb === "t" || verb === "v" ? this.#pad(String(value)) : this.#badVerb(value, verb);
      case "string":
        return this.#string(value as string, verb);
      case "int":
      case "uint8":
        return this.#integer(value, verb);
      case "float64":
        return this.#float(value, verb);
      case "list":
        return this.#list(value as readonly Value[], verb, depth);
      case "map":
        return this.#map(
          sortedKeys(value as ValueMap, this.#meter),
          (key) => (value as ValueMap)[key],
          value,
          verb,
          depth,
        );
      case "indexMap": {
        const map = value as IndexMap;
        return this.#map(sortedIndexes(map, this.#meter), (key) => map.entries.get(key), value, verb, depth);
      }
      case "moment":
        return this.#string(momentText(value as Moment), verb);
    }
  }

  #badVerb(value: Value, verb: string): void {
    this.write(`%!${verb}(`);
    if (value === null || value === undefined) {
      this.write("<nil>");
    } else {
      this.write(`${typeName(value)}=`);
      this.value(value, "v", 0);
    }
    this.write(")");
  }

  #padText(text: string): void {
    const { precision } = this.flags;
    this.#meter.read(text.length);
    this.#pad(precision === undefined ? text : firstCharacters(text, precision));
  }

  #string(text: string, verb: string): void {
    switch (verb) {
      case "v":
        return this.flags.goSyntax ? this.#quoted(text) : this.#padText(text);
      case "s":
        return this.#padText(text);
      case "x":
      case "X": {
        this.#meter.text(text.length * 3);
        return this.#pad(hexBytes(text, verb, this.flags));
      }
      case "q":
        return this.#quoted(text);
      default:
        return this.#badVerb(text, verb);
    }
  }

  #quoted(text: string): void {
    const { precision } = this.flags;
    this.#meter.text(text.length * 2);
    this.#pad(quotedText(precision === undefined ? text : firstCharacters(text, precision), this.flags));
  }

  #integer(value: Value, verb: string): void {
    switch (verb) {
      case "v":
      case "d":
      case "b":
      case "o":
      case "O":
      case "x":
      case "X":
        this.#meter.text((this.flags.width ?? 0) + (this.flags.precision ?? 0));
        if (verb === "v" && this.flags.goSyntax && value instanceof Byte) {
          return this.#padUnzeroed(formatInteger(asBigInt(value), "x", { ...this.flags, sharp: true }));
        }
        return this.#padUnzeroed(formatInteger(value as number | bigint | Byte, verb, this.flags));
      case "c":
        return this.#pad(characterOf(asBigInt(value)));
      case "q":
        return this.#pad(quotedCharacter(asBigInt(value), this.flags));
      case "U":
        this.#meter.text(this.flags.precision ?? 0);
        return this.#padUnzeroed(unicodePoint(asBigInt(value), this.flags));
      default:
        return this.#badVerb(value, verb);
    }
  }

  #float(value: Value, verb: string): void {
    const format = verb === "v" ? "g" : verb === "F" ? "f" : verb;
    if (!"bgGxXfeE".includes(format)) return this.#badVerb(value, verb);
    const standard = "feE".includes(format) ? 6 : -1;
    const precision = this.flags.precision ?? standard;
    // digits are worked out exactly, which takes longer than writing them
    this.#meter.text(Math.max(precision, 0));
    this.#meter.steps(Math.min(Math.max(precision, 0), 2_000) >> 2);
    let text = formatFloat(asNumber(value), format, precision);
    const sign = /^[+-]/.test(text) ? text[0]! : this.flags.space && !this.flags.plus ? " " : "+";
    text = text.replace(/^[+-]/, "");
    if (text === "Inf" || text === "NaN") {
      return this.#padUnzeroed(sign !== "+" || this.flags.plus || text === "Inf" ? sign + text : text);
    }
    if (this.flags.sharp && format !== "b") text = withPoint(text, format, precision);
    const shown = this.flags.plus || sign !== "+" ? sign : "";
    const { width, zero, minus } = this.flags;
    if (shown !== "" && zero && !minus && width !== undefined && width > text.length + 1) {
      this.#meter.text(width);
      return this.write(shown + text.padStart(width - 1, "0"));
    }
    this.#pad(shown + text);
  }

  #list(values: readonly Value[], verb: string, depth: number): void {
    this.#meter.valueDepth(depth);
    const { goSyntax } = this.flags;
    this.write(goSyntax ? "[]interface {}{" : "[");
    values.forEach((value, index) => {
      if (index > 0) this.write(goSyntax ? ", " : " ");
      this.value(value, verb, depth + 1);
    });
    this.write(goSyntax ? "}" : "]");
  }

  #map<K extends string | number>(
    keys: readonly K[],
    get: (key: K) => Value,
    map: Value,
    verb: string,
    depth: number,
  ): void {
    this.#meter.valueDepth(depth);
    const { goSyntax } = this.flags;
    this.write(goSyntax ? `${typeName(map)}{` : "map[");
    keys.forEach((key, index) => {
      if (index > 0) this.write(goSyntax ? ", " : " ");
      this.value(key, verb, depth + 1);
      this.write(":");
      this.value(get(key), verb, depth + 1);
    });
    this.write(goSyntax ? "}" : "]");
  }

  /** `printf`: one verb after the other. */
  formatted(format: string, values: readonly Value[]): void {
    let next = 0;
    let at = 0;
    while (at < format.length) {
      const percent = format.indexOf("%", at);
      this.write(format.slice(at, percent < 0 ? undefined : percent));
      if (percent < 0) break;
      const reader = new DirectiveReader(format, percent + 1, values, next, this.#meter);
      this.flags = reader.flags;
      this.#goodIndex = true;
      reader.read();
      this.#reordered ||= reader.reordered;
      this.#goodIndex = reader.goodIndex;
      this.write(reader.complaints);
      next = reader.next;
      at = reader.at;
      if (at >= format.length) {
        this.write("%!(NOVERB)");
        break;
      }
      const verb = String.fromCodePoint(format.codePointAt(at)!);
      at += verb.length;
      next = this.#verb(verb, values, next);
    }
    if (!this.#reordered && next < values.length) this.#extra(values.slice(next));
  }

  /** The number of the argument that comes next. */
  #verb(verb: string, values: readonly Value[], next: number): number {
    if (verb === "%") {
      this.write("%");
      return next;
    }
    if (!this.#goodIndex || next >= values.length) {
      this.write(`%!${verb}(${this.#goodIndex ? "MISSING" : "BADINDEX"})`);
      return next;
    }
    if (verb === "v" || verb === "w") {
      this.flags.goSyntax = this.flags.sharp;
      this.flags.sharp = false;
      this.flags.plus = false;
    }
    this.argument(values[next], verb);
    return next + 1;
  }

  #extra(values: readonly Value[]): void {
    this.flags = plainFlags();
    this.write("%!(EXTRA ");
    values.forEach((value, index) => {
      if (index > 0) this.write(", ");
      if (value !== null && value !== undefined) this.write(`${typeName(value)}=`);
      this.argument(value, "v");
    });
    this.write(")");
  }
}

/** Kinds that Go prints without asking for methods. */
function isScalar(value: object): boolean {
  const kind = kindOf(value as Value);
  return kind === "float64" || kind === "uint8";
}

function characterCount(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0xdc00 || unit > 0xdfff) count++;
  }
  return count;
}

/** The first `count` characters of a text. */
export function firstCharacters(text: string, count: number): string {
  if (text.length <= count) return text;
  let end = 0;
  for (let left = count; left > 0 && end < text.length; left--) end += text.codePointAt(end)! > 0xffff ? 2 : 1;
  return text.slice(0, end);
}

/** What the flag # adds to a float: a point, and for %g the zeros behind it. */
function withPoint(text: string, format: string, precision: number): string {
  const isHex = format === "x" || format === "X";
  const tailAt = text.search(isHex ? /[pP]/ : /[eE]/);
  const tail = tailAt < 0 ? "" : text.slice(tailAt);
  let body = tailAt < 0 ? text : text.slice(0, tailAt);
  let digits = "gGx".includes(format) ? (precision === -1 ? 6 : precision) : 0;
  let seen = false;
  for (const character of body) {
    if (character === ".") continue;
    seen ||= character !== "0";
    if (seen) digits--;
  }
  if (!body.includes(".")) {
    if (body === "0") digits--;
    body += ".";
  }
  return body + "0".repeat(Math.max(digits, 0)) + tail;
}
