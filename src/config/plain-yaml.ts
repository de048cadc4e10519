/**
 * A quick reader for the plain part of YAML that configurations are written in: block maps and lists, one-line flow
 * collections, plain and simply quoted scalars, comments. A general YAML parser takes a second of processor time and
 * half a gigabyte for a file of 10,000 models and as many routes; this takes a twentieth of that. It knows no errors:
 * at anything else than this subset it gives up, and the general parser decides. So it may refuse what is valid, but
 * must never accept what the general parser refuses or reads differently.
 */

/** What was read; undefined: not within the subset. */
export interface PlainYaml {
  readonly value: unknown;
}

/** Maps and lists in each other. */
const MAX_DEPTH = 32;

/** Tabs, carriage returns and other control characters, and marks that are invisible. */
// oxlint-disable-next-line no-control-regex -- these are what it looks for
const UNUSUAL = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u2028\u2029\uFEFF\uD800-\uDFFF\uFFFE\uFFFF]/;
const KEY = /[A-Za-z_$][\w.$/-]{0,127}|"[\w.$@/ -]{1,128}"|'[\w.$@/ -]{1,128}'/y;
const QUOTED = /"[^"\\\n]*"|'[^'\n]*'/y;
/** What plain text may begin with; everything else is, or may be, an indicator. */
const PLAIN_START = /[A-Za-z0-9$/._\u00A1-\uD7FF\uE000-\uFFFD]/;
const LOOKS_NUMERIC = /^[.\d+-]/;
const NUMBER = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/;
/** Whatever the general parser might read as a number. */
const MAYBE_NUMBER = /^[-+]?(?:0o[0-7]*|0x[0-9a-f]*|\.inf|\.nan|[\d.]+(?:e[-+]?\d*)?)$/i;

/** Leaves the recursion: the text is not within the subset. */
class OutsideSubset extends Error {
  override readonly name = "OutsideSubset";
}

const OUTSIDE = new OutsideSubset("not plain YAML");

/** Reads `text` if it lies within the subset. */
export function readPlainYaml(text: string): PlainYaml | undefined {
  if (UNUSUAL.test(text)) {
    return undefined;
  }
  try {
    return { value: new PlainReader(text).readDocument() };
  } catch (error) {
    if (error === OUTSIDE) {
      return undefined;
    }
    throw error;
  }
}

