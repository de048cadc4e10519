/** Writes float64 values as Go's strconv.FormatFloat does: shortest, or exactly rounded to a precision, to even. */

/** Decimal digits without trailing zeros; the value is 0.DIGITS × 10^point. */
interface Decimal {
  readonly digits: string;
  readonly point: number;
}

/** No float64 has more digits than this behind the point: more precision only adds zeros. */
const MOST_DIGITS = 1_100;

/**
 * @param format e, E, f, g, G, b, x or X as in Go
 * @param precision digits, or -1 for as few as tell the value from its neighbours
 */
export function formatFloat(value: number, format: string, precision: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const magnitude = Math.abs(value);
  switch (format) {
    case "b":
      return sign + binary(magnitude);
    case "x":
      return sign + hexadecimal(magnitude, precision);
    case "X":
      return sign + hexadecimal(magnitude, precision).toUpperCase();
    default:
      return sign + decimal(magnitude, format, precision);
  }
}

function decimal(value: number, format: string, precision: number): string {
  switch (format) {
    case "e":
    case "E": {
      const rounded = precision < 0 ? shortest(value) : roundToDigits(value, precision + 1);
      return exponential(rounded, precision < 0 ? Math.max(rounded.digits.length - 1, 0) : precision, format);
    }
    case "f": {
      const rounded = precision < 0 ? shortest(value) : roundToPlaces(value, precision);
      return fixed(rounded, precision < 0 ? Math.max(rounded.digits.length - rounded.point, 0) : precision);
    }
    default:
      return general(value, format, precision);
  }
}

/** %g: with an exponent below 10^-4 and from the precision on, where the shortest form counts as one of 6 digits. */
function general(value: number, format: string, precision: number): string {
  const isShortest = precision < 0;
  const wanted = precision === 0 ? 1 : precision;
  const rounded = isShortest ? shortest(value) : roundToDigits(value, wanted);
  const count = rounded.digits.length;
  let threshold = isShortest ? 6 : wanted;
  if (!isShortest && threshold > count && count >= rounded.point) threshold = count;
  const exponent = rounded.point - 1;
  if (exponent >= -4 && exponent < threshold) return fixed(rounded, Math.max(count - rounded.point, 0));
  const places = Math.max((isShortest ? count : Math.min(wanted, count)) - 1, 0);
  return exponential(rounded, places, format === "g" ? "e" : "E");
}

function exponential({ digits, point }: Decimal, precision: number, letter: string): string {
  const exponent = digits === "" ? 0 : point - 1;
  const fraction = digits.slice(1, 1 + precision).padEnd(precision, "0");
  const power = String(Math.abs(exponent)).padStart(2, "0");
  return `${digits[0] ?? "0"}${precision > 0 ? `.${fraction}` : ""}${letter}${exponent < 0 ? "-" : "+"}${power}`;
}

function fixed({ digits, point }: Decimal, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, "0") : "0";
  if (precision <= 0) return whole;
  const fraction = point >= 0 ? digits.slice(point) : "0".repeat(Math.min(-point, precision)) + digits;
  return `${whole}.${fraction.slice(0, precision).padEnd(precision, "0")}`;
}

function shortest(value: number): Decimal {
  if (value === 0) return { digits: "", point: 0 };
  const [mantissa, exponent] = value.toExponential().split("e");
  return { digits: mantissa!.replace(".", ""), point: Number(exponent) + 1 };
}

function withoutTrailingZeros(digits: string, point: number): Decimal {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end--;
  return end === 0 ? { digits: "", point: 0 } : { digits: digits.slice(0, end), point };
}

/** The exact value is mantissa × 2^exponent. */
function decompose(value: number): { mantissa: bigint; exponent: number } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const raw = bits.getBigUint64(0);
  const biased = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & 0xfffffffffffffn;
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | (1n << 52n), exponent: biased - 1075 };
}

/** value × 10^places, rounded to an integer, halves to even. */
function scaled(value: number, places: number): bigint {
  const { mantissa, exponent } = decompose(value);
  let numerator = mantissa;
  let denominator = 1n;
  if (exponent >= 0) numerator <<= BigInt(exponent);
  else denominator <<= BigInt(-exponent);
  if (places >= 0) numerator *= 10n ** BigInt(places);
  else denominator *= 10n ** BigInt(-places);
  const quotient = numerator / denominator;
  const twice = (numerator - quotient * denominator) * 2n;
  const up = twice > denominator || (twice === denominator && (quotient & 1n) === 1n);
  return up ? quotient + 1n : quotient;
}

function roundToPlaces(value: number, precision: number): Decimal {
  const places = Math.min(precision, MOST_DIGITS);
  const digits = scaled(value, places).toString();
  return withoutTrailingZeros(digits, digits.length - places);
}

function roundToDigits(value: number, wanted: number): Decimal {
  if (value === 0) return { digits: "", point: 0 };
  const count = Math.min(wanted, MOST_DIGITS);
  // rounding up may add a digit, which is a zero then
  const exponent = Number(value.toExponential().split("e")[1]);
  const places = count - 1 - exponent;
  const digits = scaled(value, places).toString();
  return withoutTrailingZeros(digits, digits.length - places);
}

function binary(value: number): string {
  const { mantissa, exponent } = decompose(value);
  return `${mantissa}p${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
}

function hexadecimal(value: number, precision: number): string {
  if (value === 0) return `0x0${precision > 0 ? `.${"0".repeat(precision)}` : ""}p+00`;
  let { mantissa, exponent } = decompose(value);
  // one bit before the point, 52 behind it
  while (mantissa < 1n << 52n) {
    mantissa <<= 1n;
    exponent--;
  }
  exponent += 52;
  if (precision >= 0 && precision < 13) {
    const shift = BigInt(4 * (13 - precision));
    const kept = mantissa >> shift;
    const rest = (mantissa - (kept << shift)) * 2n;
    const unit = 1n << shift;
    mantissa = (rest > unit || (rest === unit && (kept & 1n) === 1n) ? kept + 1n : kept) << shift;
    if (mantissa >= 1n << 53n) {
      mantissa >>= 1n;
      exponent++;
    }
  }
  let fraction = (mantissa - (1n << 52n)).toString(16).padStart(13, "0");
  if (precision < 0) fraction = fraction.replace(/0+$/, "");
  else fraction = fraction.slice(0, precision).padEnd(precision, "0");
  const power = String(Math.abs(exponent)).padStart(2, "0");
  return `0x1${fraction === "" ? "" : `.${fraction}`}p${exponent < 0 ? "-" : "+"}${power}`;
}
