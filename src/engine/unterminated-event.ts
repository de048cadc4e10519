import type { JsonValue } from "../lib/json.ts";
import { parseSseEvent } from "../lib/sse.ts";

const BLANK_LINE = Buffer.from("\n\n");

/**
 * The last event of a stream whose upstream ended it without the blank line: some do, after `[DONE]` mostly.
 * Undefined if there is none, or if it is cut off in its midst.
 * @param pending what came after the last blank line
 */
export function unterminatedEvent(pending: Buffer): Buffer | undefined {
  if (pending.length === 0) {
    return undefined;
  }
  const { data } = parseSseEvent(pending, 0, pending.length);
  return data === "[DONE]" || isJson(data) ? Buffer.concat([pending, BLANK_LINE]) : undefined;
}

/** The data of an event is a JSON object or array, and whole. */
export function isJson(data: string): boolean {
  try {
    const value = JSON.parse(data) as JsonValue;
    return typeof value === "object";
  } catch {
    return false;
  }
}
