/** The regular expressions of a schema: of their author, for the texts of strangers. */
import { LinearPattern } from "../../lib/linear-pattern.ts";

/** @throws Error if it is none, or needs a way back */
export function compilePattern(source: string): LinearPattern {
  // says in JavaScript's own words what is wrong with the syntax
  new RegExp(source);
  return new LinearPattern(source);
}
