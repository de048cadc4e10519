/** What of an upstream's error text may be shown to a client: no address inside the company, no credential of ours. */
import { redact } from "../lib/redact.ts";
import type { UpstreamError } from "../dialects/contract.ts";
import type { Endpoint } from "./engine.ts";

const SECRET = "[key]";

/** The text holds nothing that must stay inside. */
export function isShowable(text: string, endpoint: Endpoint): boolean {
  return redact(text) === text && (endpoint.apiKey === "" || !text.includes(endpoint.apiKey));
}

/** The error without the endpoint's credential; dialects have taken addresses and what looks like a key out already. */
export function withoutCredential(error: UpstreamError, endpoint: Endpoint): UpstreamError {
  if (endpoint.apiKey === "" || !error.message.includes(endpoint.apiKey)) {
    return error;
  }
  return { ...error, message: error.message.replaceAll(endpoint.apiKey, SECRET) };
}
