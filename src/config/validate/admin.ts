/** What the schema of `admin` cannot see: two tokens with one name, or one token with two. */
import type { Findings } from "../findings.ts";
import type { Outline } from "../schema/root.ts";
import { Unique } from "./unique.ts";

export function validateAdmin({ tokens }: Outline["admin"], findings: Findings): void {
  const names = new Unique("the token name");
  const hashes = new Unique("the token");
  for (const [index, { name, hash }] of tokens.entries()) {
    names.claim(name, ["admin", "tokens", index, "name"], findings);
    hashes.claim(hash, ["admin", "tokens", index, "hash"], findings);
  }
}
