/** Header fields of HTTP/1.x messages (RFC 9110 section 5, RFC 9112 section 5). */
import type { IncomingHttpHeaders } from "node:http";
import { ownText } from "../own-text.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";

/** A token (RFC 9110 section 5.6.2), as a part of expressions. */
export const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const HEADER_NAME = new RegExp(`^${TOKEN}$`);
const HEADER_LINE = new RegExp(`^${TOKEN}:(.*)$`, "s");
/** What a field's value must not have (RFC 9110 section 5.5). */
const FORBIDDEN_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const SPACE = 32;
const TAB = 9;
/** Heads up to this size are remembered, and lines of them: parts of a string keep the whole string. */
const MAX_REMEMBERED_LENGTH = 2_048;
const MAX_REMEMBERED_LINES = 32;

/** Nothing in the text ends the value of a field, or could be read in another way. */
export function isHeaderValue(text: string): boolean {
  return !FORBIDDEN_IN_VALUE.test(text);
}

/** A line is a field, of whatever name and value. */
export function isHeaderLine(line: string): boolean {
  const value = HEADER_LINE.exec(line)?.[1];
  return value !== undefined && isHeaderValue(value);
}

/** Whether a line that is known stands at `at`, and ends there. */
export function hasLine(head: string, line: string, at: number): boolean {
  const end = at + line.length;
  return head.startsWith(line, at) && (end === head.length || head.startsWith("\r\n", end));
}

/**
 * Reads the fields of the heads that come over one connection, one after the other. Most of their lines are those of the
 * head before, and are then not read again.
 */
export class HeaderReader {
  readonly #lines: string[] = [];
  readonly #names: string[] = [];
  readonly #values: string[] = [];

  /**
   * Fields of one name are joined by a comma, or by a semicolon in case of cookies, so that what may only be there once is
   * then nothing that it may be.
   * @param at where the first line of the head ends, -1 if nothing follows it @throws HttpSyntaxError
   */
  read(head: string, at: number): IncomingHttpHeaders {
    const headers: Record<string, string> = Object.create(null) as Record<string, string>;
    for (let lineEnd = at, index = 0; lineEnd >= 0; index++) {
      const start = lineEnd + 2;
      const known = this.#lines[index];
      let name: string;
      let value: string;
      if (known !== undefined && hasLine(head, known, start)) {
        name = this.#names[index]!;
        value = this.#values[index]!;
        lineEnd = start + known.length === head.length ? -1 : start + known.length;
      } else {
        lineEnd = head.indexOf("\r\n", start);
        const end = lineEnd < 0 ? head.length : lineEnd;
        const colon = head.indexOf(":", start);
        if (colon < 0 || colon >= end) {
          throw malformed();
        }
        name = headerName(head.slice(start, colon));
        value = trimmed(head, colon + 1, end);
        if (!isHeaderValue(value)) {
          throw malformed();
        }
        if (index < MAX_REMEMBERED_LINES && head.length <= MAX_REMEMBERED_LENGTH) {
          this.#lines[index] = head.slice(start, end);
          this.#names[index] = name;
          this.#values[index] = value;
        }
      }
      const before = headers[name];
      headers[name] = before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`;
    }
    return headers;
  }
}

/** Without spaces and tabs around it, and no others: what a Unicode trim takes away would be a part for other readers. */
function trimmed(head: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(head.charCodeAt(start))) {
    start++;
  }
  while (end > start && isBlank(head.charCodeAt(end - 1))) {
    end--;
  }
  return head.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** Names as they were sent to names in lower case: peers send the same ones over and over. */
const knownNames = new Map<string, string>();
const MAX_KNOWN_NAMES = 1_000;

function headerName(sent: string): string {
  const known = knownNames.get(sent);
  if (known !== undefined) {
    return known;
  }
  if (!HEADER_NAME.test(sent)) {
    throw malformed();
  }
  const name = sent.toLowerCase();
  if (knownNames.size < MAX_KNOWN_NAMES && sent.length <= MAX_KNOWN_LENGTH) {
    knownNames.set(ownText(sent), name);
  }
  return name;
}

const MAX_KNOWN_LENGTH = 100;

function malformed(): HttpSyntaxError {
  return new HttpSyntaxError("a header is malformed");
}
