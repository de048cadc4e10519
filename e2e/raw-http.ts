/** HTTP/1.1 as bytes: for what no well-behaved client sends, and to see what exactly comes back. */
import { assertNoSecrets, rawRequest, type RunningGateway } from "./harness.ts";

/** One answer as it was on the wire. */
export interface WireAnswer {
  readonly status: number;
  /** Names in lower case; of several with one name the last. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A chat request's body. */
export function chatBody(model: string, content = "hi", more: object = {}): string {
  return JSON.stringify({ model, messages: [{ role: "user", content }], ...more });
}

/** A whole request with a body and its length; headers as `name: value` lines. */
export function post(path: string, headers: readonly string[], body: string): string {
  const lines = ["host: localhost", "content-type: application/json", `content-length: ${Buffer.byteLength(body)}`];
  return `POST ${path} HTTP/1.1\r\n${[...lines, ...headers].join("\r\n")}\r\n\r\n${body}`;
}

/** A request without a body. */
export function get(path: string, headers: readonly string[] = [], method = "GET"): string {
  return `${method} ${path} HTTP/1.1\r\n${["host: localhost", ...headers].join("\r\n")}\r\n\r\n`;
}

/** What comes back until the gateway closes the connection. `end` says how it ended. */
export async function exchange(
  gateway: RunningGateway,
  bytes: string | Buffer,
  timeoutMs?: number,
): Promise<{ readonly answers: WireAnswer[]; readonly end: string; readonly ms: number; readonly text: string }> {
  const { text, end, ms } = await rawRequest(gateway.port, bytes, timeoutMs);
  assertNoSecrets("an answer", text);
  return { answers: parseAnswers(text), end, ms, text };
}

/** Reads answers one after the other; a body that is not whole is given as far as it came. */
export function parseAnswers(text: string): WireAnswer[] {
  const answers: WireAnswer[] = [];
  for (let at = 0; at < text.length;) {
    const headEnd = text.indexOf("\r\n\r\n", at);
    const head = text.slice(at, headEnd < 0 ? undefined : headEnd).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head[0] ?? "")?.[1] ?? Number.NaN);
    if (Number.isNaN(status) || headEnd < 0) throw new Error(`this is no answer: ${JSON.stringify(text.slice(at))}`);
    const headers = new Map(head.slice(1).map((line): [string, string] => splitHeader(line)));
    const bodyStart = headEnd + 4;
    const [body, end] =
      headers.get("transfer-encoding") === "chunked"
        ? readChunks(text, bodyStart)
        : readLength(text, bodyStart, Number(headers.get("content-length") ?? text.length));
    answers.push({ status, headers, body });
    at = end;
  }
  return answers;
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

function readLength(text: string, start: number, length: number): [string, number] {
  return [text.slice(start, start + length), start + length];
}

function readChunks(text: string, start: number): [string, number] {
  let body = "";
  for (let at = start; ;) {
    const lineEnd = text.indexOf("\r\n", at);
    const size = lineEnd < 0 ? Number.NaN : Number.parseInt(text.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) return [body, text.length];
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
    if (size === 0) return [body, at];
  }
}

/** The code of an error in either dialect's shape. */
export function errorCode(body: string): string {
  const { error } = JSON.parse(body) as { error?: { code?: string; details?: { error_code?: string } } };
  return error?.code ?? error?.details?.error_code ?? "";
}
