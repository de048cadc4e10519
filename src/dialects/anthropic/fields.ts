/**
 * Strict reading of a client's JSON. Every complaint names the field as Anthropic's own answers do:
 * `messages.0.content.1.text`. Null means that an optional field is not set.
 */
import { SluiceError } from "../../lib/errors.ts";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { CacheControl, Extra } from "../form.ts";

/** A field that is not as the protocol has it: 400. */
export function invalidField(path: string, complaint: string): SluiceError {
  return new SluiceError("invalid_request", `${path}: ${complaint}`, { param: path });
}

/** The path of a member. */
export function under(path: string, key: string | number): string {
  return path === "" ? String(key) : `${path}.${key}`;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @throws SluiceError `invalid_request` */
export function objectOf(value: JsonValue | undefined, path: string): JsonObject {
  if (!isObject(value)) throw invalidField(path, "must be an object");
  return value;
}

/** @throws SluiceError `invalid_request` */
export function arrayOf(value: JsonValue | undefined, path: string): JsonValue[] {
  if (!Array.isArray(value)) throw invalidField(path, "must be an array");
  return value;
}

/** @throws SluiceError `invalid_request` */
export function stringOf(value: JsonValue | undefined, path: string): string {
  if (typeof value !== "string") throw invalidField(path, "must be a string");
  return value;
}

/** The string member, undefined if unset. @throws SluiceError `invalid_request` */
export function optionalString(object: JsonObject, key: string, path: string): string | undefined {
  const value = object[key] ?? undefined;
  return value === undefined ? undefined : stringOf(value, under(path, key));
}

/** The finite number member, undefined if unset. @throws SluiceError `invalid_request` */
export function optionalNumber(object: JsonObject, key: string, path: string): number | undefined {
  const value = object[key] ?? undefined;
  if (value === undefined || typeof value === "number") return value;
  throw invalidField(under(path, key), "must be a number");
}

/** The non-negative integer member, undefined if unset. @throws SluiceError `invalid_request` */
export function optionalCount(object: JsonObject, key: string, path: string): number | undefined {
  const value = optionalNumber(object, key, path);
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return value;
  throw invalidField(under(path, key), "must be a non-negative integer");
}

/** The boolean member, undefined if unset. @throws SluiceError `invalid_request` */
export function optionalBoolean(object: JsonObject, key: string, path: string): boolean | undefined {
  const value = object[key] ?? undefined;
  if (value === undefined || typeof value === "boolean") return value;
  throw invalidField(under(path, key), "must be true or false");
}

/** What an object holds beyond the members that the form has a place for; explicit nulls are hints. */
export function extraOf(object: JsonObject, known: ReadonlySet<string>): Extra | undefined {
  let fields: JsonObject | undefined;
  let hints: JsonObject | undefined;
  for (const [key, value] of Object.entries(object)) {
    if (value === null) (hints ??= {})[key] = null;
    else if (!known.has(key)) (fields ??= {})[key] = value;
  }
  if (fields === undefined && hints === undefined) return undefined;
  return { dialect: "anthropic", fields: fields ?? {}, ...(hints === undefined ? {} : { hints }) };
}

/** Puts this dialect's extra fields back into an encoded object; a hint yields to what the form says now. */
export function putBack(object: JsonObject, extra: Extra | undefined): JsonObject {
  if (extra?.dialect !== "anthropic") return object;
  for (const [key, value] of Object.entries(extra.hints ?? {})) {
    if (object[key] === undefined) object[key] = value;
  }
  return Object.assign(object, extra.fields);
}

/** Reads `cache_control`, undefined if unset. @throws SluiceError `invalid_request` */
export function cacheControlOf(object: JsonObject, path: string): CacheControl | undefined {
  const value = object["cache_control"] ?? undefined;
  if (value === undefined) return undefined;
  const at = under(path, "cache_control");
  const control = objectOf(value, at);
  if (control["type"] !== "ephemeral") throw invalidField(under(at, "type"), "must be 'ephemeral'");
  const ttl = optionalString(control, "ttl", at);
  if (ttl === undefined) return {};
  if (ttl !== "5m" && ttl !== "1h") throw invalidField(under(at, "ttl"), "must be '5m' or '1h'");
  return { ttl };
}

/** Writes `cache_control`. */
export function encodeCacheControl(control: CacheControl): JsonObject {
  return control.ttl === undefined ? { type: "ephemeral" } : { type: "ephemeral", ttl: control.ttl };
}
