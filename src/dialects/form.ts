/**
 * The internal form: one chat request, answer and answer stream, whatever the wire protocol.
 * Each dialect converts to and from it, so a new dialect is one folder. It is a superset modelled on
 * the richest dialects; what a dialect has and the form has not travels in `extra`, marked with the
 * dialect it came from: encoding to the same dialect puts it back, encoding to another one must map
 * it, or refuse it by name, or (where the route allows) report it as dropped. Never in silence.
 */
import type { JsonObject, JsonValue } from "../lib/json.ts";

/** The wire protocols that Sluice speaks. */
export type DialectName = "openai" | "anthropic";

/** Fields of one wire object that the form has no place for. */
export interface Extra {
  readonly dialect: DialectName;
  readonly fields: JsonObject;
  /**
   * Fields that another dialect may leave out without a word: they say how something was worded that the
   * form holds anyway, or change nothing that another protocol could honour (nulls, cache keys).
   */
  readonly hints?: JsonObject;
}

/** Marks the end of a prompt prefix that the provider should cache (Anthropic `cache_control`). */
export interface CacheControl {
  readonly ttl?: "5m" | "1h";
}

/** Where the bytes of an image or document are. */
export type MediaSource =
  | { readonly kind: "base64"; readonly mediaType: string; readonly data: string }
  | { readonly kind: "url"; readonly url: string; readonly mediaType?: string }
  | { readonly kind: "file"; readonly fileId: string }
  | { readonly kind: "text"; readonly mediaType: string; readonly text: string };

interface PartBase {
  cacheControl?: CacheControl;
  extra?: Extra;
}

export interface TextPart extends PartBase {
  kind: "text";
  text: string;
  citations?: JsonValue[];
}
export interface ImagePart extends PartBase {
  kind: "image";
  source: MediaSource;
  detail?: string;
}
export interface DocumentPart extends PartBase {
  kind: "document";
  source: MediaSource;
  title?: string;
  context?: string;
  citations?: boolean;
}
export interface AudioPart extends PartBase {
  kind: "audio";
  data: string;
  format: string;
}
/** What a model thought before it answered. A signature proves it unchanged and must go back byte-identical. */
export interface ReasoningPart extends PartBase {
  kind: "reasoning";
  text: string;
  signature?: string;
  /** Opaque, encrypted reasoning (Anthropic `redacted_thinking`). */
  redacted?: string;
}
export interface ToolCallPart extends PartBase {
  kind: "toolCall";
  id: string;
  name: string;
  /** The arguments as the JSON text the model wrote; may be invalid JSON if the model erred. */
  arguments: string;
}
export interface ToolResultPart extends PartBase {
  kind: "toolResult";
  toolCallId: string;
  content: ContentPart[];
  isError?: boolean;
  /** The wire had one plain string where it could have had parts; the same dialect writes it so again. */
  plain?: boolean;
}
/** A refusal to answer, in the model's words (OpenAI `refusal`). */
export interface RefusalPart extends PartBase {
  kind: "refusal";
  text: string;
}
/** A content block that only its own dialect knows (server tools …); only that dialect can encode it. */
export interface OpaquePart extends PartBase {
  kind: "opaque";
  dialect: DialectName;
  value: JsonObject;
}

export type ContentPart =
  | TextPart
  | ImagePart
  | DocumentPart
  | AudioPart
  | ReasoningPart
  | ToolCallPart
  | ToolResultPart
  | RefusalPart
  | OpaquePart;

export interface Message {
  role: "system" | "developer" | "user" | "assistant" | "tool";
  content: ContentPart[];
  name?: string;
  /** The wire had one plain string where it could have had parts; the same dialect writes it so again. */
  plain?: boolean;
  extra?: Extra;
}

export interface Tool {
  /** `function`: the caller runs it. `opaque`: a vendor's own tool, `value` is its definition. */
  kind: "function" | "opaque";
  name: string;
  description?: string;
  /** JSON Schema of the arguments. */
  parameters?: JsonObject;
  strict?: boolean;
  cacheControl?: CacheControl;
  dialect?: DialectName;
  value?: JsonObject;
  extra?: Extra;
}

export type ToolChoice = { kind: "auto" } | { kind: "none" } | { kind: "required" } | { kind: "tool"; name: string };

export type ResponseFormat =
  | { kind: "text" }
  | { kind: "json" }
  | {
      kind: "schema";
      name?: string;
      description?: string;
      schema: JsonObject;
      strict?: boolean;
    };

/** How much a model may think. `budgetTokens` and `effort` are two ways to say it; a dialect maps between them. */
export interface ReasoningSettings {
  enabled: boolean;
  effort?: string;
  budgetTokens?: number;
  /** The dialect's own object, to go back unchanged to the same dialect. */
  extra?: Extra;
}

