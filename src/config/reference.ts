/** The reference of all keys as Markdown, made from the schema so that it cannot fall behind it. */
import { configJsonSchema } from "./json-schema.ts";
import type { JsonSchema } from "./json-schema.ts";

/** One key of the configuration. */
interface ReferenceRow {
  /** `models[].targets[].provider` */
  readonly path: string;
  readonly type: string;
  readonly default: string;
  readonly meaning: string;
}

/** A Markdown table of every key: path, type, default, meaning. */
export function configReference(): string {
  const rows: ReferenceRow[] = [];
  collectRows(configJsonSchema(), "", rows);
  const lines = rows.map((row) => `| \`${row.path}\` | ${row.type} | ${row.default} | ${row.meaning} |`);
  return ["| key | type | default | meaning |", "|---|---|---|---|", ...lines, ""].join("\n");
}

function collectRows(schema: JsonSchema, prefix: string, rows: ReferenceRow[]): void {
  for (const [key, value] of Object.entries(schema.properties ?? {})) {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    const isRequired = schema.required?.includes(key) === true;
    rows.push({
      path: value.items === undefined ? path : `${path}[]`,
      type: typeOf(value),
      default: isRequired ? "required" : defaultOf(value),
      meaning: (value.description ?? "").replaceAll("|", "\\|"),
    });
    collectRows(value, path, rows);
    for (const option of value.anyOf ?? []) {
      collectRows(option, path, rows);
    }
    if (value.items !== undefined) {
      collectRows(value.items, `${path}[]`, rows);
    }
  }
}

function typeOf(schema: JsonSchema): string {
  if (schema.title !== undefined) {
    return schema.title;
  }
  if (schema.enum !== undefined) {
    return [...new Set(schema.enum.map((value) => `\`${String(value)}\``))].join(", ");
  }
  const options = schema.anyOf ?? [];
  if (options.length > 0) {
    // Numbers and booleans may also be written as text, for the sake of ${…}: that is said once, not in every row.
    const [first] = options;
    if (options.some(({ type }) => type === "object")) {
      return options.map((option) => typeOf(option)).join(" or ");
    }
    return first?.enum === undefined ? (first?.type ?? "any") : `${typeOf(first)}, or a list of them`;
  }
  if (schema.type === "array") {
    return schema.items?.properties === undefined ? `list of ${typeOf(schema.items ?? {})}` : "list of maps";
  }
  return schema.type === "object" ? "map" : (schema.type ?? "any");
}

function defaultOf(schema: JsonSchema): string {
  const { default: value } = schema;
  const isPlain = value !== undefined && (typeof value !== "object" || Array.isArray(value));
  if (!isPlain || (Array.isArray(value) && value.length === 0)) {
    return "";
  }
  return `\`${Array.isArray(value) ? value.join(", ") : String(value)}\``;
}
