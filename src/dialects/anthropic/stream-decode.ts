/**
 * A streamed answer, from Anthropic's events to the form (platform.claude.com, "Streaming Messages").
 * Lenient: events may lack their `event:` line, blocks their start, and `[DONE]` may follow; event types that
 * are not known are ignored.
 */
import { SluiceError } from "../../lib/errors.ts";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { StreamDecoder } from "../contract.ts";
import { joinPieces } from "../fold.ts";
import type { ChatEvent } from "../form.ts";
import { inputOf, invalidAnswer, stringOr } from "./answer-decode.ts";
import { decodeStreamError } from "./errors.ts";
import { extraOf, isObject } from "./fields.ts";
import { finishReasonOf } from "./stop-reasons.ts";
import { decodeUsage, mergeUsage } from "./usage.ts";
import { parseJson } from "../../lib/json-parse.ts";

/** Blocks that only Anthropic knows are gathered whole before they go on; together they may hold this much. */
export const MAX_OPAQUE_CHARACTERS = 8_388_608;

const START_KEYS = new Set(["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"]);
const TOOL_USE_KEYS = new Set(["type", "id", "name", "input"]);
const DELTA_KEYS = new Set(["stop_reason", "stop_sequence"]);
const MESSAGE_DELTA_KEYS = new Set(["type", "delta", "usage"]);

/** An open block. */
interface Block {
  readonly kind: "known" | "opaque";
  /** Opaque: the block as far as it is known. A tool call: its start, with the input that some vendors put there. */
  value: JsonObject;
  /** Opaque: the JSON text of its input, in pieces. */
  input: string;
  /** A tool call whose arguments came as deltas. */
  hasDeltas: boolean;
}

class AnthropicStreamDecoder implements StreamDecoder {
  complete = false;
  #usage: JsonObject | undefined;
  #opaqueCharacters = 0;
  readonly #blocks = new Map<number, Block>();

  decode(event: string, data: string, out: ChatEvent[]): void {
    if (data === "" || data === "[DONE]") return;
    const value = parse(data);
    const type = typeof value["type"] === "string" ? value["type"] : event;
    switch (type) {
      case "content_block_delta":
        this.#blockDelta(value, data.length, out);
        return;
      case "content_block_start":
        this.#blockStart(value, data.length, out);
        return;
      case "content_block_stop":
        this.#blockStop(indexOf(value), out);
        return;
      case "message_start":
        this.#messageStart(value, out);
        return;
      case "message_delta":
        this.#messageDelta(value, out);
        return;
      case "message_stop":
        this.complete = true;
        out.push({ kind: "end" });
        return;
      case "ping":
        out.push({ kind: "ping" });
        return;
      default:
        if (type === "error" || isObject(value["error"])) pushError(value, out);
    }
  }

