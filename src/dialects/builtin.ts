/** The dialects there are: an explicit list, no registration by import. */
import { anthropic } from "./anthropic/anthropic.ts";
import type { Dialect } from "./contract.ts";
import type { DialectName } from "./form.ts";
import { openai } from "./openai/openai.ts";

/** Every dialect by its name. */
export const DIALECTS: Readonly<Record<DialectName, Dialect>> = { openai, anthropic };
