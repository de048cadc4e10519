/** What of an upstream's error text may be shown to a client: no address inside the company, no credential of ours. */
import { redact } from "../lib/redact.ts";
import type { UpstreamError } from "../dialects/contract.ts";
import type { Endpoint } from "./engine.ts";

const SECRET = "[key]";
/** Shorter values would take ordinary words out. */
const MIN_SECRET_LENGTH = 6;
/** Headers of the configuration that hold a secret. */
const SECRET_HEADER = /auth|key|token|secret|cookie|credential|password/i;

/** What an upstream is told and a client must not see, as it is and as it stands in a JSON string; longest first. */
export function secretsOf(apiKey: string, headers: Readonly<Record<string, string>>): readonly string[] {
  const values = Object.entries(headers).flatMap(([name, value]) => (SECRET_HEADER.test(name) ? secretIn(value) : []));
  const secrets = [apiKey, ...values].filter((secret) => secret.length >= MIN_SECRET_LENGTH);
  const spellings = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]);
  return [...new Set(spellings)].toSorted((left, right) => right.length - left.length);
}

/** `Bearer x` may be quoted without its scheme. */
function secretIn(value: string): string {
  return value.slice(value.lastIndexOf(" ") + 1);
}

/** The text holds nothing that must stay inside. */
export function isShowable(text: string, { secrets }: Endpoint): boolean {
  return !secrets.some((secret) => text.includes(secret)) && redact(text) === text;
}

/** The text without the endpoint's secrets; before it is shortened, or part of one could be left. */
export function withoutSecrets(text: string, { secrets }: Pick<Endpoint, "secrets">): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, SECRET), text);
}

/** The error without the endpoint's secrets; dialects have taken addresses and what looks like a key out already. */
export function errorWithoutSecrets(error: UpstreamError, endpoint: Endpoint): UpstreamError {
  const clean = (text: string): string => withoutSecrets(text, endpoint);
  return {
    ...error,
    message: clean(error.message),
    type: clean(error.type),
    code: error.code === null ? null : clean(error.code),
    param: error.param === null ? null : clean(error.param),
  };
}