  #messageStart(value: JsonObject, out: ChatEvent[]): void {
    const { message } = value;
    if (!isObject(message)) throw invalidAnswer("message_start holds no message");
    const start: ChatEvent = {
      kind: "start",
      id: stringOr(message["id"], ""),
      model: stringOr(message["model"], ""),
      created: Math.floor(Date.now() / 1000),
    };
    const { usage } = message;
    if (isObject(usage)) {
      this.#usage = usage;
      start.usage = decodeUsage(usage);
    }
    const extra = extraOf(message, START_KEYS);
    if (extra !== undefined) start.extra = extra;
    out.push(start);
  }

  #blockStart(value: JsonObject, characters: number, out: ChatEvent[]): void {
    const part = indexOf(value);
    const block = value["content_block"];
    if (!isObject(block)) throw invalidAnswer("content_block_start holds no block");
    const text = (key: string): string => stringOr(block[key], "");
    let kind: Block["kind"] = "known";
    switch (block["type"]) {
      case "text":
        if (text("text") !== "") out.push({ kind: "text", choice: 0, part, text: text("text") });
        break;
      case "thinking":
        if (text("thinking") !== "") out.push({ kind: "reasoning", choice: 0, part, text: text("thinking") });
        if (text("signature") !== "") out.push({ kind: "signature", choice: 0, part, signature: text("signature") });
        break;
      case "redacted_thinking":
        out.push({ kind: "redactedReasoning", choice: 0, part, data: text("data") });
        break;
      case "tool_use": {
        const extra = extraOf(block, TOOL_USE_KEYS);
        const start: ChatEvent = { kind: "toolCallStart", choice: 0, part, id: text("id"), name: text("name") };
        out.push(extra === undefined ? start : { ...start, extra });
        break;
      }
      default:
        kind = "opaque";
        this.#countOpaque(characters);
    }
    this.#blocks.set(part, { kind, value: block, input: "", hasDeltas: false });
  }

  #blockDelta(value: JsonObject, characters: number, out: ChatEvent[]): void {
    const part = indexOf(value);
    const { delta } = value;
    if (!isObject(delta)) throw invalidAnswer("content_block_delta holds no delta");
    const block = this.#blocks.get(part);
    if (block?.kind === "opaque") {
      this.#countOpaque(characters);
      addToOpaque(block, delta);
      return;
    }
    const choice = 0;
    switch (delta["type"]) {
      // an empty delta shows nothing: it must not end the time in which a retry is invisible
      case "text_delta": {
        const text = stringOr(delta["text"], "");
        if (text !== "") out.push({ kind: "text", choice, part, text });
        return;
      }
      case "thinking_delta": {
        const text = stringOr(delta["thinking"], "");
        if (text !== "") out.push({ kind: "reasoning", choice, part, text });
        return;
      }
      case "signature_delta":
        out.push({ kind: "signature", choice, part, signature: stringOr(delta["signature"], "") });
        return;
      case "input_json_delta": {
        const text = stringOr(delta["partial_json"], "");
        if (text === "") return;
        if (block !== undefined) block.hasDeltas = true;
        out.push({ kind: "toolCallArguments", choice, part, text });
        return;
      }
      case "citations_delta":
        out.push({ kind: "citation", choice, part, citation: delta["citation"] ?? null });
        return;
      default:
        out.push({ kind: "opaque", choice, part, dialect: "anthropic", value: { type: "content_block_delta", delta } });
    }
  }

  #blockStop(part: number, out: ChatEvent[]): void {
    const block = this.#blocks.get(part);
    this.#blocks.delete(part);
    if (block?.kind === "opaque") {
      if (block.input !== "") block.value["input"] = inputOf(block.input);
      out.push({ kind: "opaque", choice: 0, part, dialect: "anthropic", value: block.value });
    } else if (block?.value["type"] === "tool_use" && !block.hasDeltas) {
      const input = inputOf(block.value["input"]);
      if (Object.keys(input).length > 0) {
        out.push({ kind: "toolCallArguments", choice: 0, part, text: JSON.stringify(input) });
      }
    }
    out.push({ kind: "partEnd", choice: 0, part });
  }

  #messageDelta(value: JsonObject, out: ChatEvent[]): void {
    const { delta, usage } = value;
    if (isObject(delta) && typeof delta["stop_reason"] === "string") {
      const reason = delta["stop_reason"];
      const known = finishReasonOf(reason);
      const finish: ChatEvent = { kind: "finish", choice: 0, finishReason: known ?? "stop" };
      if (typeof delta["stop_sequence"] === "string") finish.stopSequence = delta["stop_sequence"];
      const ofDelta = extraOf(delta, DELTA_KEYS);
      const fields: JsonObject = { ...ofDelta?.fields, ...extraOf(value, MESSAGE_DELTA_KEYS)?.fields };
      const hints: JsonObject = { ...ofDelta?.hints };
      if (known === undefined) fields["stop_reason"] = reason;
      if (Object.keys(fields).length + Object.keys(hints).length > 0) {
        finish.extra = { dialect: "anthropic", fields, hints };
      }
      out.push(finish);
      // nothing but message_stop can follow, which some vendors forget
      this.complete = true;
    }
    if (isObject(usage)) {
      this.#usage = mergeUsage(this.#usage, usage);
      out.push({ kind: "usage", usage: decodeUsage(this.#usage) });
    }
  }

  #countOpaque(characters: number): void {
    this.#opaqueCharacters += characters;
    if (this.#opaqueCharacters > MAX_OPAQUE_CHARACTERS) {
      throw new SluiceError(
        "upstream_invalid_answer",
        `The upstream's stream holds more than ${MAX_OPAQUE_CHARACTERS} characters of results of its own tools.`,
      );
    }
  }
}

/** Makes the decoder of one stream; its `decode` throws SluiceError `upstream_invalid_answer`. */
export function createStreamDecoder(): StreamDecoder {
  return new AnthropicStreamDecoder();
}

function parse(data: string): JsonObject {
  let value: unknown;
  try {
    value = parseJson(data);
  } catch (cause) {
    throw invalidAnswer("an event's data is not JSON", cause);
  }
  if (!isObject(value)) throw invalidAnswer("an event's data is not an object");
  return value;
}

function indexOf(value: JsonObject): number {
  const { index } = value;
  if (typeof index === "number" && Number.isInteger(index) && index >= 0) return index;
  throw invalidAnswer("a content block has no index");
}

function addToOpaque(block: Block, delta: JsonObject): void {
  if (delta["type"] === "input_json_delta") {
    block.input += stringOr(delta["partial_json"], "");
    return;
  }
  for (const [key, piece] of Object.entries(delta)) {
    if (key !== "type" && piece !== undefined) block.value[key] = joinPieces(block.value[key], piece);
  }
}

function pushError(value: JsonValue, out: ChatEvent[]): void {
  const error = decodeStreamError(value);
  if (error === undefined) throw invalidAnswer("it reports an error without saying which");
  const { status, type, message, code } = error;
  out.push({ kind: "error", status, type, message, ...(code === null ? {} : { code }) });
}
