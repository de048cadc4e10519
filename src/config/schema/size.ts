/** Sizes: `20MiB`, `1GB`, or a number of bytes. */
import { z } from "zod";

const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** Bytes of a size such as `20MiB` (1024²), `20MB` (1000²) or `1000`, rounded; undefined if the text is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([kmg]?i?b)?$/i.exec(text);
  const [, amount = "", unit = ""] = match ?? [];
  const factor = UNIT_BYTES[unit.toLowerCase()];
  return match === null || factor === undefined ? undefined : Math.round(Number(amount) * factor);
}

/** A size in bytes. */
export function size(minimum: number, maximum: number) {
  return z
    .union([z.int(), z.string()], { error: "must be a size, such as 20MiB or 1GB, or a number of bytes" })
    .transform((input, context) => {
      const bytes = typeof input === "number" ? input : parseSize(input);
      if (bytes === undefined) {
        context.addIssue({ code: "custom", message: "must be a size, such as 20MiB or 1GB, or a number of bytes" });
        return z.NEVER;
      }
      if (bytes < minimum || bytes > maximum) {
        context.addIssue({ code: "custom", message: `must be from ${minimum} to ${maximum} bytes` });
        return z.NEVER;
      }
      return bytes;
    })
    .meta({ title: "size" });
}
