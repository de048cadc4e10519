/** Signatures of simulated thinking: a block that comes back changed, or was never ours, is recognised. */
import { createHmac, hash, timingSafeEqual } from "node:crypto";

/** Not a secret: it only has to make a forged or altered signature fail. */
const KEY = "simulated thinking";

/** @param shown what the client sees of the thinking: the text, or "" if it is omitted */
export function signThinking(shown: string): string {
  return seal(`thinking.${hash("sha256", shown, "hex")}`);
}

/** Whether the text is byte for byte what `signThinking` signed. */
export function verifyThinking(shown: string, signature: string): boolean {
  return unseal(signature) === `thinking.${hash("sha256", shown, "hex")}`;
}

/** Opaque data of a redacted block. */
export function redactThinking(text: string): string {
  return seal(`redacted.${hash("sha256", text, "hex")}`);
}

export function verifyRedacted(data: string): boolean {
  return unseal(data)?.startsWith("redacted.") === true;
}

function seal(content: string): string {
  return Buffer.from(`${content}.${mac(content)}`).toString("base64");
}

/** What was sealed; undefined if the seal is broken. */
function unseal(sealed: string): string | undefined {
  const text = Buffer.from(sealed, "base64").toString("latin1");
  const end = text.lastIndexOf(".");
  const content = text.slice(0, end);
  const expected = Buffer.from(mac(content));
  const found = Buffer.from(text.slice(end + 1));
  const intact = expected.length === found.length && timingSafeEqual(expected, found);
  // Base64 that decodes to the same bytes but is written differently is not byte-identical either.
  return intact && seal(content) === sealed ? content : undefined;
}

function mac(content: string): string {
  return createHmac("sha256", KEY).update(content).digest("hex");
}
