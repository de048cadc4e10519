/**
 * Reads what is needed of a JSON request body and leaves the rest as bytes: validity, and the chosen
 * top-level members with their places. The whole is parsed only if somebody asks for it.
 */
import { isAscii } from "node:buffer";
import { SluiceError } from "./errors.ts";
import type { ExactJson, ExactObject, JsonObject, JsonValue } from "./json.ts";
import { parseExactJson, parseJson, parseWithEscapedKeys } from "./json-parse.ts";
import { JsonSyntaxError } from "./json-scan-plain.ts";
import { positionOf, scanObject } from "./json-scan.ts";
import type { MemberSpan, ObjectScan } from "./json-scan.ts";

const QUOTE = 34;
const BACKSLASH = 92;
const LOWER_F = 102;
const LOWER_N = 110;
const LOWER_T = 116;
/** Up to this length in bytes, looking through a string is cheaper than JSON.parse. */
const SHORT_STRING = 100;

/** A valid JSON object in bytes, with the places of its wanted members. */
export class BodyScan {
  readonly body: Buffer;
  readonly scan: ObjectScan;

  constructor(body: Buffer, scan: ObjectScan) {
    this.body = body;
    this.scan = scan;
  }

  /** Where a wanted member lies; undefined if there is none. */
  span(key: string): MemberSpan | undefined {
    return this.scan.members.get(key);
  }

  /** Whether a wanted member is there and is a text, without parsing it. */
  isText(key: string): boolean {
    const span = this.scan.members.get(key);
    return span !== undefined && this.body[span.valueStart] === QUOTE;
  }

  /** The parsed value of a wanted member; undefined if there is none. */
  get(key: string): JsonValue | undefined {
    const span = this.scan.members.get(key);
    return span === undefined ? undefined : parseValue(this.body, span.valueStart, span.valueEnd);
  }

  /** The same with integers as they are: those that a number cannot hold are bigints. */
  getExact(key: string): ExactJson | undefined {
    const span = this.scan.members.get(key);
    return span && parseExactJson(this.body.toString("utf8", span.valueStart, span.valueEnd));
  }

  /** The whole object, parsed anew, with integers as they are: those that a number cannot hold are bigints. */
  exact(): ExactObject {
    return parseExactJson(this.#text()) as ExactObject;
  }

  /** The whole object, parsed anew: the caller's own to change. */
  parse(): JsonObject {
    const text = this.#text();
    if (this.scan.hasEscapedKey) return parseWithEscapedKeys(text) as JsonObject;
    return JSON.parse(text) as JsonObject;
  }

  #text(): string {
    return this.body.toString(isAscii(this.body) ? "latin1" : "utf8");
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

/** Parses `[start, end)`, which is one valid value. The short kinds that requests are steered by go without JSON.parse. */
function parseValue(body: Buffer, start: number, end: number): JsonValue {
  switch (body[start]) {
    case LOWER_T:
      return true;
    case LOWER_F:
      return false;
    case LOWER_N:
      return null;
    case QUOTE:
      if (end - start <= SHORT_STRING && isPlain(body, start + 1, end - 1)) {
        return body.toString("latin1", start + 1, end - 1);
      }
      break;
    default:
  }
  return parseJson(body.toString("utf8", start, end));
}

/** ASCII without escapes: the bytes are the characters. */
function isPlain(body: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = body[at]!;
    if (byte >= 0x80 || byte === BACKSLASH) return false;
  }
  return true;
}
