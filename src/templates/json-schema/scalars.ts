/** Keywords about a value's type, and about numbers and texts. */
import { z } from "zod";
import type { ExactJson, JsonValue } from "../../lib/json.ts";
import type { Check, Run } from "./check.ts";
import { identityOf } from "./identity.ts";
import { countOf, type Keyword, listOf, numberOf, textOf } from "./keyword.ts";
import { compilePattern } from "./pattern.ts";

/** The longest that a message repeats of a schema. */
const MAX_QUOTED = 200;

const TYPES: ReadonlySet<string> = new Set(["null", "boolean", "number", "integer", "string", "array", "object"]);

/** Others are allowed and mean nothing. */
const FORMATS: Readonly<Record<string, z.ZodType>> = {
  "date-time": z.iso.datetime({ offset: true }),
  date: z.iso.date(),
  duration: z.iso.duration(),
  email: z.email(),
  hostname: z.hostname(),
  ipv4: z.ipv4(),
  ipv6: z.ipv6(),
  uri: z.url(),
  uuid: z.uuid(),
};

const type: Keyword = (value) => {
  const types: JsonValue[] = Array.isArray(value) ? value : [value];
  if (types.length === 0 || types.some((name) => typeof name !== "string" || !TYPES.has(name))) {
    throw new Error(`must be of ${[...TYPES].join(", ")}`);
  }
  const expected = types.join(" or ");
  const allowed = new Set(types);
  const takesIntegers = allowed.has("integer") || allowed.has("number");
  return (given, place, run) => {
    const name = typeOf(given);
    return (
      (name === "integer" ? takesIntegers : allowed.has(name)) ||
      run.fail(place, `expected ${expected}, received ${name === "integer" ? "number" : name}`)
    );
  };
};

/** `integer` for numbers without a fraction. */
function typeOf(value: ExactJson): string {
  switch (typeof value) {
    case "bigint":
      return "integer";
    case "number":
      return Number.isInteger(value) ? "integer" : "number";
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "array" : "object";
    default:
      return typeof value;
  }
}

function oneOfThese(values: readonly JsonValue[]): Check {
  const known = new Set(values.map((value) => identityOf(value)));
  const words = [...known].join(", ").slice(0, MAX_QUOTED);
  const message = values.length === 1 ? `expected ${words}` : `expected one of ${words}`;
  return (value, place, run) => known.has(identityOf(value, run)) || run.fail(place, message);
}

/** A keyword about numbers: other values pass. */
function ofNumbers(words: string, holds: (value: number | bigint, limit: number) => boolean): Keyword {
  return (keywordValue) => {
    const limit = numberOf(keywordValue);
    return (value, place, run) =>
      (typeof value !== "number" && typeof value !== "bigint") ||
      holds(value, limit) ||
      run.fail(place, `must be ${words} ${limit}`);
  };
}

function isMultiple(value: number | bigint, divisor: number): boolean {
  if (typeof value === "bigint") {
    return Number.isInteger(divisor) ? value % BigInt(divisor) === 0n : isMultiple(Number(value), divisor);
  }
  const quotient = value / divisor;
  // 0.0075 is a multiple of 0.0001, which binary fractions only nearly say
  return Math.abs(quotient - Math.round(quotient)) <= Math.abs(quotient) * Number.EPSILON * 4;
}

const multipleOf: Keyword = (value, context) => {
  if (numberOf(value) <= 0) throw new Error("must be greater than 0");
  return ofNumbers("a multiple of", isMultiple)(value, context);
};

/** A keyword about texts: other values pass. */
function ofTexts(message: string, holds: (text: string, run: Run) => boolean): Check {
  return (value, place, run) => {
    if (typeof value !== "string") {
      return true;
    }
    run.reads(value);
    return holds(value, run) || run.fail(place, message);
  };
}

const minLength: Keyword = (value) => {
  const least = countOf(value);
  return ofTexts(`must have at least ${least} characters`, (text) => text.length >= least && characters(text) >= least);
};

const maxLength: Keyword = (value) => {
  const most = countOf(value);
  return ofTexts(`must have at most ${most} characters`, (text) => text.length <= most || characters(text) <= most);
};

/** Of Unicode: an emoji is one. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

const pattern: Keyword = (value) => {
  const source = textOf(value);
  const compiled = compilePattern(source);
  const message = `must match ${source.slice(0, MAX_QUOTED)}`;
  return ofTexts(message, (text, run) => compiled.test(text, run.patternSteps));
};

const format: Keyword = (value) => {
  const name = textOf(value);
  const known = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  return ofTexts(`must be a ${name}`, (text) => known === undefined || known.safeParse(text).success);
};

export const SCALAR_KEYWORDS: Readonly<Record<string, Keyword>> = {
  type,
  enum: (value) => oneOfThese(listOf(value)),
  const: (value) => oneOfThese([value]),
  minimum: ofNumbers("at least", (value, limit) => value >= limit),
  maximum: ofNumbers("at most", (value, limit) => value <= limit),
  exclusiveMinimum: ofNumbers("greater than", (value, limit) => value > limit),
  exclusiveMaximum: ofNumbers("less than", (value, limit) => value < limit),
  multipleOf,
  minLength,
  maxLength,
  pattern,
  format,
};
