/** Time zones by their names in the IANA database: `Asia/Shanghai`. */
import { z } from "zod";
import { didYouMean } from "../nearest.ts";

/** Zones that were written and exist, as they are spelt: making a formatter takes long, and there are few. */
const known = new Map<string, string>();
const MAX_KNOWN = 5_000;

/** Names of today that the platform takes but does not list: it lists their old ones. */
const NOT_LISTED = [
  "UTC",
  "Africa/Asmara",
  "America/Argentina/Buenos_Aires",
  "America/Nuuk",
  "Asia/Ho_Chi_Minh",
  "Asia/Kathmandu",
  "Asia/Kolkata",
  "Asia/Yangon",
  "Europe/Kyiv",
];

/**
 * A zone's name (`asia/shanghai`) in its usual spelling; undefined if there is no such zone. A name stays what it is: the
 * platform would make Asia/Calcutta of Asia/Kolkata.
 */
export function parseTimeZone(text: string): string | undefined {
  const found = known.get(text);
  // Offsets such as +08:00, which the platform takes as well, name no zone.
  if (found !== undefined || text.length > 64 || !/^[A-Za-z]/.test(text)) {
    return found;
  }
  let zone: string;
  try {
    zone = new Intl.DateTimeFormat("en-US", { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
  const spelt = [zone, ...NOT_LISTED].find((name) => name.toLowerCase() === text.toLowerCase()) ?? text;
  if (known.size < MAX_KNOWN) {
    known.set(text, spelt);
  }
  return spelt;
}

const EXPECTED = "must be a time zone's IANA name, such as Asia/Shanghai or UTC";

/** A time zone's name. */
export const timeZone = z.string().transform((text, context) => {
  const zone = parseTimeZone(text);
  if (zone === undefined) {
    const isOffset = /^(UTC|GMT)?[+-]?\d/i.test(text);
    const remedy = isOffset
      ? "Name a place in that zone."
      : didYouMean(text, [...Intl.supportedValuesOf("timeZone"), ...NOT_LISTED], "");
    context.addIssue({
      code: "custom",
      message: isOffset ? EXPECTED : `${EXPECTED}; there is no zone "${text.slice(0, 64)}"`,
      params: { remedy },
    });
    return z.NEVER;
  }
  return zone;
});
