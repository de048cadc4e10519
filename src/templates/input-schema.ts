/** Checks JSON against a JSON Schema, and fills its defaults in: the input of a prompt, and the answer of its model. */
import { z } from "zod";
import { SluiceError } from "../lib/errors.ts";
import type { JsonObject, JsonValue } from "../lib/json.ts";
import { type StepBudget, StepsExceededError } from "../lib/linear-pattern.ts";
import { withBoundedPatterns } from "./schema-patterns.ts";

/** Mistakes that one message names. */
const MAX_NAMED = 5;

/** What is checked against a schema has at most so many values: one that fits no branch of an `anyOf` takes about 6 µs. */
const MAX_VALUES = 50_000;

/**
 * Members of one object, where the schema has several schemas hold for one: putting together what they find takes time
 * with their square, 20 ms for so many.
 */
const MAX_JOINED_MEMBERS = 5_000;
const JOINS = /"(?:allOf|patternProperties)":/;

/** The longest that a message says of one mistake: it may name all members of an object. */
const MAX_MISTAKE_LENGTH = 300;

/** About 35 ms at most; a usual pattern takes 2 to 12 steps a character. */
const MAX_PATTERN_STEPS = 1_500_000;

/** What a check found: the value with defaults, or what is wrong with it and where that begins. */
export type SchemaResult =
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly message: string; readonly field: string };

/** @param schema a JSON Schema (2020-12) @throws Error that says what of the schema cannot be used */
export function compileJsonSchema(schema: JsonObject): (value: JsonValue) => SchemaResult {
  const budget: StepBudget = { left: 0 };
  const checker = withBoundedPatterns(schema, budget, () => z.fromJSONSchema(schema));
  const maxMembers = JOINS.test(JSON.stringify(schema)) ? MAX_JOINED_MEMBERS : MAX_VALUES;
  return (value) => {
    const excess = excessOf(value, maxMembers);
    if (excess !== undefined) {
      return tooMuch(excess);
    }
    budget.left = MAX_PATTERN_STEPS;
    let result;
    try {
      result = checker.safeParse(value);
    } catch (error) {
      if (error instanceof StepsExceededError) {
        return tooMuch(`matching it with the schema's patterns takes more than ${MAX_PATTERN_STEPS} steps`);
      }
      if (error instanceof RangeError) {
        return tooMuch("it is nested too deep"); // a schema that refers to itself uses up the stack
      }
      throw error;
    }
    if (result.success) {
      return { ok: true, value: result.data as JsonValue };
    }
    const { issues } = result.error;
    const named = issues
      .slice(0, MAX_NAMED)
      .map(({ path, message }) => `${pathText(path)}: ${message}`.slice(0, MAX_MISTAKE_LENGTH));
    const more = issues.length > MAX_NAMED ? `, and ${issues.length - MAX_NAMED} more` : "";
    return { ok: false, message: named.join("; ") + more, field: pathText(issues[0]?.path ?? []) };
  };
}

function tooMuch(why: string): SchemaResult {
  return { ok: false, message: `(value): ${why}`, field: "(value)" };
}

/** What is too much in a value, all that it holds counted; undefined if nothing is. */
function excessOf(value: JsonValue, maxMembers: number): string | undefined {
  const waiting: (JsonValue | undefined)[] = [value];
  for (let seen = 1; waiting.length > 0;) {
    const next = waiting.pop();
    if (typeof next !== "object" || next === null) {
      continue;
    }
    const isList = Array.isArray(next);
    const inner = isList ? next : Object.values(next);
    seen += inner.length;
    if (seen > MAX_VALUES) {
      return `more than ${MAX_VALUES} values`;
    }
    if (!isList && inner.length > maxMembers) {
      return `an object of more than ${maxMembers} members`;
    }
    for (const item of inner) waiting.push(item);
  }
  return undefined;
}

/** Returns the input with defaults. @throws SluiceError `invalid_request` whose `param` is the first field at fault */
export type InputCheck = (input: JsonObject) => JsonObject;

/** @param schema a JSON Schema (2020-12) of an object @throws Error that says what of the schema cannot be used */
export function compileInputSchema(schema: JsonObject): InputCheck {
  const check = compileJsonSchema(schema);
  return (input) => {
    const result = check(input);
    if (result.ok) {
      return result.value as JsonObject;
    }
    throw new SluiceError("invalid_request", `The input is not what this route takes. ${result.message}`, {
      param: result.field.replace(/^\(value\)$/, "(input)"),
    });
  };
}

/** `texts[0].title`; the whole value is `(value)`. */
function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  return text === "" ? "(value)" : text.replace(/^\./, "");
}
