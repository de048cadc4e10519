/**
 * Orders to the simulator inside a request, for what an API has no field for. They are written
 * `key=value&key=value`: in the `x-simulate` header, after a `?` in the model's name (`any?reply=lorem&tokens=50`),
 * or as the first line of the last user message (`/simulate calls=2`). The header wins, then the message.
 */
import { parseFaultRule, type Fault } from "./faults.ts";
import { FINISHES, REASONING_STYLES, type Finish, type ReasoningStyle } from "./task.ts";
import { badRequest } from "./vendor-error.ts";
import { messageOf } from "../lib/thrown.ts";

/** How the text of an answer is made. */
export const REPLIES = ["echo", "lorem", "empty"] as const;
export type Reply = (typeof REPLIES)[number];

export interface Directives {
  readonly reply?: Reply;
  /** The answer's text, word for word. */
  readonly text?: string;
  /** Length of a `lorem` reply. */
  readonly tokens?: number;
  readonly reasoning?: ReasoningStyle;
  readonly reasoningTokens?: number;
  /** How many tool calls. */
  readonly calls?: number;
  /** Arguments of parallel tool calls are streamed in turns, not one call after the other. */
  readonly interleave?: boolean;
  readonly finish?: Finish;
  /** Milliseconds per token and before the first one, instead of the engine's speed. */
  readonly chunkMs?: number;
  readonly firstTokenMs?: number;
  /** Counts to report instead of the true ones. */
  readonly promptTokens?: number;
  readonly cachedTokens?: number;
  readonly completionTokens?: number;
  readonly fault?: Fault;
}

/** First words of a user message that holds directives. */
const MESSAGE_PREFIX = "/simulate ";

/** @throws VendorError 400 for a directive that does not exist */
export function parseDirectives(text: string): Directives {
  const directives: Directives = {};
  for (const [key, value] of new URLSearchParams(text)) Object.assign(directives, readDirective(key, value));
  return directives;
}

/** Directives after the `?` of a model name. */
export function modelDirectives(model: string): Directives {
  const mark = model.indexOf("?");
  return mark < 0 ? {} : parseDirectives(model.slice(mark + 1));
}

/** Splits a user message into its directives and the rest. */
export function messageDirectives(text: string): { directives: Directives; rest: string } {
  if (!text.startsWith(MESSAGE_PREFIX)) return { directives: {}, rest: text };
  const end = text.indexOf("\n");
  const line = text.slice(MESSAGE_PREFIX.length, end < 0 ? text.length : end);
  return { directives: parseDirectives(line.trim()), rest: end < 0 ? "" : text.slice(end + 1) };
}

function readDirective(key: string, value: string): Directives {
  switch (key) {
    case "text":
      return { text: value };
    case "reply":
      return { reply: oneOf(key, value, REPLIES) };
    case "reasoning":
      return { reasoning: oneOf(key, value, REASONING_STYLES) };
    case "finish":
      return { finish: oneOf(key, value, FINISHES) };
    case "interleave":
      return { interleave: value !== "0" };
    case "fault":
      return { fault: readFault(value) };
    case "tokens":
    case "reasoningTokens":
    case "calls":
    case "chunkMs":
    case "firstTokenMs":
    case "promptTokens":
    case "cachedTokens":
    case "completionTokens":
      return { [key]: wholeNumber(key, value) };
    default:
      throw badRequest(`no directive "${key}" of the simulator`, "model");
  }
}

/** Reads a fault named in a request. @throws VendorError 400 */
export function readFault(text: string): Fault {
  try {
    return parseFaultRule(text).fault;
  } catch (error) {
    throw badRequest(messageOf(error));
  }
}

function oneOf<T extends string>(key: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((entry) => entry === value);
  if (found === undefined) throw badRequest(`${key}=${value}: must be one of ${allowed.join(", ")}`);
  return found;
}

function wholeNumber(key: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0) throw badRequest(`${key}=${value}: must be a whole number`);
  return number;
}
