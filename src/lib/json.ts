/** JSON as a type: what `JSON.parse` can return. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  [key: string]: JsonValue | undefined;
}

/** JSON with exact integers: those that a number cannot hold are bigints. */
export type ExactJson = string | number | bigint | boolean | null | ExactJson[] | ExactObject;

/** A JSON object with exact integers. */
export interface ExactObject {
  [key: string]: ExactJson | undefined;
}

/** An object, and no list. */
export function isObject<Value extends ExactJson>(
  value: Value | undefined,
): value is Exclude<Extract<Value, object>, readonly unknown[]> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
