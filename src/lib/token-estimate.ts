/**
 * Tokens of a request's prompt before anybody has counted them, without a tokenizer: what the client says counts, and a
 * little for the chat template; names and braces of the request's JSON do not. How far off it is: docs/token-estimates.md.
 */
import type { MemberSpan } from "./json-scan.ts";
import { findMedia, isMedia, mediaTokens, UNKNOWN_MEDIA_TOKENS, type Span } from "./media-tokens.ts";
import { IN_STRING, PLAIN, stopped, weigh } from "./token-weights.ts";

/** Estimated tokens of a text. */
export function estimateTokens(text: string): number {
  const bytes = Buffer.from(text);
  return Math.ceil(weigh(bytes, 0, bytes.length, PLAIN));
}

/** Members of a request that hold the conversation, or what else is to be read. */
const CONVERSATION = ["messages", "system", "prompt", "suffix", "input", "instructions", "query", "documents"];
/** Those that models read as JSON. */
const SCHEMAS = ["tools", "functions", "response_format"];
/** The top-level members that an estimate needs. */
export const PROMPT_MEMBERS: readonly string[] = [...CONVERSATION, ...SCHEMAS];

/** What chat templates put around a message (its role included), a call of a tool, and before the answer. */
const MESSAGE = 3;
const CALL = 4;
const ANSWER = 3;
/** Of arguments that are JSON: what holds a member together. */
const ARGUMENT = 2;

/** A member up to this size is weighed whole, a larger one by samples. */
const WHOLE_BYTES = 24_576;
const SAMPLES = 24;
const SAMPLE_BYTES = WHOLE_BYTES / SAMPLES;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** Estimated tokens of a prompt: whole numbers. */
export interface PromptEstimate {
  readonly tokens: number;
  /** Of them those of images and files, which vendors count by rules of their own. */
  readonly mediaTokens: number;
}

export const NO_PROMPT: PromptEstimate = { tokens: 0, mediaTokens: 0 };

/**
 * Estimates the prompt in a JSON body, of whatever operation; at bounded cost, since of a large conversation samples are
 * weighed.
 * @param body a valid JSON object
 * @param members where its members lie, PROMPT_MEMBERS among them; others do not count
 */
export function estimatePrompt(body: Buffer, members: ReadonlyMap<string, MemberSpan>): PromptEstimate {
  let tokens = 0;
  let mediaTokens = 0;
  for (const [name, { valueStart, valueEnd }] of members) {
    if (!PROMPT_MEMBERS.includes(name)) continue;
    if (name === "messages") tokens += ANSWER;
    const scanner = new Scanner(body, SCHEMAS.includes(name) ? "schema" : "conversation");
    tokens += scanner.member(valueStart, valueEnd);
    mediaTokens += scanner.mediaTokens;
  }
  return { tokens: Math.ceil(tokens), mediaTokens: Math.ceil(mediaTokens) };
}

/** All tokens of `estimatePrompt`. */
export function estimateTokensOfBody(body: Buffer, members: ReadonlyMap<string, MemberSpan>): number {
  return estimatePrompt(body, members).tokens;
}

/** What a member's value means for the estimate. */
const COUNTED = 1;
const TEXT_CALL = 2;
const OBJECT_CALL = 3;
/** From here on a string is not text for the model. */
const SILENT = 4;
const ROLE = 5;
const LINK = 6;
const FILE = 7;
const DETAIL = 8;
/** Nothing is known: the next string is a key, or one of an array. */
const NO_KEY = 0;

const LONGEST_KEY = 20;
const KEYS_BY_LENGTH: (readonly [Buffer, number])[][] = Array.from({ length: LONGEST_KEY }, () => []);
for (const [key, meaning] of [
  ["role", ROLE],
  ["arguments", TEXT_CALL],
  ["input", OBJECT_CALL],
  ["url", LINK],
  ["file_id", FILE],
  ["detail", DETAIL],
  ["id", SILENT],
  ["type", SILENT],
  ["format", SILENT],
  ["media_type", SILENT],
  ["tool_call_id", SILENT],
  ["tool_use_id", SILENT],
  ["call_id", SILENT],
  ["ttl", SILENT],
  ["signature", SILENT],
  ["encrypted_content", SILENT],
] as const) {
  KEYS_BY_LENGTH[key.length]!.push([Buffer.from(key), meaning]);
}

/** What lies between images and files. */
interface Text extends Span {
  /** Tokens of the image or file in front of it. */
  readonly mediaBefore: number;
}

