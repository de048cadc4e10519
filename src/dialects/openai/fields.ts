/**
 * Strict reading of a client's JSON, and the memory of what the form has no place for. Every complaint names
 * the field as OpenAI's own answers do: `messages[2].content[0].text`. Null means that a field is not set.
 */
import { SluiceError } from "../../lib/errors.ts";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { Extra } from "../form.ts";

/** True for a JSON object: neither null nor an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The path of a member. */
export function under(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  return path === "" ? key : `${path}.${key}`;
}

/** A field whose value the protocol does not allow: 400. */
export function invalidValue(path: string, complaint: string): SluiceError {
  return new SluiceError("invalid_request", `Invalid value for '${path}': ${complaint}.`, { param: path });
}

/** A field of another type than the protocol has: 400. */
export function invalidType(path: string, expected: string, value: JsonValue | undefined): SluiceError {
  const message =
    value === undefined
      ? `Missing required parameter: '${path}'.`
      : `Invalid type for '${path}': expected ${expected}, but got ${typeName(value)} instead.`;
  return new SluiceError("invalid_request", message, { param: path });
}

function typeName(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** @throws SluiceError `invalid_request` */
export function objectOf(value: JsonValue | undefined, path: string): JsonObject {
  if (!isObject(value)) throw invalidType(path, "an object", value);
  return value;
}

/** @throws SluiceError `invalid_request` */
export function stringOf(value: JsonValue | undefined, path: string): string {
  if (typeof value !== "string") throw invalidType(path, "a string", value);
  return value;
}

/** Reads the members of one object and knows at the end which nobody asked for. */
export class FieldReader {
  readonly path: string;
  readonly #source: JsonObject;
  readonly #read = new Set<string>();
  readonly #hints: JsonObject = {};
  readonly #children = new Map<string, FieldReader>();

  /** @param path where the object is; "" for the request itself */
  constructor(source: JsonObject, path: string) {
    this.#source = source;
    this.path = path;
  }

  /** The path of a member. */
  at(key: string): string {
    return under(this.path, key);
  }

  /** A member that may be anything; undefined if it is not set. */
  value(key: string): JsonValue | undefined {
    this.#read.add(key);
    return this.#source[key] ?? undefined;
  }

  /** A member without taking it: it stays among what is left. */
  peek(key: string): JsonValue | undefined {
    return this.#source[key] ?? undefined;
  }

  /** @throws SluiceError `invalid_request` */
  string(key: string): string | undefined {
    const value = this.value(key);
    return value === undefined ? undefined : stringOf(value, this.at(key));
  }

  /** @throws SluiceError `invalid_request` */
  requiredString(key: string): string {
    return stringOf(this.value(key), this.at(key));
  }

  /** @throws SluiceError `invalid_request` */
  number(key: string): number | undefined {
    const value = this.value(key);
    if (value === undefined || typeof value === "number") return value;
    throw invalidType(this.at(key), "a number", value);
  }

  /** An integer of at least `least`. @throws SluiceError `invalid_request` */
  integer(key: string, least: number): number | undefined {
    const value = this.number(key);
    if (value === undefined) return undefined;
    if (!Number.isSafeInteger(value)) throw invalidType(this.at(key), "an integer", value);
    if (value < least) throw invalidValue(this.at(key), `expected at least ${least}, but got ${value}`);
    return value;
  }

  /** @throws SluiceError `invalid_request` */
  boolean(key: string): boolean | undefined {
    const value = this.value(key);
    if (value === undefined || typeof value === "boolean") return value;
    throw invalidType(this.at(key), "a boolean", value);
  }

  /** @throws SluiceError `invalid_request` */
  object(key: string): JsonObject | undefined {
    const value = this.value(key);
    return value === undefined ? undefined : objectOf(value, this.at(key));
  }

  /** A reader of a nested object; what it leaves is part of this one's `extra`. @throws SluiceError `invalid_request` */
  nested(key: string): FieldReader {
    const child = new FieldReader(objectOf(this.value(key), this.at(key)), this.at(key));
    this.#children.set(key, child);
    return child;
  }

  /** As `nested`, undefined if the member is not set. @throws SluiceError `invalid_request` */
  optionalNested(key: string): FieldReader | undefined {
    return this.value(key) === undefined ? undefined : this.nested(key);
  }

  /** @throws SluiceError `invalid_request` */
  array(key: string): JsonValue[] | undefined {
    const value = this.value(key);
    if (value === undefined || Array.isArray(value)) return value;
    throw invalidType(this.at(key), "an array", value);
  }

  /** Remembers how something was worded, or a field that another dialect may leave out. */
  hint(key: string, value: JsonValue): void {
    this.#read.add(key);
    this.#hints[key] = value;
  }

  /**
   * What the form has no place for, nested objects included, to be put back by `putBack`. Nulls and empty
   * arrays say nothing to another dialect, so they are hints.
   */
  extra(): Extra | undefined {
    const fields: JsonObject = {};
    const hints: JsonObject = this.#hints;
    for (const [key, value] of Object.entries(this.#source)) {
      if (value === undefined || (value !== null && this.#read.has(key))) continue;
      const silent = value === null || (Array.isArray(value) && value.length === 0);
      (silent ? hints : fields)[key] = value;
    }
    for (const [key, child] of this.#children) {
      const extra = child.extra();
      if (extra === undefined) continue;
      if (Object.keys(extra.fields).length > 0) fields[key] = extra.fields;
      if (extra.hints !== undefined) hints[key] = extra.hints;
    }
    const hinted = Object.keys(hints).length > 0;
    if (!hinted && Object.keys(fields).length === 0) return undefined;
    return hinted ? { dialect: "openai", fields, hints } : { dialect: "openai", fields };
  }

  /** `extra` as a member of its owner: nothing if there is nothing. */
  extraMember(): { extra?: Extra } {
    const extra = this.extra();
    return extra === undefined ? {} : { extra };
  }
}

const NONE: JsonObject = {};

/** Hints of this dialect; none for another dialect's. */
export function hintsOf(extra: Extra | undefined): JsonObject {
  return extra?.dialect === "openai" ? (extra.hints ?? NONE) : NONE;
}

/** Fields of this dialect; none for another dialect's. */
export function fieldsOf(extra: Extra | undefined): JsonObject {
  return extra?.dialect === "openai" ? extra.fields : NONE;
}

/**
 * Puts back what the form had no place for. Fields win over what was built; hints only fill what is not there.
 * @param worded hints that tell how something of the form was worded: the encoder has obeyed them already
 */
export function putBack(target: JsonObject, extra: Extra | undefined, worded?: ReadonlySet<string>): JsonObject {
  fillIn(target, hintsOf(extra), worded);
  return overlay(target, fieldsOf(extra));
}

function fillIn(target: JsonObject, hints: JsonObject, worded?: ReadonlySet<string>): void {
  for (const [key, value] of Object.entries(hints)) {
    if (value !== null && worded?.has(key) === true) continue;
    const present = target[key];
    if (present === undefined) target[key] = value;
    else if (isObject(present) && isObject(value)) fillIn(present, value);
  }
}

/** Sets `fields` in `target`; objects on both sides are joined. */
export function overlay(target: JsonObject, fields: JsonObject): JsonObject {
  for (const [key, value] of Object.entries(fields)) {
    const present = target[key];
    target[key] = isObject(present) && isObject(value) ? overlay({ ...present }, value) : value;
  }
  return target;
}
