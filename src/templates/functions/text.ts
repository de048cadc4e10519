/** Text functions. As in sprig the text comes last, so that a pipeline can bring it: `.name | replace "a" "b"`. */
import type { Meter } from "../meter.ts";
import { firstCharacters, printValue } from "../printer.ts";
import { quote } from "../quoting.ts";
import { CallError } from "../template-error.ts";
import type { FunctionTable, TemplateFunction } from "../template-function.ts";
import { asNumber, kindOf, typeName } from "../values.ts";
import type { Value } from "../values.ts";

/** Counts tokens of a text, about. */
export type TokenEstimator = (text: string) => number;

/** White space as Go's strings.TrimSpace knows it. */
const SPACE =
  /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g;

function ofText(change: (text: string) => string): TemplateFunction {
  return {
    parameters: ["string"],
    call: ([text], meter) => {
      meter.text((text as string).length);
      return change(text as string);
    },
  };
}

function asksText(ask: (text: string, part: string) => boolean): TemplateFunction {
  return {
    parameters: ["string", "string"],
    call: ([part, text], meter) => {
      meter.read((text as string).length);
      return ask(text as string, part as string);
    },
  };
}

function replace([old, replacement, text]: readonly Value[], meter: Meter): Value {
  const parts = cut(text as string, old as string, meter);
  const length =
    (text as string).length + (parts.length - 1) * ((replacement as string).length - (old as string).length);
  meter.text(length);
  return parts.join(replacement as string);
}

/** Cuts a text; without a separator, into characters. */
function cut(text: string, separator: string, meter: Meter): string[] {
  meter.read(text.length);
  // a part is a step: no more of them are made than there are steps left
  const parts = separator === "" ? Array.from(text) : text.split(separator, meter.stepsLeft + 1);
  meter.steps(parts.length);
  return parts;
}

function join([separator, list]: readonly Value[], meter: Meter): Value {
  const texts = textsOf(list, meter);
  let length = 0;
  for (const text of texts) length += text.length + (separator as string).length;
  meter.text(length);
  return texts.join(separator as string);
}

/** The elements of a list as texts, nil left out; what is no list is its own only element. */
function textsOf(list: Value, meter: Meter): string[] {
  if (kindOf(list) === "invalid") return [];
  if (kindOf(list) !== "list") return [printValue(list, meter)];
  const values = list as readonly Value[];
  meter.steps(values.length);
  return values.filter((value) => value !== null && value !== undefined).map((value) => printValue(value, meter));
}

/** The first `count` characters; with a negative count, the last ones. */
function truncate([count, text]: readonly Value[], meter: Meter): Value {
  meter.read((text as string).length);
  const wanted = asNumber(count);
  if (wanted >= 0) return firstCharacters(text as string, wanted);
  return Array.from(text as string)
    .slice(wanted)
    .join("");
}

function truncateTokens(estimate: TokenEstimator): TemplateFunction {
  return {
    parameters: ["int", "string"],
    call: ([count, text], meter) => {
      const whole = text as string;
      const wanted = asNumber(count);
      const fits = (length: number) => {
        meter.read(length * 2);
        return estimate(whole.slice(0, length)) <= wanted;
      };
      if (wanted < 0) throw new CallError(`cannot cut to ${wanted} tokens`);
      if (fits(whole.length)) return whole;
      let shortest = 0;
      let longest = whole.length;
      while (longest - shortest > 1) {
        const middle = (shortest + longest) >> 1;
        if (fits(middle)) shortest = middle;
        else longest = middle;
      }
      return withoutHalf(whole.slice(0, shortest));
    },
  };
}

/** Drops half a character at the end. */
function withoutHalf(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last < 0xdc00 ? text.slice(0, -1) : text;
}

function quoteAll(args: readonly Value[], meter: Meter): Value {
  const quoted = args
    .filter((value) => value !== null && value !== undefined)
    .map((value) => {
      const text = printValue(value, meter);
      meter.text(text.length * 2);
      return quote(text);
    });
  return quoted.join(" ");
}

function indent([spaces, text]: readonly Value[], meter: Meter): Value {
  const count = asNumber(spaces);
  if (count < 0) throw new CallError(`cannot indent by ${count} spaces`);
  const lines = cut(text as string, "\n", meter);
  meter.text((text as string).length + lines.length * count);
  const margin = " ".repeat(count);
  return lines.map((line) => margin + line).join("\n");
}

function repeat([count, text]: readonly Value[], meter: Meter): Value {
  const times = asNumber(count);
  if (times < 0) throw new CallError(`cannot repeat a text ${times} times`);
  meter.text(times * (text as string).length);
  return (text as string).repeat(times);
}

function toText([value]: readonly Value[], meter: Meter): Value {
  return kindOf(value) === "invalid" ? "" : printValue(value, meter);
}

function fromBase64([text]: readonly Value[], meter: Meter): Value {
  meter.text((text as string).length);
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text as string)) {
    throw new CallError(`${typeName(text)} is not valid base64`);
  }
  return Buffer.from(text as string, "base64").toString();
}

/** The text functions; how tokens are counted is the caller's. */
export function textFunctions(estimateTokens: TokenEstimator): FunctionTable {
  const splitter: TemplateFunction = {
    parameters: ["string", "string"],
    call: ([separator, text], meter) => cut(text as string, separator as string, meter),
  };
  return new Map<string, TemplateFunction>([
    ["trim", ofText((text) => text.replace(SPACE, ""))],
    ["upper", ofText((text) => text.toUpperCase())],
    ["lower", ofText((text) => text.toLowerCase())],
    ["b64enc", ofText((text) => Buffer.from(text).toString("base64"))],
    ["b64dec", { parameters: ["string"], call: fromBase64 }],
    ["contains", asksText((text, part) => text.includes(part))],
    ["hasPrefix", asksText((text, part) => text.startsWith(part))],
    ["hasSuffix", asksText((text, part) => text.endsWith(part))],
    ["replace", { parameters: ["string", "string", "string"], call: replace }],
    ["split", splitter],
    ["splitList", splitter],
    ["join", { parameters: ["string", "any"], call: join }],
    ["truncate", { parameters: ["int", "string"], call: truncate }],
    ["trunc", { parameters: ["int", "string"], call: truncate }],
    ["truncateTokens", truncateTokens(estimateTokens)],
    ["quote", { parameters: [], rest: "any", call: quoteAll }],
    ["indent", { parameters: ["int", "string"], call: indent }],
    ["nindent", { parameters: ["int", "string"], call: (args, meter) => `\n${indent(args, meter) as string}` }],
    ["repeat", { parameters: ["int", "string"], call: repeat }],
    ["toString", { parameters: ["any"], call: toText }],
  ]);
}
