/**
 * Reads what is needed of a JSON request body and leaves the rest as bytes: validity, and the chosen
 * top-level members with their places. The whole is parsed only if somebody asks for it.
 */
import { isAscii } from "node:buffer";
import { SluiceError } from "./errors.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { JsonSyntaxError, positionOf, scanObject } from "./json-scan.ts";
import type { MemberSpan, ObjectScan } from "./json-scan.ts";

/** A valid JSON object in bytes, with the places of its wanted members. */
export class BodyScan {
  readonly body: Buffer;
  readonly scan: ObjectScan;
  #value: JsonObject | undefined;

  constructor(body: Buffer, scan: ObjectScan) {
    this.body = body;
    this.scan = scan;
  }

  /** Where a wanted member lies; undefined if there is none. */
  span(key: string): MemberSpan | undefined {
    return this.scan.members.get(key);
  }

  /** The parsed value of a wanted member; undefined if there is none. */
  get(key: string): JsonValue | undefined {
    const span = this.scan.members.get(key);
    return span === undefined ? undefined : parseRange(this.body, span.valueStart, span.valueEnd);
  }

  /** The whole object, parsed at the first call and kept: whoever changes it changes it for all. */
  value(): JsonObject {
    this.#value ??= parseRange(this.body, 0, this.body.length) as JsonObject;
    return this.#value;
  }
}

/**
 * @param wanted top-level keys to find
 * @throws SluiceError `invalid_json` with the position if the body is not JSON;
 *   `invalid_request` if it is no object, or if a wanted key occurs twice (`param` names it): what we read
 *   and what the upstream reads must be the same member
 */
export function readBody(body: Buffer, wanted: readonly string[]): BodyScan {
  let scan: ObjectScan;
  try {
    scan = scanObject(body, wanted);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const { line, column } = positionOf(body, error.offset);
    throw new SluiceError(
      "invalid_json",
      `The body is not valid JSON. ${error.message} (line ${line}, column ${column}, byte ${error.offset}).`,
    );
  }
  const duplicate = scan.duplicates[0];
  if (duplicate !== undefined) {
    throw new SluiceError(
      "invalid_request",
      `The body has the key ${JSON.stringify(duplicate)} more than once; send it once.`,
      { param: duplicate },
    );
  }
  return new BodyScan(body, scan);
}

function parseRange(body: Buffer, start: number, end: number): JsonValue {
  const bytes = body.subarray(start, end);
  return JSON.parse(isAscii(bytes) ? bytes.toString("latin1") : bytes.toString("utf8")) as JsonValue;
}
