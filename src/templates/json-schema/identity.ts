/** When two values are equal, as JSON Schema means it: the order of members does not matter, nor how numbers are written. */
import type { ExactJson } from "../../lib/json.ts";
import type { Run } from "./check.ts";

/** A text that is the same for equal values, and for no others. @throws TooMuchWork */
export function identityOf(value: ExactJson, run?: Run): string {
  if (typeof value === "string") {
    run?.reads(value);
    return JSON.stringify(value);
  }
  run?.steps(1);
  if (typeof value !== "object" || value === null) {
    return String(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => identityOf(item, run)).join(",")}]`;
  }
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${identityOf(value[name] ?? null, run)}`);
  return `{${members.join(",")}}`;
}
