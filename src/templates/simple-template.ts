/** `syntax: simple`: variables in double braces and nothing else. */
import { Meter } from "./meter.ts";
import type { RenderLimits } from "./meter.ts";
import { encodeJson } from "./json-encode.ts";
import { locate } from "./location.ts";
import { LimitError, TemplateError } from "./template-error.ts";
import type { TemplateErrorDetails } from "./template-error.ts";
import type { Template, TemplateOptions } from "./template.ts";
import { kindOf, member } from "./values.ts";
import { printValue } from "./printer.ts";
import type { Value, ValueMap } from "./values.ts";

interface Variable {
  /** Offset of its braces. */
  readonly at: number;
  readonly path: readonly string[];
}

/**
 * Compiles a template whose only actions are variables: `{{name}}`, `{{ a.b.0 }}`. Texts and scalars are inserted as
 * they are, lists and objects as compact JSON, null as nothing. Nothing is escaped and nothing inserted is read as
 * template. A missing variable is an error, unless `missingKey` is `default` or `zero`: then it is nothing.
 * @throws TemplateError with line and column where braces hold no variable's name
 */
export function compileSimpleTemplate(source: string, options: Omit<TemplateOptions, "functions">): Template {
  const { name, missingKey = "error" } = options;
  const parts = parse(source, name);
  const variables = parts.flatMap((part) => (typeof part === "string" ? [] : [part.path[0]!]));
  return Object.freeze({
    name,
    variables: Object.freeze([...new Set(variables)].sort()),
    render: (data: Value, limits?: RenderLimits) => {
      const meter = new Meter(limits);
      let out = "";
      let bytes = 0;
      for (const part of parts) {
        const at = typeof part === "string" ? 0 : part.at;
        try {
          meter.steps(1);
          const text = typeof part === "string" ? part : textOf(lookUp(data, part, source, name, missingKey), meter);
          bytes += Buffer.byteLength(text);
          if (bytes > meter.maxOutputBytes) meter.text(bytes);
          out += text;
        } catch (error) {
          if (!(error instanceof LimitError)) throw error;
          throw failure("invalid_request", error.message, source, name, { at, limit: error.limit });
        }
      }
      return out.toWellFormed();
    },
  });
}

const PATH = /^[^\s{}.]+(?:\.[^\s{}.]+)*$/;

function parse(source: string, name: string): (string | Variable)[] {
  const parts: (string | Variable)[] = [];
  let at = 0;
  for (;;) {
    const open = source.indexOf("{{", at);
    if (open < 0) break;
    if (open > at) parts.push(source.slice(at, open));
    const close = source.indexOf("}}", open + 2);
    const path = close < 0 ? "" : source.slice(open + 2, close).trim();
    if (!PATH.test(path)) {
      const message = close < 0 ? "{{ is not closed by }}" : `{{${path}}} is no variable: write {{name}} or {{a.b.0}}`;
      throw failure("invalid_configuration", message, source, name, { at: open });
    }
    parts.push({ at: open, path: path.split(".") });
    at = close + 2;
  }
  if (at < source.length) parts.push(source.slice(at));
  return parts;
}

function lookUp(
  data: Value,
  variable: Variable,
  source: string,
  name: string,
  missingKey: TemplateOptions["missingKey"],
): Value {
  let value = data;
  for (const key of variable.path) {
    const inner = step(value, key);
    if (inner === undefined) {
      if (missingKey !== "error") return null;
      const message = `the input has no ${variable.path.join(".")}`;
      throw failure("invalid_request", message, source, name, { at: variable.at });
    }
    value = inner;
  }
  return value;
}

function step(value: Value, key: string): Value {
  const kind = kindOf(value);
  if (kind === "map") return member(value as ValueMap, key);
  if (kind !== "list" || !/^(0|[1-9]\d{0,14})$/.test(key)) return undefined;
  const list = value as readonly Value[];
  return Number(key) < list.length ? (list[Number(key)] ?? null) : undefined;
}

function textOf(value: Value, meter: Meter): string {
  switch (kindOf(value)) {
    case "invalid":
      return "";
    case "list":
    case "map":
      return encodeJson(value, meter);
    case "int":
    case "float64":
      return typeof value === "number" && !Number.isInteger(value) ? String(value) : printValue(value, meter);
    default:
      return printValue(value, meter);
  }
}

function failure(
  code: "invalid_configuration" | "invalid_request",
  message: string,
  source: string,
  name: string,
  where: { at: number } & Pick<TemplateErrorDetails, "limit">,
): TemplateError {
  const { line, column } = locate(source, where.at);
  const details = { templateName: name, line, column, ...(where.limit === undefined ? {} : { limit: where.limit }) };
  return new TemplateError(code, `template: ${name}:${line}:${column}: ${message}`, details);
}
