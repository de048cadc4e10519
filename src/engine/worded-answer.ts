/** What a prompt's client gets of an answer, where that is not the model's whole answer. */
import type { ContentPart } from "../dialects/form.ts";
import type { SluiceError } from "../lib/errors.ts";

/** A body with its headers (names and values, alternating), or why there is none. */
export type WordedAnswer =
  | { readonly headers: readonly string[]; readonly body: string }
  | { readonly error: SluiceError; readonly again?: Again | undefined };

/** How the model may be told what was wrong with its answer. */
export interface Again {
  /** So often, at most. */
  readonly most: number;
  /** The body that tells it, made of the one that it was asked with. */
  readonly bodyOf: (body: Buffer) => Buffer;
}

/** What the model says, without what it thinks or calls. */
export function spoken(content: readonly ContentPart[]): string {
  return content.map((part) => (part.kind === "text" || part.kind === "refusal" ? part.text : "")).join("");
}
