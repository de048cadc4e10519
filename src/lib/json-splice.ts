/** Changes single members of a JSON object in bytes and leaves every other byte as it was. */
import type { ObjectScan } from "./json-scan.ts";

/** Put `bytes` in the place of `[start, end)`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
}

/**
 * Applies edits with one allocation.
 * @param edits in ascending order, not overlapping
 * @throws RangeError if they are not
 */
export function splice(body: Buffer, edits: readonly Edit[]): Buffer {
  let length = body.length;
  let last = 0;
  for (const { start, end, bytes } of edits) {
    if (start < last || end < start || end > body.length) {
      throw new RangeError(`edit [${start}, ${end}) overlaps another or lies outside the body`);
    }
    length += bytes.length - (end - start);
    last = end;
  }
  const result = Buffer.allocUnsafe(length);
  let from = 0;
  let to = 0;
  for (const { start, end, bytes } of edits) {
    to += body.copy(result, to, from, start);
    to += bytes.copy(result, to);
    from = end;
  }
  body.copy(result, to, from);
  return result;
}

/**
 * The edits that set members: a member that was scanned is replaced, a new one goes before the closing
 * brace. Every key in `changes` must have been among the scan's wanted keys, or it might be added twice.
 * @param changes key → value as JSON text
 */
export function setMembers(scan: ObjectScan, changes: ReadonlyMap<string, string>): Edit[] {
  const edits: Edit[] = [];
  let added = "";
  for (const [key, json] of changes) {
    const span = scan.members.get(key);
    if (span === undefined) {
      added += `${scan.empty && added === "" ? "" : ","}${JSON.stringify(key)}:${json}`;
    } else {
      edits.push({ start: span.valueStart, end: span.valueEnd, bytes: Buffer.from(json) });
    }
  }
  edits.sort((a, b) => a.start - b.start);
  if (added !== "") {
    edits.push({ start: scan.closingBrace, end: scan.closingBrace, bytes: Buffer.from(added) });
  }
  return edits;
}
