/**
 * A streamed answer, from the form to Anthropic's events (platform.claude.com, "Streaming Messages").
 *
 * Content blocks follow one another there: one is open at a time, and indexes count up. Tool calls that other
 * dialects interleave are put in a row: the first goes out as it comes, later ones wait until it has ended.
 * The last `message_delta` carries all of the usage, since other dialects know none of it at the start.
 */
import { SluiceError } from "../../lib/errors.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { AnswerContext, StreamEncoder } from "../contract.ts";
import type { ChatEvent, Usage } from "../form.ts";
import { isOwnCitation, messageId } from "./answer-encode.ts";
import { encodeStreamError } from "./errors.ts";
import { isObject, putBack } from "./fields.ts";
import { stopReasonOf } from "./stop-reasons.ts";
import { encodeUsage, NO_USAGE } from "./usage.ts";

/** What may wait for an earlier tool call to end. */
export const MAX_WAITING_CHARACTERS = 4_194_304;
/** What an event costs besides its text, in characters. */
const EVENT_CHARACTERS = 64;

/** Of what a final `message_delta` says beyond the form, the members beside its `delta`. */
const MESSAGE_DELTA_MEMBERS = new Set(["context_management", "input_transformations"]);

type PartEvent = Extract<ChatEvent, { part: number }>;
type BlockKind = "text" | "thinking" | "tool_use" | "opaque";

/** A part that appeared while a tool call was open. */
interface Waiting {
  readonly events: PartEvent[];
  ended: boolean;
}

class AnthropicStreamEncoder implements StreamEncoder {
  readonly #context: AnswerContext;
  #started = false;
  #done = false;
  /** Of the block opened last. */
  #index = -1;
  #open: { readonly part: number; readonly kind: BlockKind } | undefined;
  /** In the order of appearance. */
  readonly #waiting = new Map<number, Waiting>();
  #waitingCharacters = 0;
  #calls: "with tool calls" | "without tool calls" = "without tool calls";
  #finish: Extract<ChatEvent, { kind: "finish" }> | undefined;
  #usage: Usage = NO_USAGE;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  encode(event: ChatEvent): string {
    if (this.#done) return "";
    switch (event.kind) {
      case "start":
        return this.#start(event);
      case "ping":
        return 'event: ping\ndata: {"type":"ping"}\n\n';
      case "usage":
        this.#usage = event.usage;
        return "";
      case "finish": {
        if (event.choice !== 0) return "";
        this.#finish = event;
        // no part goes on after this
        return this.#closeAll();
      }
      case "extra":
        return "";
      case "error":
        this.#done = true;
        return encodeStreamError({ ...event, code: event.code ?? null, param: null }, this.#context.requestId);
      case "end":
        return this.#end();
      default:
        if (event.choice !== 0) return "";
        return this.#ensureStarted() + this.#part(event);
    }
  }

  #ensureStarted(): string {
    return this.#started ? "" : this.#start({ kind: "start", id: "", model: "", created: 0 });
  }

  #start(event: Extract<ChatEvent, { kind: "start" }>): string {
    if (this.#started) return "";
    this.#started = true;
    if (event.usage !== undefined) this.#usage = event.usage;
    const message: JsonObject = {
      id: messageId(event.id, this.#context.requestId),
      type: "message",
      role: "assistant",
      model: this.#context.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: encodeUsage(this.#usage),
    };
    return sse("message_start", { type: "message_start", message: putBack(message, event.extra) });
  }

  /** Writes an event of a part, or lets it wait for the part that is open. */
  #part(event: PartEvent): string {
    const { part } = event;
    const waiting = this.#waiting.get(part);
    if (waiting !== undefined) {
      if (event.kind === "partEnd") waiting.ended = true;
      else this.#wait(waiting, event);
      return "";
    }
    const open = this.#open;
    if (event.kind === "partEnd") return open?.part === part ? this.#close() + this.#advance() : "";
    if (open !== undefined && open.part !== part && open.kind === "tool_use") {
      const fresh: Waiting = { events: [], ended: false };
      this.#waiting.set(part, fresh);
      this.#wait(fresh, event);
      return "";
    }
    return this.#write(event);
  }

