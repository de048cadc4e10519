/** `consumers`: who calls, with which keys, and what they may use. */
import { z } from "zod";
import { modelName, name } from "./scalars.ts";
import { QUOTAS_LATER, section } from "./section.ts";
import type { RefusedKeys } from "./section.ts";

const QUOTA_KEYS: RefusedKeys = Object.fromEntries(
  ["rpm", "tpm", "concurrent", "concurrency", "monthly", "daily", "limits", "budgets", "mode"].map((key) => [
    key,
    QUOTAS_LATER,
  ]),
);

const grantSchema = section(
  { model: modelName.describe("A user model, `*` for all, or a beginning and `*`") },
  QUOTA_KEYS,
);

const HASH_REMEDY = "`sluice keys new` makes a key and its hash.";

const hash = z.string().transform((text, context) => {
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

const TIME = "must be a time with its zone, such as 2027-06-30T00:00:00+08:00 or 2027-06-29T16:00:00Z";

const time = z
  .string({ error: TIME })
  .transform((text, context) => {
    const valid = z.iso.datetime({ offset: true }).safeParse(text.replace(" ", "T")).success;
    const milliseconds = valid ? Date.parse(text.replace(" ", "T")) : Number.NaN;
    if (Number.isNaN(milliseconds)) {
      context.addIssue({ code: "custom", message: TIME });
      return z.NEVER;
    }
    return milliseconds;
  })
  .meta({ title: "time" });

const PLAIN_KEY = { message: "keys are not kept in plain text, only as `hash`", remedy: HASH_REMEDY };

const keySchema = section(
  {
    name: name.describe("The key's name"),
    hash: hash.describe("`sha256:` and the key's SHA-256 in hexadecimal, as `sluice keys new` prints it"),
    expiresAt: time.optional().describe("When the key ends; never if left out"),
    grants: z
      .array(grantSchema)
      .max(10_000)
      .optional()
      .describe("Narrower than the consumer's; the consumer's if left out"),
  },
  { ...QUOTA_KEYS, key: PLAIN_KEY, apiKey: PLAIN_KEY, value: PLAIN_KEY },
);

/** One consumer. */
export const consumerSchema = section(
  {
    name: name.describe("The consumer's name"),
    grants: z.array(grantSchema).max(10_000).default([]).describe("What it may use; nothing if left out"),
    keys: z.array(keySchema).max(100_000).default([]).describe("Its API keys"),
  },
  { ...QUOTA_KEYS, timeZone: QUOTAS_LATER },
);

export type ConsumerDocument = z.output<typeof consumerSchema>;
export type GrantDocument = z.output<typeof grantSchema>;
