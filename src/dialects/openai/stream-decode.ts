/** A provider's stream of `chat.completion.chunk`s, from the wire to events. */
import { SluiceError } from "../../lib/errors.ts";
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import type { StreamDecoder } from "../contract.ts";
import type { ChatEvent } from "../form.ts";
import { ChoiceDecoder } from "./choice-decode.ts";
import { streamErrorOf } from "./errors.ts";
import { isObject } from "./fields.ts";
import { decodeUsage } from "./usage.ts";
import { parseJson } from "../../lib/json-parse.ts";

/** Members of a chunk that the form has a place for; `obfuscation` is padding, which only its own bytes need. */
const CHUNK_KEYS: ReadonlySet<string> = new Set([
  "id",
  "object",
  "created",
  "model",
  "choices",
  "usage",
  "obfuscation",
]);
const DONE = "[DONE]";

/** One object a stream. */
export class OpenaiStreamDecoder implements StreamDecoder {
  readonly #choices = new Map<number, ChoiceDecoder>();
  #started = false;
  #done = false;
  #failed = false;
  /** What chunks have said of the whole answer so far. */
  #fields: JsonObject = {};

  get complete(): boolean {
    if (this.#failed || this.#choices.size === 0) return false;
    if (this.#done) return true;
    for (const choice of this.#choices.values()) if (!choice.finished) return false;
    return true;
  }

  decode(event: string, data: string, out: ChatEvent[]): void {
    if (this.#done || data === "") return;
    if (data === DONE || data.trim() === DONE) {
      this.#end(out);
      return;
    }
    const chunk = parse(data);
    const error = streamErrorOf(event, chunk);
    if (error !== undefined) {
      this.#failed = true;
      const { status, type, message, code } = error;
      out.push({ kind: "error", status, type, message, ...(code === null ? {} : { code }) });
      return;
    }
    const { choices } = chunk;
    const list = Array.isArray(choices) ? choices.filter(isObject) : [];
    this.#pushHead(chunk, list.length > 0, out);
    for (const choice of list) this.#choiceOf(choice).push(choice, out);
    const usage = decodeUsage(chunk["usage"]);
    if (usage !== undefined) out.push({ kind: "usage", usage });
  }

  #choiceOf(choice: JsonObject): ChoiceDecoder {
    const index = indexOf(choice);
    let decoder = this.#choices.get(index);
    if (decoder === undefined) {
      decoder = new ChoiceDecoder(index);
      this.#choices.set(index, decoder);
    }
    return decoder;
  }

  /** What a chunk says of the whole answer: at the start, and whatever is new later on. */
  #pushHead(chunk: JsonObject, hasChoices: boolean, out: ChatEvent[]): void {
    let fresh: JsonObject | undefined;
    for (const key in chunk) {
      const value = chunk[key];
      if (value === undefined || value === null || CHUNK_KEYS.has(key) || this.#fields[key] !== undefined) continue;
      fresh ??= {};
      fresh[key] = value;
      this.#fields[key] = value;
    }
    if (this.#started) {
      if (fresh !== undefined) {
        out.push({ kind: "extra", choice: 0, extra: { dialect: "openai", fields: { chunk: fresh } } });
      }
      return;
    }
    const { id, model, created } = chunk;
    // Azure speaks of its filters before there is an answer to name
    if (!hasChoices && (id === "" || id === undefined)) return;
    this.#started = true;
    out.push({
      kind: "start",
      id: typeof id === "string" ? id : "",
      model: typeof model === "string" ? model : "",
      created: typeof created === "number" ? created : 0,
      extra: { dialect: "openai", fields: { ...this.#fields } },
    });
  }

  #end(out: ChatEvent[]): void {
    this.#done = true;
    for (const choice of this.#choices.values()) choice.end(out);
    out.push({ kind: "end" });
  }
}

/** No vendor gives more candidates. */
const MAX_CHOICES = 128;

function indexOf({ index }: JsonObject): number {
  return typeof index === "number" && Number.isInteger(index) && index >= 0 && index < MAX_CHOICES ? index : 0;
}

function parse(data: string): JsonObject {
  let value: JsonValue;
  try {
    value = parseJson(data);
  } catch (cause) {
    throw new SluiceError("upstream_invalid_answer", "The provider's stream holds an event that is not JSON.", {
      cause,
    });
  }
  if (!isObject(value)) {
    throw new SluiceError("upstream_invalid_answer", "The provider's stream holds an event that is not an object.");
  }
  return value;
}