  #wait(waiting: Waiting, event: PartEvent): void {
    waiting.events.push(event);
    this.#waitingCharacters += EVENT_CHARACTERS + ("text" in event ? event.text.length : 0);
    if (this.#waitingCharacters > MAX_WAITING_CHARACTERS) {
      throw new SluiceError(
        "upstream_invalid_answer",
        "The upstream interleaves tool calls that are too large to be put in a row; ask without parallel tool calls.",
      );
    }
  }

  /** Writes the parts that waited, up to one that still goes on. */
  #advance(): string {
    let text = "";
    for (const [part, waiting] of this.#waiting) {
      this.#waiting.delete(part);
      for (const event of waiting.events) text += this.#write(event);
      if (!waiting.ended && this.#open !== undefined) break;
      text += this.#close();
    }
    if (this.#waiting.size === 0) this.#waitingCharacters = 0;
    return text;
  }

  #closeAll(): string {
    let text = this.#close();
    for (const waiting of this.#waiting.values()) waiting.ended = true;
    text += this.#advance();
    return text;
  }

  #write(event: PartEvent): string {
    switch (event.kind) {
      case "text":
      case "refusal":
        if (event.text === "") return "";
        return this.#block(event.part, "text", EMPTY_TEXT) + this.#delta("text_delta", "text", event.text);
      case "reasoning":
        if (event.text === "") return "";
        return (
          this.#block(event.part, "thinking", EMPTY_THINKING) + this.#delta("thinking_delta", "thinking", event.text)
        );
      case "signature":
        return (
          this.#block(event.part, "thinking", EMPTY_THINKING) +
          this.#delta("signature_delta", "signature", event.signature)
        );
      case "redactedReasoning":
        return this.#block(event.part, "opaque", { type: "redacted_thinking", data: event.data });
      case "citation":
        if (!isOwnCitation(event.citation)) return "";
        return (
          this.#block(event.part, "text", EMPTY_TEXT) +
          this.#rawDelta({ type: "citations_delta", citation: event.citation })
        );
      case "toolCallStart": {
        this.#calls = "with tool calls";
        const block: JsonObject = { type: "tool_use", id: event.id, name: event.name, input: {} };
        return this.#block(event.part, "tool_use", putBack(block, event.extra));
      }
      case "toolCallArguments":
        // arguments of a call that was never opened have nowhere to go
        if (this.#open?.kind !== "tool_use" || event.text === "") return "";
        return this.#delta("input_json_delta", "partial_json", event.text);
      case "opaque":
        return event.dialect === "anthropic" ? this.#opaque(event.part, event.value) : "";
      case "partEnd":
        return "";
    }
  }

  /** A block or a delta that only Anthropic knows. */
  #opaque(part: number, value: JsonObject): string {
    if (value["type"] === "content_block_delta") {
      return this.#open?.part === part && isObject(value["delta"]) ? this.#rawDelta(value["delta"]) : "";
    }
    const { input } = value;
    if (!isObject(input) || Object.keys(input).length === 0) return this.#block(part, "opaque", value);
    // as the vendor streams its own tools' input
    return (
      this.#block(part, "opaque", { ...value, input: {} }) +
      this.#delta("input_json_delta", "partial_json", JSON.stringify(input))
    );
  }

  /** Makes sure that the part's block is the open one; "" if it is already. */
  #block(part: number, kind: BlockKind, start: JsonObject): string {
    if (this.#open?.part === part && this.#open.kind === kind) return "";
    const closed = this.#close();
    this.#open = { part, kind };
    this.#index++;
    const event = { type: "content_block_start", index: this.#index, content_block: start };
    return closed + sse("content_block_start", event);
  }

  #close(): string {
    if (this.#open === undefined) return "";
    this.#open = undefined;
    return `event: content_block_stop\ndata: {"type":"content_block_stop","index":${this.#index}}\n\n`;
  }

  #delta(type: string, key: string, text: string): string {
    return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${this.#index},"delta":{"type":"${type}","${key}":${JSON.stringify(text)}}}\n\n`;
  }

  #rawDelta(delta: JsonObject): string {
    return sse("content_block_delta", { type: "content_block_delta", index: this.#index, delta });
  }

  #end(): string {
    const closed = this.#ensureStarted() + this.#closeAll();
    this.#done = true;
    const finish = this.#finish;
    const delta: JsonObject = {
      stop_reason: stopReasonOf(finish?.finishReason ?? "stop", this.#calls),
      stop_sequence: finish?.stopSequence ?? null,
    };
    const event: JsonObject = { type: "message_delta", delta, usage: encodeUsage(this.#usage) };
    for (const [key, value] of Object.entries(putBack({}, finish?.extra))) {
      if (MESSAGE_DELTA_MEMBERS.has(key)) event[key] = value;
      else if (delta[key] === undefined || key === "stop_reason") delta[key] = value;
    }
    return `${closed}${sse("message_delta", event)}event: message_stop\ndata: {"type":"message_stop"}\n\n`;
  }
}

const EMPTY_TEXT: JsonObject = { type: "text", text: "" };
const EMPTY_THINKING: JsonObject = { type: "thinking", thinking: "", signature: "" };

function sse(event: string, data: JsonObject): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Makes the encoder of one stream; its `encode` throws SluiceError `upstream_invalid_answer` at the limit. */
export function createStreamEncoder(context: AnswerContext): StreamEncoder {
  return new AnthropicStreamEncoder(context);
}
