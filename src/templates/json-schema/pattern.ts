/** The regular expressions of a schema. */

/** @throws Error if it is none */
export function compilePattern(source: string): RegExp {
  try {
    return new RegExp(source, "u");
  } catch {
    // what Unicode's mode does not allow, as `\_`, may still be one
    return new RegExp(source);
  }
}
