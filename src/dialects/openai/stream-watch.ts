/**
 * Watches a stream of this dialect whose bytes pass through. Three speeds: an event that is like the ones before it
 * is compared (EventTemplate); another one is searched for the members that could matter; only the first ones, until
 * there is content, and those that do matter are parsed.
 */
import type { JsonObject, JsonValue } from "../../lib/json.ts";
import { parseSseEvent } from "../../lib/sse.ts";
import { type StreamWatch, type UpstreamError, WATCH } from "../contract.ts";
import { readUpstreamError } from "../upstream-error.ts";
import type { Usage } from "../form.ts";
import { streamErrorOf } from "./errors.ts";
import { EventTemplate } from "./event-template.ts";
import { isObject } from "./fields.ts";
import { decodeUsage } from "./usage.ts";
import { parseJson } from "../../lib/json-parse.ts";

const DONE = "[DONE]";
const BAD_GATEWAY = 502;
/** Templates that a stream may try in vain before its events are held to be all different. */
const LEARNING_BUDGET = 8;
const MAX_TEMPLATES = 4;
/** Candidates that are told apart; the ends of further ones are not waited for. */
const MAX_CHOICES = 30;

/** Strings that a reader waits for. */
const CONTENT = /"(?:content|reasoning_content|reasoning|text|arguments|refusal|input|name|data)": ?"(?!")/;
const ZERO = 48;
const NINE = 57;
const COLON = 58;

/** One object a stream. */
export class OpenaiStreamWatch implements StreamWatch {
  usage: Usage | undefined;
  error: UpstreamError | undefined;
  contentEvents = 0;
  /** Newest last: text and reasoning, or several candidates, may alternate. */
  readonly #templates: EventTemplate[] = [];
  #budget = LEARNING_BUDGET;
  /** Bits of the candidates that have begun, and that have ended. */
  #begun = 0;
  #ended = 0;

  event(buffer: Buffer, start: number, end: number): number {
    const templates = this.#templates;
    for (let index = templates.length - 1; index >= 0; index--) {
      if (!templates[index]!.matches(buffer, start, end)) continue;
      this.contentEvents++;
      this.#budget = LEARNING_BUDGET;
      return WATCH.content;
    }
    // a blank line between events, or a comment and nothing else
    if (end - start <= 2) return 0;
    const text = buffer.toString("latin1", start, end);
    if (text.charCodeAt(0) === COLON && !/[\r\n]data/.test(text)) return 0;
    if (this.contentEvents === 0 || matters(text)) return this.#parsed(buffer, start, end, text);
    if (!CONTENT.test(text)) return 0;
    this.contentEvents++;
    this.#learn(buffer, start, end, text);
    return WATCH.content;
  }

  #learn(buffer: Buffer, start: number, end: number, text: string): void {
    if (this.#budget === 0) return;
    this.#budget--;
    const template = EventTemplate.of(buffer, start, end, text);
    if (template === undefined) return;
    if (this.#templates.length === MAX_TEMPLATES) this.#templates.shift();
    this.#templates.push(template);
  }

  #parsed(buffer: Buffer, start: number, end: number, text: string): number {
    const { event, data } = parseSseEvent(buffer, start, end);
    if (data === "") return 0;
    // an end and nothing before it is no answer
    if (data.trim() === DONE) return this.#begun === 0 ? 0 : WATCH.complete | WATCH.end;
    const chunk = parse(data);
    if (!isObject(chunk)) return event === "error" ? this.#failed(data) : 0;
    const error = streamErrorOf(event, chunk);
    if (error !== undefined) {
      this.error = error;
      return WATCH.error;
    }
    const mask = this.#choices(chunk) | this.#usageOf(chunk);
    // of a tool call's or a later candidate's pieces the next ones will be like this one
    if (mask === WATCH.content && this.contentEvents > 1) this.#learn(buffer, start, end, text);
    return mask;
  }

