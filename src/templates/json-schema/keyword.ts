/** What keywords of JSON Schema are made with, and the shapes that their values must have. */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { Check } from "./check.ts";

/** The schema that a keyword stands in. */
export interface KeywordContext {
  /** The keyword's neighbours, itself included. */
  readonly schema: JsonObject;
  /** Compiles a schema within. @param path from `schema` @throws Error that says what of it cannot be used */
  readonly compile: (inner: JsonValue, ...path: (string | number)[]) => Check;
  /** Compiles what a `$ref` leads to. @throws Error where that is nothing */
  readonly reference: (target: string) => Check;
}

/** Makes a keyword's check of its value. @throws Error that says what the value must be */
export type Keyword = (value: JsonValue, context: KeywordContext) => Check;

/** @throws Error */
export function numberOf(value: JsonValue): number {
  if (typeof value !== "number") throw new Error("must be a number");
  return value;
}

/** @throws Error */
export function countOf(value: JsonValue): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) throw new Error("must be a count");
  return value;
}

/** @throws Error */
export function textOf(value: JsonValue): string {
  if (typeof value !== "string") throw new Error("must be a text");
  return value;
}

/** @throws Error */
export function namesOf(value: JsonValue | undefined): string[] {
  if (!Array.isArray(value) || value.some((name) => typeof name !== "string"))
    throw new Error("must be a list of names");
  return value as string[];
}

/** @throws Error */
export function listOf(value: JsonValue): JsonValue[] {
  if (!Array.isArray(value) || value.length === 0) throw new Error("must be a list that is not empty");
  return value;
}

/** What stands under each name. @throws Error */
export function entriesOf(value: JsonValue): [string, JsonValue][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("must be an object");
  return Object.entries(value) as [string, JsonValue][];
}