/** A chat request in the internal form. Filters may change it in place: it belongs to one attempt. */
export interface ChatRequest {
  /** The dialect it was read from: what that dialect allows is left for its own vendor to judge. */
  origin?: DialectName;
  model: string;
  messages: Message[];
  stream: boolean;
  /** The client asked for the usage chunk of an OpenAI stream. Other dialects always report usage. */
  includeUsage: boolean;
  tools?: Tool[];
  toolChoice?: ToolChoice;
  parallelToolCalls?: boolean;
  responseFormat?: ResponseFormat;
  reasoning?: ReasoningSettings;
  maxOutputTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  seed?: number;
  stop?: string[];
  presencePenalty?: number;
  frequencyPenalty?: number;
  logitBias?: JsonObject;
  logprobs?: boolean;
  topLogprobs?: number;
  candidates?: number;
  serviceTier?: string;
  /** A stable id of the end user, for the vendor's abuse checks (OpenAI `user`, Anthropic `metadata.user_id`). */
  endUser?: string;
  /** The provider shall cache the longest prefix it can, without further marks. */
  cacheControl?: CacheControl;
  /**
   * The word by which the target takes cache markers, for dialects whose servers differ in it (openai).
   * Absent: it takes none and caches by itself; markers that came in its own dialect go back as they came.
   */
  cacheMarkers?: "cache_control" | "prompt_cache_breakpoint";
  extra?: Extra;
}

/** Tokens of one request. Counts include their parts: cached and cache-write in prompt, reasoning in completion. */
export interface Usage {
  promptTokens: number;
  /** Of the prompt: read from the provider's cache. */
  cachedTokens: number;
  /** Of the prompt: written to the provider's cache (all lifetimes together). */
  cacheWriteTokens: number;
  /** Of the tokens written to the cache: to be kept for an hour, which some vendors charge more for. */
  cacheWriteHourTokens?: number;
  /** Of the prompt: sound, not from the cache. */
  audioPromptTokens?: number;
  completionTokens: number;
  /** Of the completion: spent on reasoning. */
  reasoningTokens: number;
  /** Of the completion: sound. */
  audioCompletionTokens?: number;
  extra?: Extra;
}

export type FinishReason =
  | "stop"
  | "stop_sequence"
  | "length"
  | "tool_calls"
  | "content_filter"
  | "refusal"
  | "pause"
  | "context_overflow";

/** One answer of a model. */
export interface ChatAnswer {
  id: string;
  model: string;
  /** Seconds since the epoch. */
  created: number;
  choices: ChatChoice[];
  usage?: Usage;
  extra?: Extra;
}

export interface ChatChoice {
  content: ContentPart[];
  finishReason: FinishReason | null;
  /** The stop sequence that ended the answer. */
  stopSequence?: string;
  logprobs?: JsonValue;
  extra?: Extra;
}

/**
 * One step of a streamed answer. `choice` is 0 except where several candidates were asked for.
 * Parts are opened, filled by deltas and closed, in the order of their first appearance; parallel tool
 * calls may interleave (OpenAI), an encoder whose protocol cannot interleave serialises them.
 */
export type ChatEvent =
  | { kind: "start"; id: string; model: string; created: number; usage?: Usage; extra?: Extra }
  | { kind: "text"; choice: number; part: number; text: string; logprobs?: JsonValue; extra?: Extra }
  | { kind: "reasoning"; choice: number; part: number; text: string; extra?: Extra }
  | { kind: "signature"; choice: number; part: number; signature: string; extra?: Extra }
  | { kind: "redactedReasoning"; choice: number; part: number; data: string; extra?: Extra }
  | { kind: "refusal"; choice: number; part: number; text: string }
  | { kind: "citation"; choice: number; part: number; citation: JsonValue }
  | { kind: "toolCallStart"; choice: number; part: number; id: string; name: string; extra?: Extra }
  | { kind: "toolCallArguments"; choice: number; part: number; text: string }
  | { kind: "opaque"; choice: number; part: number; dialect: DialectName; value: JsonObject }
  | { kind: "partEnd"; choice: number; part: number }
  /** Fields of the candidate itself, in pieces; log probabilities of tokens that no text event carries. */
  | { kind: "extra"; choice: number; logprobs?: JsonValue; extra?: Extra }
  | {
      kind: "finish";
      choice: number;
      finishReason: FinishReason;
      stopSequence?: string;
      logprobs?: JsonValue;
      extra?: Extra;
    }
  | { kind: "usage"; usage: Usage }
  | { kind: "ping" }
  | { kind: "error"; status: number; type: string; message: string; code?: string }
  | { kind: "end" };
