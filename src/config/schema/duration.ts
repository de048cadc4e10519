/** Durations: `300s`, `200ms`, `1h30m`. */
import { z } from "zod";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Timers of the platform hold 31 bits of milliseconds; beyond that they fire at once. */
const MAX_DURATION_MS = 24 * 86_400_000;

const GRAMMAR = /^(?:\d{1,12}(?:\.\d{1,6})?(?:ms|s|m|h|d))+$/;

/** Milliseconds of a duration such as `1h30m`, rounded; undefined if the text is none. */
export function parseDuration(text: string): number | undefined {
  if (text.length > 64 || !GRAMMAR.test(text)) {
    return undefined;
  }
  let total = 0;
  for (const [, amount = "", unit = ""] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (UNIT_MS[unit] ?? 0);
  }
  return Math.round(total);
}

/** A duration longer than nothing, in milliseconds. */
export const duration = z
  .string({ error: "must be a duration with a unit, such as 300s, 200ms or 1h30m" })
  .transform((text, context) => {
    const milliseconds = parseDuration(text);
    if (milliseconds === undefined) {
      context.addIssue({ code: "custom", message: "must be a duration with a unit, such as 300s, 200ms or 1h30m" });
      return z.NEVER;
    }
    if (milliseconds < 1 || milliseconds > MAX_DURATION_MS) {
      context.addIssue({ code: "custom", message: "must be longer than 0 and at most 24d" });
      return z.NEVER;
    }
    return milliseconds;
  })
  .meta({ title: "duration" });
