/** The scalar types of the configuration. Each takes a string too, since `${…}` always gives strings. */
import { z } from "zod";

/** Accepted by zod in place of a number or boolean only to be refused later; lets editors accept `${WORKERS}`. */
const SUBSTITUTION = String.raw`.*\$\{.*\}.*`;

/** A name of something in the configuration: it appears in logs, metrics and headers. */
export const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    "must be 1 to 128 letters, digits, dots, dashes or underscores, beginning with a letter or digit",
  );

/** A model's name: as vendors write them (`meta-llama/Llama-3.3-70B:free`). */
export const modelName = z.string().regex(
  // oxlint-disable-next-line no-control-regex -- these are what may not be in it
  /^[^\s\u0000-\u001F\u007F-\u009F\u200B-\u200F\u202A-\u202E\u2060-\u206F]{1,256}$/,
  "must be 1 to 256 printable characters without spaces",
);

/** A string that a header can hold. */
export const headerValue = z
  .string()
  .regex(/^[\x20-\x7E\x80-\xFF]*$/, "may hold only printable characters (no line break)")
  .max(8_192, "must be at most 8192 characters");

/** A whole number. */
export function integer(minimum: number, maximum: number) {
  const message = `must be a whole number from ${minimum} to ${maximum}`;
  return z
    .union(
      [
        z.int(message).min(minimum, message).max(maximum, message),
        z.string().regex(new RegExp(String.raw`^(\d{1,15}|${SUBSTITUTION})$`), message),
      ],
      {
        error: message,
      },
    )
    .transform(Number)
    .refine((value) => Number.isInteger(value) && value >= minimum && value <= maximum, message);
}

const WEIGHT = "must be a number greater than 0, at most 1000000";

/** A share relative to others; need not be whole. */
export const weight = z
  .union(
    [
      z.number().gt(0, WEIGHT).max(1_000_000, WEIGHT),
      z.string().regex(new RegExp(String.raw`^(\d{1,7}(\.\d{1,6})?|${SUBSTITUTION})$`), WEIGHT),
    ],
    {
      error: WEIGHT,
    },
  )
  .transform(Number)
  .refine((value) => value > 0 && value <= 1_000_000, WEIGHT);

const FLAG = "must be true or false";

/** true or false. */
export const flag = z
  .union([z.boolean(), z.string().regex(new RegExp(`^(true|false|${SUBSTITUTION})$`), FLAG)], { error: FLAG })
  .refine((value) => typeof value === "boolean" || value === "true" || value === "false", FLAG)
  .transform((value) => value === true || value === "true");
