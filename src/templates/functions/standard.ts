/** The functions that a prompt template has. */
import { estimateTokens } from "../../lib/token-estimate.ts";
import type { FunctionTable } from "../template-function.ts";
import { arithmeticFunctions } from "./arithmetic.ts";
import { builtinFunctions } from "./builtin.ts";
import { collectionFunctions } from "./collections.ts";
import { comparisonFunctions } from "./comparison.ts";
import { escapeFunctions } from "./escapes.ts";
import { jsonFunctions } from "./json.ts";
import { textFunctions } from "./text.ts";
import type { TokenEstimator } from "./text.ts";
import { timeFunctions } from "./time.ts";

/** What the functions need from outside; what is left out has its default. */
export interface StandardFunctionOptions {
  /** Counts the tokens of a text for `truncateTokens` (default: the gateway's estimate). */
  readonly estimateTokens?: TokenEstimator;
  /** Milliseconds since 1970, for `now` (default: the machine's clock). */
  readonly nowMs?: () => number;
  /** The time zone of `now` and `date` where the template names none; IANA name (default UTC). */
  readonly timeZone?: string;
}

/** What text/template has without any others: the language itself. */
export const languageFunctions: FunctionTable = new Map([
  ...builtinFunctions,
  ...comparisonFunctions,
  ...escapeFunctions,
]);

/**
 * All functions. To be made once and given to every `compileTemplate`.
 * @throws CallError if the time zone does not exist
 */
export function standardFunctions(options: StandardFunctionOptions = {}): FunctionTable {
  return new Map([
    ...languageFunctions,
    ...jsonFunctions,
    ...textFunctions(options.estimateTokens ?? estimateTokens),
    ...collectionFunctions,
    ...arithmeticFunctions,
    ...timeFunctions({ nowMs: options.nowMs ?? Date.now, zone: options.timeZone ?? "UTC" }),
  ]);
}
