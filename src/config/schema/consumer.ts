/** `consumers`: who calls, with which keys, and what they may use. */
import { z } from "zod";
import { keyHash, PLAIN_KEY } from "./key-hash.ts";
import { budgetsSchema, grantLimitKeys, limitsSchema, REFUSED_BESIDE_LIMITS, REFUSED_IN_GRANT } from "./limits.ts";
import { modelName, name } from "./scalars.ts";
import { section } from "./section.ts";
import { timeZone } from "./time-zone.ts";

const grantSchema = section(
  { model: modelName.describe("A user model, `*` for all, or a beginning and `*`"), ...grantLimitKeys },
  REFUSED_IN_GRANT,
);

const limits = limitsSchema.optional();
const budgets = budgetsSchema.optional();

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

const keySchema = section(
  {
    name: name.describe("The key's name"),
    hash: keyHash.describe("`sha256:` and the key's SHA-256 in hexadecimal, as `sluice keys new` prints it"),
    expiresAt: time.optional().describe("When the key ends; never if left out"),
    grants: z
      .array(grantSchema)
      .max(10_000)
      .optional()
      .describe("Narrower than the consumer's; the consumer's if left out"),
    limits: limits.describe("What this key may take at most, within what its consumer may"),
    budgets: budgets.describe("What this key may take a month"),
  },
  { ...REFUSED_BESIDE_LIMITS, key: PLAIN_KEY, apiKey: PLAIN_KEY, value: PLAIN_KEY },
);

/** One consumer. */
export const consumerSchema = section(
  {
    name: name.describe("The consumer's name"),
    grants: z.array(grantSchema).max(10_000).default([]).describe("What it may use; nothing if left out"),
    timeZone: timeZone.optional().describe("Whose calendar its months are; `quotas.timeZone` if left out"),
    limits: limits.describe("What all its keys together may take at most"),
    budgets: budgets.describe("What all its keys together may take a month"),
    keys: z.array(keySchema).max(100_000).default([]).describe("Its API keys"),
  },
  REFUSED_BESIDE_LIMITS,
);

export type ConsumerDocument = z.output<typeof consumerSchema>;
export type GrantDocument = z.output<typeof grantSchema>;
