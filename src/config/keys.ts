/** API keys of consumers: `sk-sluice-` and 32 random bytes. Only their SHA-256 is ever stored. */
import { hash, randomBytes } from "node:crypto";

const PREFIX = "sk-sluice-";
const RANDOM_BYTES = 32;

/** A key that was just made. */
export interface NewKey {
  /** The key itself, in plain text: to be shown once and forgotten. */
  readonly key: string;
  /** Its SHA-256, 64 hexadecimal digits; YAML writes it as `sha256:` and these. */
  readonly hash: string;
}

/** Makes a key. */
export function newKey(): NewKey {
  const key = PREFIX + randomBytes(RANDOM_BYTES).toString("base64url");
  return { key, hash: hashKey(key) };
}

/** SHA-256 of a key as 64 lower-case hexadecimal digits. */
export function hashKey(key: string): string {
  return hash("sha256", key, "hex");
}
