/** What keeps a caller on one version of a template, as the configuration writes it. */

/** By whom a version is chosen. */
export type Sticky =
  | { readonly by: "consumer" | "key" }
  /** A request header, in lower case. */
  | { readonly by: "header"; readonly name: string }
  /** A field of the input, by its path. */
  | { readonly by: "input"; readonly path: readonly string[] };

/** `consumer`, `key`, `header:x-user-id`, `input:user.id`. */
export const STICKY = /^(?:consumer|key|header:[a-z0-9!#$%&'*+.^_`|~-]+|input:[^.\s]+(?:\.[^.\s]+)*)$/;

/** Takes apart a text that `STICKY` matches. */
export function parseSticky(text: string): Sticky {
  const [by, rest = ""] = text.split(/:(.*)/s);
  switch (by) {
    case "header":
      return { by, name: rest };
    case "input":
      return { by, path: rest.split(".") };
    default:
      return { by: by === "key" ? by : "consumer" };
  }
}
