/**
 * Watches a stream of Anthropic's whose bytes pass through. The `event:` line at the start of nearly every
 * event tells with a few bytes what it is; only what carries usage or an error is parsed, and deltas until
 * the first one with content.
 */
import type { JsonObject } from "../../lib/json.ts";
import { parseSseEvent } from "../../lib/sse.ts";
import { type StreamWatch, type UpstreamError, WATCH } from "../contract.ts";
import type { Usage } from "../form.ts";
import { readUpstreamError } from "../upstream-error.ts";
import { decodeStreamError } from "./errors.ts";
import { isObject } from "./fields.ts";
import { decodeUsage, mergeUsage } from "./usage.ts";
import { parseJson } from "../../lib/json-parse.ts";

// bytes of ASCII characters
const SPACE = 32;
const COLON = 58;
const UNDERSCORE = 95;
const LOWER_A = 97;
const LOWER_C = 99;
const LOWER_D = 100;
const LOWER_E = 101;
const LOWER_M = 109;
const LOWER_O = 111;
const LOWER_P = 112;

/** Of `event: `, before the name. */
const NAME = 7;
/** Of `content_block_` and `message_`, before what happens to it. */
const BLOCK_VERB = NAME + 14;
const MESSAGE_VERB = NAME + 8;
/** `data: {"type":"content_block_delta"` and some white space. */
const HEAD_BYTES = 48;

const BAD_GATEWAY = 502;
const END = WATCH.complete | WATCH.end;

const DELTA_TEXTS = ["text", "thinking", "partial_json", "signature", "citation"] as const;

class AnthropicStreamWatch implements StreamWatch {
  usage: Usage | undefined;
  error: UpstreamError | undefined;
  contentEvents = 0;
  #rawUsage: JsonObject | undefined;

  event(buffer: Buffer, start: number, end: number): number {
    if (buffer[start] !== LOWER_E || buffer[start + 5] !== COLON || buffer[start + 6] !== SPACE) {
      return this.#unusual(buffer, start, end);
    }
    const first = buffer[start + NAME];
    if (first === LOWER_C && buffer[start + BLOCK_VERB - 1] === UNDERSCORE) {
      const isDelta = buffer[start + BLOCK_VERB] === LOWER_D;
      if (this.contentEvents === 0) {
        return buffer[start + BLOCK_VERB + 2] === LOWER_O ? 0 : this.#parsed(buffer, start, end);
      }
      if (!isDelta) return 0;
      this.contentEvents++;
      return WATCH.content;
    }
    if (first === LOWER_M && buffer[start + MESSAGE_VERB - 1] === UNDERSCORE) {
      const isStop = buffer[start + MESSAGE_VERB] !== LOWER_D && buffer[start + MESSAGE_VERB + 2] !== LOWER_A;
      return isStop ? END : this.#parsed(buffer, start, end);
    }
    return first === LOWER_P ? 0 : this.#parsed(buffer, start, end);
  }

  /** No `event: ` at the start: a comment, a blank line, fields in another order, or no event names at all. */
  #unusual(buffer: Buffer, start: number, end: number): number {
    if (end - start <= 2) return 0;
    if (this.contentEvents > 0) {
      const head = buffer.toString("latin1", start, Math.min(end, start + HEAD_BYTES));
      if (head.startsWith("data:") && head.includes('"content_block_delta"')) {
        this.contentEvents++;
        return WATCH.content;
      }
    }
    return this.#parsed(buffer, start, end);
  }

  #parsed(buffer: Buffer, start: number, end: number): number {
    const { event, data } = parseSseEvent(buffer, start, end);
    if (data === "") return 0;
    let value: unknown;
    try {
      value = parseJson(data);
    } catch {
      return event === "error" ? this.#failed(data) : 0;
    }
    if (!isObject(value)) return event === "error" ? this.#failed(data) : 0;
    switch (typeof value["type"] === "string" ? value["type"] : event) {
      case "content_block_start":
        return this.#content(this.contentEvents === 0 && startsWithContent(value["content_block"]));
      case "content_block_delta":
        return this.#content(this.contentEvents > 0 || hasContent(value["delta"]));
      case "message_start":
        return isObject(value["message"]) ? this.#addUsage(value["message"]["usage"]) : 0;
      case "message_delta":
        return this.#addUsage(value["usage"]);
      case "message_stop":
        return END;
      case "error":
        return this.#addError(value) || this.#failed("");
      default:
        return isObject(value["error"]) ? this.#addError(value) : 0;
    }
  }

  /** An error event of a server or proxy that says it in plain text, or not at all. */
  #failed(text: string): number {
    this.error = readUpstreamError(BAD_GATEWAY, Buffer.from(text));
    return WATCH.error;
  }

  #content(shows: boolean): number {
    if (!shows) return 0;
    this.contentEvents++;
    return WATCH.content;
  }

  #addUsage(usage: unknown): number {
    if (!isObject(usage)) return 0;
    this.#rawUsage = mergeUsage(this.#rawUsage, usage);
    this.usage = decodeUsage(this.#rawUsage);
    return WATCH.usage;
  }

  #addError(value: JsonObject): number {
    const error = decodeStreamError(value);
    if (error === undefined) return 0;
    this.error = error;
    return WATCH.error;
  }
}

/** True for a block that shows something as it opens: not for text and thinking, which open empty. */
function startsWithContent(block: unknown): boolean {
  if (!isObject(block)) return false;
  if (block["type"] !== "text" && block["type"] !== "thinking") return true;
  return hasContent(block);
}

function hasContent(value: unknown): boolean {
  if (!isObject(value)) return false;
  for (const key of DELTA_TEXTS) {
    const text = value[key] ?? "";
    if (text !== "") return true;
  }
  return false;
}

/** Makes the watcher of one stream. */
export function createStreamWatch(): StreamWatch {
  return new AnthropicStreamWatch();
}
