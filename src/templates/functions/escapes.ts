/** `html`, `js` and `urlquery` of text/template. */
import type { Meter } from "../meter.ts";
import { printAll } from "../printer.ts";
import { isPrintable } from "../quoting.ts";
import type { FunctionTable, TemplateFunction } from "../template-function.ts";
import type { Value } from "../values.ts";

const HTML: Readonly<Record<string, string>> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};
const JAVASCRIPT: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "'": "\\'",
  '"': '\\"',
  "<": "\\u003C",
  ">": "\\u003E",
  "&": "\\u0026",
  "=": "\\u003D",
};

function escapeHtml(text: string): string {
  // oxlint-disable-next-line no-control-regex -- NUL is one of what Go escapes
  return text.replace(/[\u0000"'&<>]/g, (character) => HTML[character]!);
}

function escapeJavaScript(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is escaped
  return text.replace(/[\\'"<>&=\u0000-\u001f]|[^\u0000-\u007f]/gu, (character) => {
    const known = JAVASCRIPT[character];
    if (known !== undefined) return known;
    const code = character.codePointAt(0)!;
    return isPrintable(code) ? character : `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
  });
}

function escapeQuery(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}

function escaper(escape: (text: string) => string): TemplateFunction {
  return {
    parameters: [],
    rest: "any",
    call: (args: readonly Value[], meter: Meter) => {
      const text = printAll(
        args.map((value) => value ?? "<no value>"),
        meter,
      );
      // an escape is at most nine times as long as its character
      meter.text(text.length);
      const escaped = escape(text);
      meter.text(escaped.length);
      return escaped;
    },
  };
}

/** The escaping functions of text/template. */
export const escapeFunctions: FunctionTable = new Map([
  ["html", escaper(escapeHtml)],
  ["js", escaper(escapeJavaScript)],
  ["urlquery", escaper(escapeQuery)],
]);
