/** Words zod's issues as findings: what is wrong, in the terms of the file, and what to do. */
import { z } from "zod";
import type { Findings } from "./findings.ts";
import { didYouMean } from "./nearest.ts";
import type { DocumentPath } from "./problem.ts";
import { complainAboutKeys, readKeyComplaints } from "./schema/section.ts";

type Issue = z.core.$ZodIssue;

/** How the file calls what JavaScript calls something else. */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map",
  record: "a map",
  array: "a list",
};

/**
 * Adds what a schema found wrong with `value`.
 * @param base where `value` is in the document
 */
export function addIssues(
  findings: Findings,
  schema: z.ZodType,
  value: unknown,
  issues: readonly Issue[],
  base: DocumentPath,
): void {
  for (const issue of issues) {
    const below = issue.path.filter((step) => typeof step !== "symbol");
    const path = [...base, ...below];
    const found = valueAt(value, below);
    const chosen = issue.code === "invalid_union" ? chosenOption(issue) : undefined;
    if (chosen !== undefined) {
      addIssues(
        findings,
        schema,
        value,
        chosen.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })),
        base,
      );
    } else if (issue.code === "unrecognized_keys") {
      addUnknownKeys(findings, schema, issue, path);
    } else if (issue.code === "invalid_key") {
      findings.addKey(path, issue.issues[0]?.message ?? "is not a valid key");
    } else if (found === undefined && issue.code !== "custom") {
      findings.add(path, "is missing", remedyForMissing(path));
    } else {
      const [message, remedy] = describe(issue, found);
      findings.add(path, message, remedy);
    }
  }
}

/** Where a text or a map may stand, what is wrong is said of the one that was written. */
function chosenOption({ errors }: z.core.$ZodIssueInvalidUnion): readonly Issue[] | undefined {
  const maps = errors.some((issues) =>
    issues.some((inner) => inner.code === "invalid_type" && inner.expected === "object"),
  );
  const isNested = errors.some((issues) =>
    issues.some(({ path, code }) => path.length > 0 || code === "unrecognized_keys"),
  );
  return maps || isNested
    ? errors.find((issues) => !issues.some(({ path, code }) => path.length === 0 && code === "invalid_type"))
    : undefined;
}

function addUnknownKeys(
  findings: Findings,
  schema: z.ZodType,
  issue: z.core.$ZodIssueUnrecognizedKeys,
  path: DocumentPath,
): void {
  // A filter's own schema is plain zod: its message is zod's, and its keys are known only at its top.
  const isOurs = !issue.message.startsWith("Unrecognized key");
  const valid = schema instanceof z.ZodObject && issue.path.length === 0 ? Object.keys(schema.shape) : [];
  const complaints = readKeyComplaints(isOurs ? issue.message : complainAboutKeys(issue.keys, valid, {}));
  for (const [index, key] of issue.keys.entries()) {
    const complaint = complaints[index];
    findings.addKey([...path, key], complaint?.message ?? "there is no such key", complaint?.remedy ?? "");
  }
}

function valueAt(value: unknown, path: DocumentPath): unknown {
  let found = value;
  for (const step of path) {
    found = typeof found === "object" && found !== null ? Reflect.get(found, step) : undefined;
  }
  return found;
}

function remedyForMissing(path: DocumentPath): string {
  const key = path.at(-1);
  return typeof key === "string" ? `Add \`${key}\`.` : "";
}

function describe(issue: Issue, found: unknown): [message: string, remedy: string] {
  switch (issue.code) {
    case "invalid_type":
      return describeType(issue, found);
    case "invalid_value":
      return describeChoice(issue, found);
    case "too_big":
    case "too_small":
      return describeBound(issue);
    case "custom":
      return [issue.message, remedyOf(issue.params)];
    default:
      return [issue.message, quoteRemedy(found, issue.message)];
  }
}

function describeType(issue: z.core.$ZodIssueInvalidType, found: unknown): [string, string] {
  const expected = TYPE_NAMES[issue.expected] ?? issue.expected;
  const ownWords = issue.message.startsWith("Invalid input") ? undefined : issue.message;
  const message = ownWords ?? `must be ${expected}, not ${typeName(found)}`;
  return [message, issue.expected === "string" && ownWords === undefined ? quoteRemedy(found, "text") : ""];
}

function typeName(value: unknown): string {
  if (value === null) {
    return "empty";
  }
  if (Array.isArray(value)) {
    return "a list";
  }
  return typeof value === "boolean" ? "true or false" : (TYPE_NAMES[typeof value] ?? "something else");
}

/** YAML reads `1.10` and `true` as other than text unless they are quoted. */
function quoteRemedy(found: unknown, expected: string): string {
  const isPlain = typeof found === "number" || typeof found === "boolean";
  return isPlain && expected === "text" ? "Quote it." : "";
}

function describeChoice(issue: z.core.$ZodIssueInvalidValue, found: unknown): [string, string] {
  const choices = issue.values.map(String);
  const message = choices.length === 1 ? `must be ${choices[0]}` : `must be one of ${choices.join(", ")}`;
  return [message, typeof found === "string" ? didYouMean(found, choices, "") : ""];
}

function describeBound(issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall): [string, string] {
  if (!/^(?:Too|Invalid)/.test(issue.message)) {
    return [issue.message, ""];
  }
  const bound = issue.code === "too_big" ? `at most ${issue.maximum}` : `at least ${issue.minimum}`;
  const unit = issue.origin === "string" ? " characters" : issue.origin === "array" ? " entries" : "";
  return [issue.origin === "string" || issue.origin === "array" ? `must have ${bound}${unit}` : `must be ${bound}`, ""];
}

function remedyOf(params: Record<string, unknown> | undefined): string {
  const remedy = params?.["remedy"];
  return typeof remedy === "string" ? remedy : "";
}
