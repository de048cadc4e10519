/** Puts JSON Schemas among the components of an OpenAPI document, so that generators of clients find what they refer to. */
import { isObject, type JsonObject, type JsonValue } from "../lib/json.ts";

const DEFINITIONS = ["$defs", "definitions"] as const;
/** Keywords with one schema, with a list of them, and with schemas by name. */
const WITH_SCHEMA: ReadonlySet<string> = new Set([
  "items",
  "additionalProperties",
  "contains",
  "propertyNames",
  "not",
  "if",
  "then",
  "else",
]);
const WITH_LIST: ReadonlySet<string> = new Set(["allOf", "anyOf", "oneOf", "prefixItems"]);
const WITH_NAMES: ReadonlySet<string> = new Set([
  ...DEFINITIONS,
  "properties",
  "patternProperties",
  "dependentSchemas",
]);

/**
 * Adds a schema and its definitions: many generators know references to components only, none within a component.
 * @param schemas the components @param key the schema's own; those of its definitions begin with it
 */
export function addSchema(schemas: JsonObject, key: string, schema: JsonObject): void {
  const { $id: _id, $schema: _dialect, ...own } = schema;
  schemas[key] = own; // so that no definition takes its place
  const keys = new Map<string, string>();
  const definitions = DEFINITIONS.flatMap((keyword) =>
    entriesOf(own[keyword]).map((entry) => [keyword, ...entry] as const),
  );
  for (const [keyword, name] of definitions) {
    const free = freeKey(schemas, `${key}_${name.replaceAll(/[^\w.-]/g, "_")}`);
    schemas[free] = {};
    keys.set(`#/${keyword}/${pointerPart(name)}`, free);
  }
  const moved = (target: string): string => movedReference(target, key, keys);
  for (const [keyword, name, definition] of definitions) {
    schemas[keys.get(`#/${keyword}/${pointerPart(name)}`)!] = withReferences(definition, moved);
  }
  const { $defs: _defs, definitions: _definitions, ...rest } = own;
  schemas[key] = withReferences(rest, moved);
}

function movedReference(target: string, key: string, keys: ReadonlyMap<string, string>): string {
  const [, start, rest = ""] = /^(#\/[^/]+\/[^/]+)(\/.*)?$/.exec(target) ?? [];
  const definition = start === undefined ? undefined : keys.get(start);
  return definition === undefined
    ? `#/components/schemas/${key}${target.slice(1)}`
    : `#/components/schemas/${definition}${rest}`;
}

/** The schema with other references; what is data (`default`, `enum` …) stays as it is. */
function withReferences(schema: JsonValue | undefined, moved: (target: string) => string): JsonValue {
  if (!isObject(schema)) {
    return schema ?? {};
  }
  const inner = (value: JsonValue | undefined): JsonValue => withReferences(value, moved);
  const result: JsonObject = { ...schema };
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === "$ref" && typeof value === "string") {
      result[keyword] = moved(value);
    } else if (WITH_SCHEMA.has(keyword)) {
      result[keyword] = inner(value);
    } else if (WITH_LIST.has(keyword) && Array.isArray(value)) {
      result[keyword] = value.map(inner);
    } else if (WITH_NAMES.has(keyword)) {
      result[keyword] = Object.fromEntries(entriesOf(value).map(([name, part]) => [name, inner(part)]));
    }
  }
  return result;
}

function freeKey(schemas: JsonObject, key: string): string {
  let free = key;
  for (let number = 2; Object.hasOwn(schemas, free); number++) {
    free = `${key}_${number}`;
  }
  return free;
}

function pointerPart(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

function entriesOf(value: JsonValue | undefined): [string, JsonValue][] {
  return isObject(value) ? (Object.entries(value) as [string, JsonValue][]) : [];
}
