/** A change of limits at run time: what was set for a subject, by whom, and where it stands in everybody's order. */
import { isObject, type JsonObject, type JsonValue } from "../../lib/json.ts";

/** What somebody said should hold, and when, where and by whom it was said. */
export interface OverrideContent {
  /** As `limits` of the file would have it, as it was written; null: the file's limits hold again. */
  readonly limits: JsonObject | null;
  /** Milliseconds since the epoch, by the clock of the machine that took it. */
  readonly setAt: number;
  /** Name of the admin token; "" where none was needed. */
  readonly by: string;
  /** Address that it came from. */
  readonly from: string;
  /** Name of the machine that took it. */
  readonly on: string;
}

/** The newest word on one subject. */
export interface LimitOverride extends OverrideContent {
  /** As `subjectText` writes it. */
  readonly subject: string;
  /** Its place in the order of all machines: Redis' clock in milliseconds. null: no other machine has been told yet. */
  readonly version: number | null;
}

/** The content as text, the same for the same content. */
export function encodeOverride({ limits, setAt, by, from, on }: OverrideContent): string {
  return JSON.stringify({ limits, setAt, by, from, on });
}

/** The content of a text of `encodeOverride`; undefined if it is none. */
export function decodeOverride(text: string): OverrideContent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { limits, setAt, by, from, on } = (value ?? {}) as Record<string, unknown>;
  const isContent =
    (limits === null || isObject(limits as JsonValue | undefined)) &&
    typeof setAt === "number" &&
    typeof by === "string" &&
    typeof from === "string" &&
    typeof on === "string";
  return isContent ? { limits: limits as JsonObject | null, setAt, by, from, on } : undefined;
}
