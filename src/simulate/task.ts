/** What a request asks of the engine, whatever the dialect it came in, and what the engine answers. */
import type { JsonObject } from "../lib/json.ts";
import type { Directives } from "./directives.ts";

/** How reasoning is shown. `thinking`, `redacted` and `omitted` exist in the Anthropic dialect, the others in OpenAI's. */
export const REASONING_STYLES = ["none", "content", "think", "thinking", "redacted", "omitted"] as const;
export type ReasoningStyle = (typeof REASONING_STYLES)[number];

export interface TaskTool {
  readonly name: string;
  readonly parameters: JsonObject;
}

export type TaskToolChoice =
  | { readonly kind: "auto" | "none" | "required" }
  | { readonly kind: "tool"; readonly name: string };

/** The end of a cacheable prefix: an offset in characters of the prompt. */
export interface CacheMark {
  readonly offset: number;
  readonly ttl: "5m" | "1h";
}

export interface Task {
  readonly model: string;
  readonly directives: Directives;
  /** Tools, system and messages as one text: what tokens are counted of and the prefix cache knows. */
  readonly prompt: string;
  /** Undefined where the engine caches by itself; else it caches up to the last mark only. */
  readonly cacheMarks: readonly CacheMark[] | undefined;
  /** The text of the last user message, without a directive line. */
  readonly userText: string;
  /** Texts of the tool results that the conversation ends with. */
  readonly toolResults: readonly string[];
  readonly images: number;
  readonly documents: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly candidates: number;
  readonly maxTokens: number | undefined;
  readonly stop: readonly string[];
  readonly tools: readonly TaskTool[];
  readonly toolChoice: TaskToolChoice;
  readonly parallelToolCalls: boolean;
  /** The schema of the answer; an empty one for "any JSON object". */
  readonly schema: JsonObject | undefined;
  readonly reasoning: ReasoningStyle;
  readonly logprobs: boolean;
}

export type AnswerPart =
  | { readonly kind: "text" | "refusal"; readonly tokens: readonly string[] }
  | {
      readonly kind: "reasoning";
      readonly style: ReasoningStyle;
      readonly tokens: readonly string[];
    }
  | {
      readonly kind: "toolCall";
      readonly id: string;
      readonly name: string;
      readonly tokens: readonly string[];
    };

export const FINISHES = ["stop", "stop_sequence", "length", "tool_calls", "content_filter", "refusal"] as const;
export type Finish = (typeof FINISHES)[number];

/** One candidate. */
export interface Answer {
  readonly parts: readonly AnswerPart[];
  readonly finish: Finish;
  readonly stopSequence: string | undefined;
}

/** Tokens of a whole request. Counts include their parts. */
export interface TaskUsage {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Tokens written to the cache, where that is reported. */
  readonly cacheWrite5mTokens: number;
  readonly cacheWrite1hTokens: number;
  readonly imageTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
}

/** Everything about a request that a dialect needs to word the answer. */
export interface Outcome {
  readonly task: Task;
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly answers: readonly Answer[];
  readonly usage: TaskUsage;
}

/**
 * A piece of a stream. `head` leaves before the engine has done anything, `open` with the first token;
 * `finish`, `usage` and `done` are the three parts of an end.
 */
export interface Frame {
  readonly kind: "head" | "open" | "token" | "finish" | "usage" | "done";
  /** Whole SSE events. */
  readonly text: string;
}

/** The text of an answer's part. */
export function partText(part: AnswerPart): string {
  return part.tokens.join("");
}
