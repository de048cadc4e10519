/** Reading untyped JSON: each function returns the value if it has the type, else undefined. */
import { isObject, type JsonObject, type JsonValue } from "../lib/json.ts";

export function asObject(value: JsonValue | undefined): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

export function asArray(value: JsonValue | undefined): JsonValue[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

export function asString(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function asNumber(value: JsonValue | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** The strings of a string or an array of strings; anything else is an empty list. */
export function asStrings(value: JsonValue | undefined): string[] {
  if (typeof value === "string") return [value];
  return (asArray(value) ?? []).filter((entry) => typeof entry === "string");
}
