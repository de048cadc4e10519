/** The head of a request as HTTP/1.1 has it (RFC 9112). */
import { isHeaderValue } from "../../lib/http1/headers.ts";
import type { UpstreamRequest } from "../origin.ts";

const fixedHeaderTexts = new WeakMap<readonly string[], string>();

/** Request line and headers. @throws TypeError if a header or the path holds what would break out of its line */
export function requestHead(request: UpstreamRequest, host: string): string {
  const { method, path, fixedHeaders, headers, body } = request;
  let fixed = fixedHeaderTexts.get(fixedHeaders);
  if (fixed === undefined) {
    fixed = headerText(fixedHeaders);
    fixedHeaderTexts.set(fixedHeaders, fixed);
  }
  if (!isHeaderValue(path)) {
    throw new TypeError("the path holds characters that HTTP does not allow");
  }
  const start = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  return `${start}${fixed}${headerText(headers)}content-length: ${body?.length ?? 0}\r\n\r\n`;
}

function headerText(headers: readonly string[]): string {
  let text = "";
  for (let index = 0; index < headers.length; index += 2) {
    const value = headers[index + 1]!;
    if (!isHeaderValue(value)) {
      throw new TypeError(`the header ${headers[index]} holds characters that HTTP does not allow`);
    }
    text += `${headers[index]}: ${value}\r\n`;
  }
  return text;
}
