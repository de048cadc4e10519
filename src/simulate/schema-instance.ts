/** Makes a value that satisfies a JSON Schema: the simulator's structured output and tool arguments. */
import type { JsonObject, JsonValue } from "../lib/json.ts";
import { asArray, asNumber, asObject, asString } from "./read.ts";

/** Optional properties are left out below this depth, so a recursive schema comes to an end. */
const MAX_OPTIONAL_DEPTH = 4;
const MAX_DEPTH = 32;

/** Strings that satisfy the formats of JSON Schema 2020-12, section 7.3. */
const FORMATS: Readonly<Record<string, string>> = {
  date: "2026-01-31",
  "date-time": "2026-01-31T12:00:00Z",
  time: "12:00:00Z",
  duration: "P1DT12H",
  email: "someone@example.com",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.com/",
  uuid: "123e4567-e89b-42d3-a456-426614174000",
};

/**
 * The same schema and seed give the same value. `pattern` and `not` are not understood: a schema with them
 * gets a value that satisfies the rest.
 * @param text what free strings are made of
 */
export function schemaInstance(schema: JsonObject, text: string): JsonValue {
  return instance(schema, { root: schema, text, depth: 0 });
}

interface Place {
  readonly root: JsonObject;
  readonly text: string;
  readonly depth: number;
}

function instance(schema: JsonObject, place: Place): JsonValue {
  if (place.depth > MAX_DEPTH) return null;
  const reference = asString(schema["$ref"]);
  if (reference !== undefined) return instance(resolve(reference, place.root), deeper(place));
  if (schema["const"] !== undefined) return schema["const"];
  const choices = asArray(schema["enum"]);
  if (choices?.[0] !== undefined) return choices[0];
  const variants = asArray(schema["anyOf"]) ?? asArray(schema["oneOf"]);
  if (variants !== undefined) return instance(firstVariant(variants, place), deeper(place));
  const all = asArray(schema["allOf"]);
  if (all !== undefined) return instance(merge(schema, all, place.root), deeper(place));
  return ofType(typeOf(schema), schema, place);
}

function ofType(type: string, schema: JsonObject, place: Place): JsonValue {
  switch (type) {
    case "object":
      return objectOf(schema, place);
    case "array":
      return arrayOf(schema, place);
    case "integer":
      return numberOf(schema, 1);
    case "number":
      return numberOf(schema, 0.5);
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return stringOf(schema, place.text);
  }
}

function typeOf(schema: JsonObject): string {
  const type = schema["type"];
  if (Array.isArray(type)) return asString(type.find((entry) => entry !== "null")) ?? "null";
  if (typeof type === "string") return type;
  if (schema["properties"] !== undefined) return "object";
  return schema["items"] === undefined ? "string" : "array";
}

function objectOf(schema: JsonObject, place: Place): JsonObject {
  const required = new Set(asArray(schema["required"]) ?? []);
  const result: JsonObject = {};
  for (const [name, property] of Object.entries(asObject(schema["properties"]) ?? {})) {
    if (!required.has(name) && place.depth >= MAX_OPTIONAL_DEPTH) continue;
    const of = asObject(property) ?? {};
    result[name] = instance(of, { ...deeper(place), text: `${name}: ${place.text}` });
  }
  return result;
}

function arrayOf(schema: JsonObject, place: Place): JsonValue[] {
  const least = asNumber(schema["minItems"]) ?? 0;
  const most = asNumber(schema["maxItems"]) ?? Number.POSITIVE_INFINITY;
  const wanted = place.depth >= MAX_OPTIONAL_DEPTH ? 0 : 2;
  const length = Math.min(Math.max(wanted, least), most);
  const items = asObject(schema["items"]) ?? {};
  return Array.from({ length }, (_, index) =>
    instance(items, { ...deeper(place), text: `${place.text} ${index + 1}` }),
  );
}

function numberOf(schema: JsonObject, start: number): number {
  const step = asNumber(schema["multipleOf"]);
  let value = step ?? start;
  const minimum = asNumber(schema["minimum"]);
  const above = asNumber(schema["exclusiveMinimum"]);
  const maximum = asNumber(schema["maximum"]);
  const below = asNumber(schema["exclusiveMaximum"]);
  if (minimum !== undefined && value < minimum) value = minimum;
  if (above !== undefined && value <= above) value = above + start;
  if (maximum !== undefined && value > maximum) value = maximum;
  if (below !== undefined && value >= below) value = below - start;
  if (step === undefined) return value;
  return (minimum ?? above) === undefined ? value : Math.ceil(value / step) * step;
}

function stringOf(schema: JsonObject, text: string): string {
  const format = FORMATS[asString(schema["format"]) ?? ""];
  if (format !== undefined) return format;
  const least = asNumber(schema["minLength"]) ?? 0;
  const most = asNumber(schema["maxLength"]) ?? Number.POSITIVE_INFINITY;
  return text.padEnd(least, ".").slice(0, most);
}

/** The variant that is not null, so that optional things are filled; null once it is deep enough. */
function firstVariant(variants: JsonValue[], place: Place): JsonObject {
  const schemas = variants.map((variant) => asObject(variant) ?? {});
  const nothing = schemas.find((schema) => schema["type"] === "null");
  if (nothing !== undefined && place.depth >= MAX_OPTIONAL_DEPTH) return nothing;
  return schemas.find((schema) => schema["type"] !== "null") ?? {};
}

function merge(schema: JsonObject, all: JsonValue[], root: JsonObject): JsonObject {
  const properties: JsonObject = { ...asObject(schema["properties"]) };
  const required = [...(asArray(schema["required"]) ?? [])];
  const merged: JsonObject = { ...schema };
  delete merged["allOf"];
  for (const entry of all) {
    const part = asObject(entry) ?? {};
    const reference = asString(part["$ref"]);
    const resolved = reference === undefined ? part : resolve(reference, root);
    Object.assign(merged, resolved);
    Object.assign(properties, asObject(resolved["properties"]));
    required.push(...(asArray(resolved["required"]) ?? []));
  }
  if (Object.keys(properties).length > 0) Object.assign(merged, { properties, required });
  return merged;
}

/** RFC 6901 pointers inside the same document; anything else is an empty schema, which everything satisfies. */
function resolve(reference: string, root: JsonObject): JsonObject {
  if (!reference.startsWith("#")) return {};
  let current: JsonValue | undefined = root;
  for (const segment of reference.slice(1).split("/").slice(1)) {
    current = asObject(current)?.[decodeURIComponent(segment).replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return asObject(current) ?? {};
}

function deeper(place: Place): Place {
  return { ...place, depth: place.depth + 1 };
}
