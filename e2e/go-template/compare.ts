/** Renders a case with the gateway's own templates, to be compared with Go. */
import { standardFunctions } from "../../src/templates/functions/standard.ts";
import { Meter } from "../../src/templates/meter.ts";
import { TemplateError } from "../../src/templates/template-error.ts";
import { compileTemplate } from "../../src/templates/template.ts";
import type { FunctionTable } from "../../src/templates/template-function.ts";
import type { Value } from "../../src/templates/values.ts";
import type { GoResult, TemplateCase } from "./go.ts";

const all = standardFunctions();
/** What the Go program has too. */
const functions: FunctionTable = new Map(
  [
    "and or not len index slice call print println printf eq ne lt le gt ge html js urlquery",
    "jsonify make_json_object slice_to_index_map",
  ]
    .join(" ")
    .split(" ")
    .map((name) => [name, all.get(name)!]),
);

/** Data with all digits of their integers. */
function read(json: string): Value {
  return all.get("fromJson")!.call([json], new Meter());
}

/** What our own templates make of a case. */
export function renderHere({ template, data, missingKey }: TemplateCase): GoResult {
  try {
    const output = compileTemplate(template, { name: "t", functions, missingKey }).render(read(data));
    return output === "" ? {} : { output };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { error: error.message };
  }
}