class PlainReader {
  readonly #text: string;
  /** Of the line that is read next: where its content starts and ends, and how far it is indented. */
  #at = 0;
  #end = 0;
  #indent = -1;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readDocument(): unknown {
    this.#nextLine();
    if (this.#indent !== 0 || this.#isDash()) {
      throw OUTSIDE;
    }
    const value = this.#readBlock(0);
    if (this.#hasMore()) {
      throw OUTSIDE;
    }
    return value;
  }

  #hasMore(): boolean {
    return this.#indent >= 0;
  }

  /** Goes to the next line that holds more than a comment; at the end of the text the indent is -1. */
  #nextLine(): void {
    const text = this.#text;
    let start = this.#end === 0 ? 0 : this.#end + 1;
    while (start < text.length) {
      let end = text.indexOf("\n", start);
      end = end < 0 ? text.length : end;
      let at = start;
      while (at < end && text[at] === " ") {
        at++;
      }
      if (at < end && text[at] !== "#") {
        this.#indent = at - start;
        if (this.#indent === 0 && (text.startsWith("---", at) || text.startsWith("...", at))) {
          throw OUTSIDE;
        }
        this.#at = at;
        this.#end = end;
        return;
      }
      start = end + 1;
      this.#end = end;
    }
    this.#indent = -1;
    this.#at = text.length;
    this.#end = text.length;
  }

  /** The line's content begins with `- ` or is `-`. */
  #isDash(): boolean {
    return this.#text[this.#at] === "-" && (this.#at + 1 === this.#end || this.#text[this.#at + 1] === " ");
  }

  /** A map or list whose entries begin at this column; the line is at its first one. */
  #readBlock(column: number): unknown {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) {
      throw OUTSIDE;
    }
    const value = this.#isDash() ? this.#readList(column) : this.#readMap(column);
    this.#depth -= 1;
    if (this.#indent > column) {
      throw OUTSIDE;
    }
    return value;
  }

  #readList(column: number): unknown[] {
    const list: unknown[] = [];
    while (this.#indent === column && this.#isDash()) {
      this.#at += 1;
      this.#skipSpaces();
      list.push(this.#readItem(column));
    }
    return list;
  }

  /** What follows a dash. */
  #readItem(column: number): unknown {
    if (this.#atLineEnd()) {
      return this.#readNested(column);
    }
    if (this.#isDash()) {
      throw OUTSIDE;
    }
    if (this.#isKey()) {
      // The map's column is that of its first key, on this very line.
      const lineStart = this.#text.lastIndexOf("\n", this.#at) + 1;
      this.#indent = this.#at - lineStart;
      return this.#readBlock(this.#indent);
    }
    return this.#readInline(column);
  }

  #readMap(column: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    while (this.#indent === column && !this.#isDash()) {
      const key = this.#readKey();
      if (Object.hasOwn(map, key)) {
        throw OUTSIDE;
      }
      if (this.#atLineEnd()) {
        map[key] = this.#readValueBelow(column);
      } else {
        map[key] = this.#readInline(column);
      }
    }
    return map;
  }

  /** The value of a key with nothing after it: a list may stand at the key's own column. */
  #readValueBelow(column: number): unknown {
    this.#nextLine();
    if (this.#indent === column && this.#isDash()) {
      return this.#readBlockOfList(column);
    }
    return this.#indent > column ? this.#readBlock(this.#indent) : null;
  }

  #readBlockOfList(column: number): unknown {
    const list = this.#readList(column);
    if (this.#indent > column) {
      throw OUTSIDE;
    }
    return list;
  }

  #readNested(column: number): unknown {
    this.#nextLine();
    return this.#indent > column ? this.#readBlock(this.#indent) : null;
  }

  /** A value on this line, which must end with it. */
  #readInline(column: number): unknown {
    const value = this.#readValue("block");
    if (!this.#atLineEnd()) {
      throw OUTSIDE;
    }
    this.#nextLine();
    if (this.#indent > column) {
      throw OUTSIDE; // it goes on in the next line
    }
    return value;
  }

  #skipSpaces(): void {
    while (this.#at < this.#end && this.#text[this.#at] === " ") {
      this.#at += 1;
    }
  }

  /** Nothing more, or only a comment (which needs a space before it). */
  #atLineEnd(): boolean {
    this.#skipSpaces();
    return this.#at === this.#end || (this.#text[this.#at] === "#" && this.#text[this.#at - 1] === " ");
  }

  /** End of the key that begins here, or -1. */
  #keyEnd(): number {
    KEY.lastIndex = this.#at;
    return KEY.test(this.#text) && KEY.lastIndex <= this.#end ? KEY.lastIndex : -1;
  }

  #isKey(): boolean {
    const end = this.#keyEnd();
    return end >= 0 && this.#text[end] === ":" && (end + 1 === this.#end || this.#text[end + 1] === " ");
  }

  #readKey(): string {
    const end = this.#keyEnd();
    if (!this.#isKey()) {
      throw OUTSIDE;
    }
    const written = this.#text.slice(this.#at, end);
    const key = /^["']/.test(written) ? written.slice(1, -1) : written;
    if (key === "__proto__") {
      throw OUTSIDE;
    }
    this.#at = end + 1;
    this.#skipSpaces();
    return key;
  }

  #readValue(context: "block" | "flow"): unknown {
    switch (this.#text[this.#at]) {
      case "{":
        return this.#readFlowMap();
      case "[":
        return this.#readFlowList();
      case '"':
      case "'":
        return this.#readQuoted();
      default:
        return this.#readPlain(context);
    }
  }

  #readQuoted(): string {
    QUOTED.lastIndex = this.#at;
    if (!QUOTED.test(this.#text)) {
      throw OUTSIDE;
    }
    const value = this.#text.slice(this.#at + 1, QUOTED.lastIndex - 1);
    this.#at = QUOTED.lastIndex;
    if (this.#text[this.#at] === "'" || this.#text[this.#at] === "#") {
      throw OUTSIDE;
    }
    return value;
  }

  #readPlain(context: "block" | "flow"): unknown {
    const start = this.#at;
    const text = this.#text;
    if (start === this.#end || !(PLAIN_START.test(text[start] ?? "") || /-\d/y.test(text.slice(start, start + 2)))) {
      throw OUTSIDE;
    }
    let at = start;
    for (; at < this.#end; at++) {
      const char = text[at] ?? "";
      if (char === ":" && (at + 1 === this.#end || " ,[]{}".includes(text[at + 1] ?? ""))) {
        throw OUTSIDE;
      }
      if (char === "#" && text[at - 1] === " ") {
        break;
      }
      if (context === "flow" && ",[]{}".includes(char)) {
        break;
      }
    }
    this.#at = at;
    let end = at;
    while (text[end - 1] === " ") {
      end--;
    }
    return resolvePlain(text.slice(start, end));
  }

  #readFlowMap(): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    this.#readFlow("}", () => {
      const key = this.#readKey();
      if (Object.hasOwn(map, key) || this.#atLineEnd()) {
        throw OUTSIDE;
      }
      map[key] = this.#readValue("flow");
    });
    return map;
  }

  #readFlowList(): unknown[] {
    const list: unknown[] = [];
    this.#readFlow("]", () => {
      list.push(this.#readValue("flow"));
    });
    return list;
  }

  /** Entries between brackets, which must close on this line. */
  #readFlow(close: "}" | "]", readEntry: () => void): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) {
      throw OUTSIDE;
    }
    this.#at += 1;
    this.#skipSpaces();
    while (this.#text[this.#at] !== close) {
      readEntry();
      this.#skipSpaces();
      const char = this.#text[this.#at];
      if (char === ",") {
        this.#at += 1;
        this.#skipSpaces();
      }
      // After a comma there is another entry, without one the end.
      if ((char === ",") === (this.#text[this.#at] === close) || this.#at >= this.#end) {
        throw OUTSIDE;
      }
    }
    this.#at += 1;
    this.#depth -= 1;
    if (this.#text[this.#at] === "#" || this.#text[this.#at] === ":") {
      throw OUTSIDE;
    }
  }
}

/** Null, booleans and numbers as the core schema of YAML 1.2 has them; everything else is text. */
function resolvePlain(text: string): unknown {
  switch (text) {
    case "null":
    case "Null":
    case "NULL":
      return null;
    case "true":
    case "True":
    case "TRUE":
      return true;
    case "false":
    case "False":
    case "FALSE":
      return false;
    default:
  }
  if (!LOOKS_NUMERIC.test(text)) {
    return text;
  }
  if (NUMBER.test(text)) {
    return Number(text);
  }
  if (MAYBE_NUMBER.test(text)) {
    throw OUTSIDE;
  }
  return text;
}
