/** Has the patterns of a JSON Schema matched in a bounded number of steps: what they are matched against is a stranger's. */
import { LinearPattern, type StepBudget } from "../lib/linear-pattern.ts";
import type { JsonObject, JsonValue } from "../lib/json.ts";

/**
 * Runs `convert`, which makes RegExps of the schema's patterns, so that these match at the cost of `budget`.
 *
 * zod has no way to be given a matcher, and keeps some RegExps where nobody can reach them. So for as long as it converts
 * a schema, which it does in one go, `RegExp` makes these here; all other expressions stay what they are.
 * @throws Error that says what of a pattern cannot be used
 */
export function withBoundedPatterns<Result>(schema: JsonObject, budget: StepBudget, convert: () => Result): Result {
  const sources = new Set<string>();
  collectPatterns(schema, sources);
  if (sources.size === 0) {
    return convert();
  }
  const native = globalThis.RegExp;
  globalThis.RegExp = new Proxy(native, {
    construct(target, parameters: [source: string, flags?: string]) {
      const expression = new target(...parameters);
      return sources.has(parameters[0]) ? bounded(expression, budget) : expression;
    },
  });
  try {
    return convert();
  } finally {
    globalThis.RegExp = native;
  }
}

/** `test` and all else that matches goes by `exec`. */
function bounded(expression: RegExp, budget: StepBudget): RegExp {
  let pattern: LinearPattern;
  try {
    pattern = new LinearPattern(expression.source);
  } catch (error) {
    throw new Error(`pattern ${expression.source}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  return Object.assign(expression, {
    exec: (text: string) => (pattern.test(text, budget) ? Object.assign([text], { index: 0, input: text }) : null),
  });
}

/** Everything that may be a pattern: also what only looks like one, which nobody makes a RegExp of. */
function collectPatterns(value: JsonValue | undefined, sources: Set<string>): void {
  if (typeof value !== "object" || value === null) {
    return;
  }
  if (Array.isArray(value)) {
    for (const item of value) collectPatterns(item, sources);
    return;
  }
  const { pattern, patternProperties } = value;
  if (typeof pattern === "string") {
    sources.add(pattern);
  }
  if (typeof patternProperties === "object" && patternProperties !== null) {
    for (const source of Object.keys(patternProperties)) sources.add(source);
  }
  for (const item of Object.values(value)) collectPatterns(item, sources);
}
