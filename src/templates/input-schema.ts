/** Checks JSON against a JSON Schema, and fills its defaults in: the input of a prompt, and the answer of its model. */
import { SluiceError } from "../lib/errors.ts";
import { StepsExceededError } from "../lib/linear-pattern.ts";
import type { ExactJson, ExactObject, JsonObject } from "../lib/json.ts";
import { type Mistake, type Place, Run, TooMuchWork } from "./json-schema/check.ts";
import { compileSchema } from "./json-schema/compile.ts";
import { compileDefaults } from "./json-schema/defaults.ts";

/** The longest that a message repeats of a name in what is checked. */
const MAX_NAME_LENGTH = 100;
/** The longest path to a value that a message has. */
const MAX_PATH_LENGTH = 300;

/** What a check found: the value with defaults, or what is wrong with it and where that begins. */
export type SchemaResult =
  | { readonly ok: true; readonly value: ExactJson }
  | { readonly ok: false; readonly message: string; readonly field: string };

/** @param schema a JSON Schema (2020-12) @throws Error that says what of the schema cannot be used */
export function compileJsonSchema(schema: JsonObject): (value: ExactJson) => SchemaResult {
  const check = compileSchema(schema);
  const fill = compileDefaults(schema);
  return (value) => {
    const run = new Run();
    try {
      const filled = fill(value, run);
      return check(filled, undefined, run) ? { ok: true, value: filled } : mistakesOf(run);
    } catch (error) {
      const isTooMuch = error instanceof TooMuchWork || error instanceof StepsExceededError;
      if (isTooMuch || error instanceof RangeError) {
        const message = isTooMuch ? "is too large to be checked" : "nests too deeply to be checked";
        return { ok: false, message: `(value): ${message}`, field: "(value)" };
      }
      throw error;
    }
  };
}

function mistakesOf({ mistakes, count }: Run): SchemaResult {
  const named = mistakes.map(({ place, message }: Mistake) => `${pathText(place)}: ${message}`).join("; ");
  const more = count > mistakes.length ? `, and ${count - mistakes.length} more` : "";
  return { ok: false, message: named + more, field: pathText(mistakes[0]?.place) };
}

/** Returns the input with defaults. @throws SluiceError `invalid_request` whose `param` is the first field at fault */
export type InputCheck = (input: ExactObject) => ExactObject;

/** @param schema a JSON Schema (2020-12) of an object @throws Error that says what of the schema cannot be used */
export function compileInputSchema(schema: JsonObject): InputCheck {
  const check = compileJsonSchema(schema);
  return (input) => {
    const result = check(input);
    if (result.ok) {
      return result.value as ExactObject;
    }
    throw new SluiceError("invalid_request", `The input is not what this route takes. ${result.message}`, {
      param: result.field.replace(/^\(value\)$/, "(input)"),
    });
  };
}

/** `texts[0].title`; the whole value is `(value)`. */
function pathText(place: Place): string {
  const parts: string[] = [];
  for (let at = place; at !== undefined; at = at.parent) {
    parts.push(typeof at.key === "number" ? `[${at.key}]` : `.${at.key.slice(0, MAX_NAME_LENGTH)}`);
  }
  const text = parts.toReversed().join("").replace(/^\./, "");
  return text.slice(0, MAX_PATH_LENGTH) || "(value)";
}
