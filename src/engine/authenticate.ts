/**
 * Who calls: the API key in the request's header, looked up in the directory by its SHA-256. Unknown keys cost the same
 * as known ones: one hash and one look-up, whatever was sent.
 */
import { hash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { SluiceError } from "../lib/errors.ts";
import type { CompiledDomain } from "./engine.ts";
import type { Caller } from "./exchange.ts";
import type { Services } from "./services.ts";

/** Longer than any key: what is longer is not looked at. */
const MAX_KEY_LENGTH = 512;

/** The key that a request carries, in any of the headers that vendors' SDKs use; undefined if there is none. */
export function apiKeyOf(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers;
  if (authorization !== undefined && /^bearer /i.test(authorization)) {
    return authorization.slice(7).trim();
  }
  const other = headers["x-api-key"] ?? headers["api-key"] ?? headers["x-goog-api-key"];
  return typeof other === "string" ? other : undefined;
}

/** @throws SluiceError 401 `missing_api_key`, `invalid_api_key` or `expired_api_key` */
export function authenticate(headers: IncomingHttpHeaders, domain: CompiledDomain, services: Services): Caller {
  const key = apiKeyOf(headers);
  if (key === undefined || key === "") {
    throw new SluiceError(
      "missing_api_key",
      "No API key was sent. Send it as `Authorization: Bearer sk-sluice-…` (or `x-api-key`).",
    );
  }
  const { directory } = services;
  const record = key.length > MAX_KEY_LENGTH ? -1 : directory.lookupLatin1(hash("sha256", key, "latin1"));
  const consumerId = record < 0 ? 0 : directory.consumer(record);
  if (record < 0 || domain.consumerIds?.has(consumerId) === false) {
    throw new SluiceError(
      "invalid_api_key",
      "The API key is not known here. Check it, or ask your platform team for one.",
    );
  }
  const expiresAt = directory.expiresAt(record);
  if (expiresAt !== 0 && expiresAt <= Date.now()) {
    throw new SluiceError("expired_api_key", "The API key has expired. Ask your platform team for a new one.");
  }
  return { consumerId, keyId: directory.keyId(record), policy: services.policy(directory.policy(record)) };
}
