/** Faults that the simulator can commit on purpose: their names, how they are written, and which request gets which. */

/** Every fault and what it does. `N` counts output tokens, `MS` milliseconds; a default stands in brackets. */
export const FAULTS = {
  status: "an error answer with this HTTP status in the vendor's shape (status:429,retry-after=2)",
  "context-overflow":
    "400 for a prompt that is too long, in the words of openai or vllm [openai], or of Anthropic on its API",
  redirect: "a redirect with this status [307] to another path of the simulator",
  close: "closes the connection without a byte of answer",
  reset: "resets the connection without a byte of answer",
  "hang-head": "reads the request and never answers",
  "hang-token": "sends the head of the answer, then nothing",
  "hang-body": "stops after N tokens [2] and keeps the connection open",
  "slow-head": "waits MS [1000] before the head",
  "slow-token": "waits MS [1000] between head and first token",
  "reset-head": "resets the connection in the middle of the head",
  "reset-token": "resets the connection after the head, before the first token",
  "reset-body": "resets the connection after N tokens [2] or in the middle of a JSON body",
  "close-body": "closes the connection after N tokens [2] or in the middle of a JSON body",
  garbage: "sends bytes that are not HTTP",
  html: "sends an HTML page with this status [200]",
  "not-json": "sends 200 application/json with a body that is not JSON",
  empty: "sends 200 with an empty body",
  "truncated-event": "ends cleanly in the middle of an event after N tokens [2], or of a JSON body",
  "length-long": "announces a longer content-length than it sends, then closes",
  "length-short": "announces a shorter content-length than it sends",
  "error-200": "sends an error body with status 200",
  "error-event": "sends an error event after N tokens [2] of a stream and ends",
  "no-done": "ends a stream cleanly without [DONE] or message_stop",
  "no-finish": "ends a stream cleanly after N tokens [2]: no finish, no usage, no end",
  gzip: "compresses the answer though nobody asked for it",
  trickle: "sends the body byte by byte, one each MS [1]",
  split: "writes a stream in pieces of N bytes [1], wherever events begin",
  crlf: "ends the lines of a stream with CRLF",
  "until-close": "sends no framing: the body ends where the connection ends",
  pace: "sends one token each MS [250], whatever the engine's speed",
  "ignore-abort": "goes on working and writing after the client has left",
} as const;

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS;

/** A fault to commit. */
export interface Fault {
  readonly name: FaultName;
  /** What stands after the colon; "" for the default. */
  readonly value: string;
  /** Seconds of a `retry-after` header, exactly as sent. */
  readonly retryAfter?: string;
}

/** A fault and the requests it is for. */
export interface FaultRule {
  readonly fault: Fault;
  /** The first so many requests only. */
  readonly times?: number;
  /** Every so manyeth request only. */
  readonly every?: number;
  /** Only requests with this API key, for this model, of this path. */
  readonly key?: string;
  readonly model?: string;
  readonly path?: string;
}

/** What a rule is compared with. */
export interface FaultSubject {
  readonly key: string;
  readonly model: string;
  readonly path: string;
}

/** A fault written wrongly; the message names the remedy. */
export class FaultSyntaxError extends Error {
  override readonly name = "FaultSyntaxError";
}

/**
 * Reads `name[:value][,option=value…]`, options being retry-after, times, every, key, model and path.
 * @throws FaultSyntaxError
 */
export function parseFaultRule(text: string): FaultRule {
  const [head = "", ...rest] = text.split(",");
  const colon = head.indexOf(":");
  const name = (colon < 0 ? head : head.slice(0, colon)).trim();
  if (!isFaultName(name)) {
    throw new FaultSyntaxError(`no fault "${name}"; there are ${Object.keys(FAULTS).join(", ")}`);
  }
  const value = colon < 0 ? "" : head.slice(colon + 1).trim();
  const options = new Map(rest.map(readOption));
  const retryAfter = options.get("retry-after");
  return {
    fault: { name, value, ...(retryAfter === undefined ? {} : { retryAfter }) },
    ...numberOption(options, "times"),
    ...numberOption(options, "every"),
    ...textOption(options, "key"),
    ...textOption(options, "model"),
    ...textOption(options, "path"),
  };
}

/** The number after a fault's colon. */
export function faultNumber(fault: Fault, fallback: number): number {
  const number = Number(fault.value);
  return fault.value === "" || !Number.isFinite(number) ? fallback : number;
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name);
}

const OPTIONS = ["retry-after", "times", "every", "key", "model", "path"];

function readOption(text: string): [string, string] {
  const equals = text.indexOf("=");
  const name = text.slice(0, Math.max(equals, 0)).trim();
  if (!OPTIONS.includes(name)) {
    throw new FaultSyntaxError(`no fault option "${text}"; there are ${OPTIONS.join(", ")}, each with =value`);
  }
  return [name, text.slice(equals + 1).trim()];
}

function numberOption(options: Map<string, string>, name: "times" | "every"): Partial<FaultRule> {
  const text = options.get(name);
  if (text === undefined) return {};
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new FaultSyntaxError(`${name}=${text}: must be a whole number from 1`);
  }
  return { [name]: number };
}

function textOption(options: Map<string, string>, name: "key" | "model" | "path"): Partial<FaultRule> {
  const text = options.get(name);
  return text === undefined ? {} : { [name]: text };
}

/** The rules in force. The first that fits a request decides. */
export class FaultRules {
  #rules: { readonly rule: FaultRule; seen: number; used: number }[] = [];

  set(rules: readonly FaultRule[]): void {
    this.#rules = rules.map((rule) => ({ rule, seen: 0, used: 0 }));
  }

  /** The fault that this request gets; counts it as used. */
  take(subject: FaultSubject): Fault | undefined {
    for (const entry of this.#rules) {
      const { rule } = entry;
      if (rule.key !== undefined && rule.key !== subject.key) continue;
      if (rule.model !== undefined && rule.model !== subject.model) continue;
      if (rule.path !== undefined && rule.path !== subject.path) continue;
      if (rule.times !== undefined && entry.used >= rule.times) continue;
      entry.seen += 1;
      if (rule.every !== undefined && entry.seen % rule.every !== 0) continue;
      entry.used += 1;
      return rule.fault;
    }
    return undefined;
  }
}
