/**
 * The simulator's tokenizer: a token is four characters. Nothing depends on words, so markup such as
 * `<think>` is cut at arbitrary places when it streams, as real tokenizers cut it.
 */

export const CHARACTERS_PER_TOKEN = 4;

/** Tokens of a prompt. */
export function countTokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}

/** Cuts text into tokens; a character outside the basic plane is never cut in two. */
export function cutTokens(text: string): string[] {
  const tokens: string[] = [];
  let start = 0;
  while (start < text.length) {
    let end = Math.min(start + CHARACTERS_PER_TOKEN, text.length);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end += 1;
    tokens.push(text.slice(start, end));
    start = end;
  }
  return tokens;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

const LOREM =
  "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua. " +
  "Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat. " +
  "Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla pariatur. " +
  "Excepteur sint occaecat cupidatat non proident, sunt in culpa qui officia deserunt mollit anim id est laborum. ";

/** Filler text of exactly so many tokens. */
export function lorem(tokens: number): string {
  const length = tokens * CHARACTERS_PER_TOKEN;
  return LOREM.repeat(Math.ceil(length / LOREM.length)).slice(0, length);
}
