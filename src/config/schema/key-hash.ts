/** Keys and tokens as the file has them: by their SHA-256. */
import { z } from "zod";

const HASH_REMEDY = "`sluice keys new` makes a key and its hash.";

/** `sha256:` and 64 hexadecimal digits; comes out as the digits. */
export const keyHash = z.string().transform((text, context) => {
  const match = /^sha256:([0-9a-fA-F]{64})$/.exec(text);
  if (match?.[1] !== undefined) {
    return match[1].toLowerCase();
  }
  const message = text.startsWith("sk-")
    ? "is a key in plain text; only its hash belongs here"
    : "must be `sha256:` and 64 hexadecimal digits";
  context.addIssue({ code: "custom", message, params: { remedy: HASH_REMEDY } });
  return z.NEVER;
});

/** What is said where somebody writes the key itself. */
export const PLAIN_KEY = { message: "keys are not kept in plain text, only as `hash`", remedy: HASH_REMEDY };