/** Weighs one top-level member. */
class Scanner {
  readonly #body: Buffer;
  readonly #form: "conversation" | "schema";
  /** Of what was weighed: images and files. */
  mediaTokens = 0;
  #tokens = 0;
  #lastMedia = 0;
  /** Means what the value of it that comes next is worth. */
  #key = NO_KEY;
  #depth = 0;
  /** Within the object of this depth everything counts: it is a call's arguments. */
  #argumentsDepth = Infinity;

  constructor(body: Buffer, form: "conversation" | "schema") {
    this.#body = body;
    this.#form = form;
  }

  member(start: number, end: number): number {
    if (end - start <= WHOLE_BYTES) return this.#whole(start, end);
    const media = this.#form === "schema" ? [] : findMedia(this.#body, start, end);
    const texts: Text[] = [];
    let from = start;
    let mediaBefore = 0;
    let mediaSum = 0;
    for (const { start: mediaStart, end: mediaEnd } of media) {
      texts.push({ start: from, end: mediaStart - 1, mediaBefore });
      from = mediaEnd + 1;
      mediaBefore = mediaTokens(this.#body, mediaStart, mediaEnd);
      mediaSum += mediaBefore;
    }
    texts.push({ start: Math.min(from, end), end, mediaBefore });
    this.mediaTokens += mediaSum;
    return mediaSum + this.#texts(texts);
  }

  #texts(texts: readonly Text[]): number {
    const bytes = texts.reduce((sum, { start, end }) => sum + end - start, 0);
    let tokens = 0;
    if (bytes <= WHOLE_BYTES) {
      for (const { start, end, mediaBefore } of texts) {
        this.#lastMedia = mediaBefore;
        tokens += this.#sample(start, end);
      }
      return tokens;
    }
    const mediaBeforeSamples = this.mediaTokens;
    let weighed = 0;
    let passed = 0;
    let next = 0;
    const step = (bytes - SAMPLE_BYTES) / (SAMPLES - 1);
    for (const { start, end, mediaBefore } of texts) {
      this.#lastMedia = mediaBefore;
      while (next * step < passed + end - start && next < SAMPLES) {
        const from = start + Math.floor(next * step) - passed;
        const to = Math.min(end, from + SAMPLE_BYTES);
        tokens += this.#sample(from, to);
        weighed += to - from;
        next++;
      }
      passed += end - start;
    }
    this.mediaTokens = mediaBeforeSamples + ((this.mediaTokens - mediaBeforeSamples) / weighed) * bytes;
    return (tokens / weighed) * bytes;
  }

