/** Where a page of the usage report begins, as an opaque text that clients hand back. */

import { parseSubjectText } from "./bucket.ts";

/** The first subject of the page, by its place and its text: a changed configuration may have it elsewhere. */
export interface UsageCursor {
  readonly index: number;
  readonly subject: string;
}

/** The text is no cursor. */
export class CursorError extends Error {
  override readonly name = "CursorError";
}

/** More than the longest subject takes. */
const MAX_CURSOR_LENGTH = 4_096;
const CURSOR = /^(0|[1-9][0-9]{0,8}) ([^]+)$/;

export function encodeCursor({ index, subject }: UsageCursor): string {
  return Buffer.from(`${index} ${subject}`).toString("base64url");
}

/** @throws CursorError */
export function decodeCursor(text: string): UsageCursor {
  const bytes = Buffer.from(text.slice(0, MAX_CURSOR_LENGTH), "base64url");
  const [, index, subject] = CURSOR.exec(bytes.toString()) ?? [];
  // decoding takes anything: only what would be written again is a cursor
  if (index === undefined || !isSubject(subject) || bytes.toString("base64url") !== text) {
    throw new CursorError("cursor is none that this report gave: take `next` of the page before, or begin without one");
  }
  return { index: Number(index), subject };
}

function isSubject(text: string | undefined): text is string {
  try {
    return text !== undefined && parseSubjectText(text).names.length > 0;
  } catch {
    return false;
  }
}
