/** Reading request headers. */
import type { IncomingHttpHeaders } from "node:http";

/** The text of a header that may have come several times. */
export function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(",") : value;
}

/** The API key of a request, however it was sent; "" if there is none. */
export function apiKeyOf(headers: IncomingHttpHeaders): string {
  const bearer = /^Bearer\s+(.*)$/i.exec(headers.authorization ?? "")?.[1];
  return bearer ?? headerText(headers["x-api-key"]) ?? headerText(headers["api-key"]) ?? "";
}
