/**
 * Takes addresses and secrets out of text that others wrote and that goes on to a client: it errs on the side of
 * taking out too much. Every pattern is linear in the text.
 */

const ADDRESS = "[address]";
const SECRET = "[key]";

/** Last labels that no public name has (RFC 6762, RFC 8375, and what clusters and companies use). */
const INTERNAL_LABEL = "local|localdomain|internal|intranet|corp|lan|svc|consul|private|arpa";

const URL_TEXT = /\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s"'<>()[\]{}\\]{1,500}/gi;
const PUBLIC_URL = /^https:\/\/(?:[a-z0-9-]+\.)+[a-z]{2,24}(?=[/.,;:?#!]|$)(?!:\d)/i;
const INTERNAL_NAME = new RegExp(
  `\\b(?:[a-z0-9_-]{1,63}\\.){1,20}(?:${INTERNAL_LABEL})(?:\\.[a-z0-9-]{1,63}){0,3}\\b(?::\\d{1,5})?`,
  "gi",
);
const IPV4 = /\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b/g;
const IPV6_BRACKETED = /\[[0-9a-f:.%]{2,60}:[0-9a-f:.%]{0,60}\](?::\d{1,5})?/gi;
const IPV6 =
  /(?<![\w:])(?:(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}:(?:[0-9a-f]{1,4}:){0,6}[0-9a-f]{1,4}|::(?:[0-9a-f]{1,4}:){0,6}[0-9a-f]{1,4})(?![\w:])/gi;
const LOCALHOST = /\blocalhost\b(?::\d{1,5})?/gi;
const NAME_AND_PORT = /\b[a-z][a-z0-9_.-]{0,120}[a-z0-9]:\d{4,5}\b/gi;
const HOST_FIELD = /\b(host(?:name)?\s?[=:]\s?)['"]?[\w.-]{1,200}(?::\d{1,5})?['"]?/gi;
const BEARER = /\bBearer\s+[^\s"',;]{6,}/gi;
const KEY = /\b(?:(?:sk|pk|rk|hf|gsk|xai|api|key)[-_][\w*.-]{7,}\w|AIza[\w-]{20,})/g;

/** `text` without addresses of machines inside the company and without anything that looks like an API key. */
export function redact(text: string): string {
  return text
    .replace(URL_TEXT, (url) => (PUBLIC_URL.test(url) && !isInternal(url) ? withoutQuery(url) : ADDRESS))
    .replace(HOST_FIELD, `$1${ADDRESS}`)
    .replace(IPV6_BRACKETED, ADDRESS)
    .replace(IPV6, ADDRESS)
    .replace(IPV4, ADDRESS)
    .replace(INTERNAL_NAME, ADDRESS)
    .replace(LOCALHOST, ADDRESS)
    .replace(NAME_AND_PORT, ADDRESS)
    .replace(BEARER, `Bearer ${SECRET}`)
    .replace(KEY, SECRET);
}

function isInternal(url: string): boolean {
  const host = url.slice("https://".length).split(/[/:?#]/, 1)[0] ?? "";
  INTERNAL_NAME.lastIndex = 0;
  return INTERNAL_NAME.test(host);
}

/** Queries carry keys (`?key=…`); the rest of a public URL tells the reader where to look. */
function withoutQuery(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}
