/** Checks JSON against a JSON Schema, and fills its defaults in: the input of a prompt, and the answer of its model. */
import { z } from "zod";
import { SluiceError } from "../lib/errors.ts";
import type { JsonObject, JsonValue } from "../lib/json.ts";

/** Mistakes that one message names. */
const MAX_NAMED = 5;

/** What is checked against a schema has at most so many values: one that fits no branch of an `anyOf` takes about 6 µs. */
const MAX_VALUES = 50_000;

/** What a check found: the value with defaults, or what is wrong with it and where that begins. */
export type SchemaResult =
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly message: string; readonly field: string };

/** @param schema a JSON Schema (2020-12) @throws Error that says what of the schema cannot be used */
export function compileJsonSchema(schema: JsonObject): (value: JsonValue) => SchemaResult {
  const checker = z.fromJSONSchema(schema);
  return (value) => {
    if (holdsMoreThan(MAX_VALUES, value)) {
      return { ok: false, message: `(value): more than ${MAX_VALUES} values`, field: "(value)" };
    }
    const result = checker.safeParse(value);
    if (result.success) {
      return { ok: true, value: result.data as JsonValue };
    }
    const { issues } = result.error;
    const named = issues.slice(0, MAX_NAMED).map(({ path, message }) => `${pathText(path)}: ${message}`);
    const more = issues.length > MAX_NAMED ? `, and ${issues.length - MAX_NAMED} more` : "";
    return { ok: false, message: named.join("; ") + more, field: pathText(issues[0]?.path ?? []) };
  };
}

/** Whether a value, all that it holds counted, is more than so many values. */
function holdsMoreThan(limit: number, value: JsonValue): boolean {
  const waiting: (JsonValue | undefined)[] = [value];
  for (let seen = 1; waiting.length > 0;) {
    const next = waiting.pop();
    if (typeof next !== "object" || next === null) {
      continue;
    }
    const inner = Array.isArray(next) ? next : Object.values(next);
    seen += inner.length;
    if (seen > limit) {
      return true;
    }
    for (const item of inner) waiting.push(item);
  }
  return false;
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
