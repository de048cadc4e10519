/** Checks the input of a prompt against a JSON Schema, and fills its defaults in. */
import { z } from "zod";
import { SluiceError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";

/** Mistakes that one answer names. */
const MAX_NAMED = 5;

/** Returns the input with defaults. @throws SluiceError `invalid_request` whose `param` is the first field at fault */
export type InputCheck = (input: JsonObject) => JsonObject;

/** @param schema a JSON Schema (2020-12) of an object @throws Error that says what of the schema cannot be used */
export function compileInputSchema(schema: JsonObject): InputCheck {
  const checker = z.fromJSONSchema(schema);
  return (input) => {
    const result = checker.safeParse(input);
    if (result.success) {
      return result.data as JsonObject;
    }
    const { issues } = result.error;
    const named = issues.slice(0, MAX_NAMED).map(({ path, message }) => `${pathText(path)}: ${message}`);
    const more = issues.length > MAX_NAMED ? `, and ${issues.length - MAX_NAMED} more` : "";
    throw new SluiceError("invalid_request", `The input is not what this route takes. ${named.join("; ")}${more}`, {
      param: pathText(issues[0]?.path ?? []),
    });
  };
}

/** `texts[0].title`; the whole input is `(input)`. */
function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  return text === "" ? "(input)" : text.replace(/^\./, "");
}