  /** A piece that begins wherever it does. */
  #sample(start: number, end: number): number {
    if (this.#form === "schema") return this.#whole(start, end);
    this.#key = NO_KEY;
    this.#argumentsDepth = Infinity;
    if (!isInString(this.#body, start, end)) return this.#whole(start, end);
    const tokens = weigh(this.#body, start, end, IN_STRING);
    return tokens + this.#whole(stopped.at + 1, end);
  }

  #whole(start: number, end: number): number {
    if (this.#form === "schema") return weigh(this.#body, start, end, PLAIN);
    this.#tokens = 0;
    let at = start;
    while (at < end) {
      const byte = this.#body[at]!;
      if (byte === QUOTE) {
        at = this.#string(at + 1, end);
        continue;
      }
      at++;
      if (byte === 0x7b || byte === 0x5b) this.#open();
      else if (byte === 0x7d || byte === 0x5d) this.#close();
      else if ((byte >= 0x30 && byte <= 0x39) || byte === 0x2d) {
        // a number of an array of tokens, or of a call's arguments
        while (at < end && isOfNumber(this.#body[at]!)) at++;
        this.#tokens += 1;
        this.#key = NO_KEY;
      } else if (byte === 0x74 || byte === 0x66 || byte === 0x6e) {
        // true, false, null; the rest of the word is no such letter at its beginning
        if (this.#depth >= this.#argumentsDepth) this.#tokens += 1;
        at += byte === 0x66 ? 4 : 3;
        this.#key = NO_KEY;
      }
    }
    return this.#tokens;
  }

  #open(): void {
    this.#depth++;
    if (this.#key === OBJECT_CALL && this.#argumentsDepth === Infinity) this.#argumentsDepth = this.#depth;
    this.#key = NO_KEY;
  }

  #close(): void {
    this.#depth--;
    if (this.#depth < this.#argumentsDepth) this.#argumentsDepth = Infinity;
  }

  /** Weighs the string whose text begins at `start`; returns where what comes behind it begins. */
  #string(start: number, end: number): number {
    const body = this.#body;
    if (this.#key === NO_KEY && this.#depth < this.#argumentsDepth) {
      const close = endOfShortKey(body, start);
      if (close > 0 && close < end) {
        this.#named(start, close, 0);
        return close + 2;
      }
    }
    if (isMedia(body, start, end)) {
      const close = body.indexOf(QUOTE, start);
      const mediaEnd = close < 0 || close > end ? end : close;
      if (this.#key !== SILENT) {
        this.#lastMedia = mediaTokens(body, start, mediaEnd);
        this.#tokens += this.#lastMedia;
        this.mediaTokens += this.#lastMedia;
      }
      this.#key = NO_KEY;
      return mediaEnd + 1;
    }
    if (this.#key >= SILENT) {
      const close = endOfString(body, start, end);
      this.#tokens += this.#worth(start, close);
      this.#key = NO_KEY;
      return close + 1;
    }
    const tokens = weigh(body, start, end, IN_STRING);
    const close = stopped.at;
    let at = close + 1;
    if (this.#key === NO_KEY) {
      while (at < end && body[at]! <= 0x20) at++;
      if (body[at] === COLON && at < end) {
        this.#named(start, close, tokens);
        return at + 1;
      }
    }
    this.#tokens += tokens;
    this.#key = NO_KEY;
    return at;
  }

  #named(start: number, end: number, tokens: number): void {
    if (this.#depth >= this.#argumentsDepth) {
      this.#tokens += tokens + ARGUMENT;
      this.#key = COUNTED;
      return;
    }
    this.#key = meaningOf(this.#body, start, end);
    if (this.#key === ROLE) this.#tokens += MESSAGE;
    else if (this.#key === TEXT_CALL || this.#key === OBJECT_CALL) this.#tokens += CALL;
  }

  /** What a string that is no text is worth because of its key. */
  #worth(start: number, end: number): number {
    switch (this.#key) {
      case ROLE:
        return 1;
      case LINK:
      case FILE:
        this.#lastMedia = UNKNOWN_MEDIA_TOKENS;
        this.mediaTokens += UNKNOWN_MEDIA_TOKENS;
        return UNKNOWN_MEDIA_TOKENS;
      case DETAIL:
        if (this.#body.toString("latin1", start, end) === "low" && this.#lastMedia > LOW_DETAIL) {
          const less = LOW_DETAIL - this.#lastMedia;
          this.mediaTokens += less;
          return less;
        }
        return 0;
      default:
        return 0;
    }
  }
}

/** What OpenAI counts an image with `detail: low`. */
const LOW_DETAIL = 85;

function isOfNumber(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2e || byte === 0x2b || byte === 0x2d || (byte | 0x20) === 0x65;
}

/** Where a key ends that is as short as most are, so that it need not be weighed; 0 if it is none. */
function endOfShortKey(body: Buffer, start: number): number {
  let at = start;
  while (at < start + LONGEST_KEY && body[at] !== QUOTE) at++;
  return body[at] === QUOTE && body[at + 1] === COLON && body[at - 1] !== BACKSLASH ? at : 0;
}

function meaningOf(body: Buffer, start: number, end: number): number {
  const candidates = KEYS_BY_LENGTH[end - start];
  if (candidates === undefined) return COUNTED;
  for (const [key, meaning] of candidates) {
    let same = 0;
    while (same < key.length && body[start + same] === key[same]) same++;
    if (same === key.length) return meaning;
  }
  return COUNTED;
}

/** Where a sample begins, it is in a string: the next quote closes one. */
function isInString(body: Buffer, start: number, end: number): boolean {
  for (let at = body.indexOf(QUOTE, start); at >= 0 && at < end; at = body.indexOf(QUOTE, at + 1)) {
    if (isEscaped(body, at)) continue;
    let before = at - 1;
    while (before > 0 && body[before]! <= 0x20) before--;
    return !"{[,:".includes(String.fromCharCode(body[before]!));
  }
  return true;
}

function endOfString(body: Buffer, start: number, end: number): number {
  // most are words: looking at them here costs less than a call into native code
  let at = start;
  while (at < start + LONGEST_KEY && body[at] !== QUOTE) at++;
  let close = body[at] === QUOTE ? at : body.indexOf(QUOTE, at);
  while (close >= 0 && close < end && isEscaped(body, close)) close = body.indexOf(QUOTE, close + 1);
  return close < 0 ? end : Math.min(close, end);
}

function isEscaped(body: Buffer, at: number): boolean {
  let backslashes = 0;
  while (body[at - 1 - backslashes] === BACKSLASH && backslashes < 64) backslashes++;
  return backslashes % 2 === 1;
}