  /** An error event of a server or proxy that says it in plain text. */
  #failed(text: string): number {
    this.error = readUpstreamError(BAD_GATEWAY, Buffer.from(text));
    return WATCH.error;
  }

  #usageOf(chunk: JsonObject): number {
    const usage = decodeUsage(chunk["usage"]);
    if (usage === undefined) return 0;
    this.usage = usage;
    const { choices } = chunk;
    const alone = !Array.isArray(choices) || choices.length === 0;
    return alone ? WATCH.usage | WATCH.usageOnly : WATCH.usage;
  }

  #choices({ choices }: JsonObject): number {
    if (!Array.isArray(choices)) return 0;
    let mask = 0;
    for (const choice of choices) {
      if (!isObject(choice)) continue;
      const bit = bitOf(choice["index"]);
      this.#begun |= bit;
      if (saysSomething(choice)) mask = WATCH.content;
      const finish = choice["finish_reason"];
      if (typeof finish === "string" && finish !== "") this.#ended |= bit;
    }
    if (mask !== 0) this.contentEvents++;
    // without [DONE], the last candidate's end has to do
    if (this.#ended !== 0 && this.#ended === this.#begun) mask |= WATCH.complete;
    return mask;
  }
}

function bitOf(index: JsonValue | undefined): number {
  return typeof index === "number" && index > 0 && index < MAX_CHOICES ? 1 << index : 1;
}

/** A delta (or the text of a plain completion) with more than the role in it. */
function saysSomething(choice: JsonObject): boolean {
  const delta = choice["delta"] ?? choice["message"];
  if (!isObject(delta)) return typeof choice["text"] === "string" && choice["text"] !== "";
  for (const key in delta) if (key !== "role" && !isEmpty(delta[key])) return true;
  return false;
}

function isEmpty(value: JsonValue | undefined): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/**
 * True if the event must be parsed. A key's closing quote followed by a colon cannot stand in a string, where the
 * quote would follow a backslash.
 */
function matters(text: string): boolean {
  return (
    isSet(text, '"usage"') ||
    isSet(text, '"finish_reason"') ||
    mentionsError(text) ||
    namesLaterChoice(text) ||
    !isOneJsonLine(text)
  );
}

/** True if there is a member of that name (quotes included) that is neither null nor "". */
function isSet(text: string, key: string): boolean {
  for (let found = text.indexOf(key); found !== -1; found = text.indexOf(key, found + key.length)) {
    let at = found + key.length;
    if (text[at] === " ") at++;
    if (text[at] !== ":") continue;
    at++;
    if (text[at] === " ") at++;
    if (text[at] !== "n" && !(text[at] === '"' && text[at + 1] === '"')) return true;
  }
  return false;
}

/** A candidate other than the first, or the second tool call and so on: which of them, parsing tells. */
function namesLaterChoice(text: string): boolean {
  const key = '"index":';
  for (let found = text.indexOf(key); found !== -1; found = text.indexOf(key, found + key.length)) {
    const at = found + key.length;
    const digit = text.charCodeAt(text[at] === " " ? at + 1 : at);
    if (digit > ZERO && digit <= NINE) return true;
  }
  return false;
}

/** A member `error`, an `object` or an `event` of that name. */
function mentionsError(text: string): boolean {
  if (!text.includes("error")) return false;
  return isSet(text, '"error"') || /"object": ?"error"/.test(text) || /^event: ?error/m.test(text);
}

/** One `data` line with an object: neither `[DONE]`, nor data in several lines. */
function isOneJsonLine(text: string): boolean {
  const at = text.startsWith("data:") ? 0 : text.search(/(?<=[\r\n])data:/);
  if (at === -1) return false;
  const from = text.charCodeAt(at + 5) === 32 ? at + 6 : at + 5;
  return text[from] === "{" && !text.includes("\ndata", from) && !text.includes("\rdata", from);
}

function parse(data: string): JsonValue | undefined {
  try {
    return parseJson(data);
  } catch {
    return undefined;
  }
}
