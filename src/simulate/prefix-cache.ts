/** The engine's prefix cache: blocks of 64 tokens, each known by all that came before it, least recently used out first. */
import { hash } from "node:crypto";
import { CHARACTERS_PER_TOKEN } from "./tokens.ts";

export const TOKENS_PER_BLOCK = 64;
const CHARACTERS_PER_BLOCK = TOKENS_PER_BLOCK * CHARACTERS_PER_TOKEN;

export class PrefixCache {
  readonly #maxBlocks: number;
  readonly #blocks = new Set<string>();
  #queriedTokens = 0;
  #hitTokens = 0;

  /** @param maxBlocks 0 turns the cache off */
  constructor(maxBlocks: number) {
    this.#maxBlocks = maxBlocks;
  }

  /** How full the cache is, 0 to 1. */
  get fill(): number {
    return this.#maxBlocks === 0 ? 0 : this.#blocks.size / this.#maxBlocks;
  }

  get blocks(): number {
    return this.#blocks.size;
  }

  /** Tokens looked up and tokens found since the start. */
  get counts(): { readonly queriedTokens: number; readonly hitTokens: number } {
    return { queriedTokens: this.#queriedTokens, hitTokens: this.#hitTokens };
  }

  /**
   * Looks a prompt up and keeps it. Like an engine's, the last token is always computed, so a prompt is never
   * wholly cached.
   * @param namespace what must not share a cache: the model
   * @returns tokens that were found
   */
  use(namespace: string, prompt: string): number {
    if (this.#maxBlocks === 0) return 0;
    this.#queriedTokens += Math.ceil(prompt.length / CHARACTERS_PER_TOKEN);
    const whole = Math.floor((prompt.length - 1) / CHARACTERS_PER_BLOCK);
    let key = namespace;
    let found = 0;
    for (let index = 0; index < whole; index++) {
      const start = index * CHARACTERS_PER_BLOCK;
      key = hash("sha1", `${key}\n${prompt.slice(start, start + CHARACTERS_PER_BLOCK)}`, "base64");
      if (this.#blocks.delete(key) && found === index) found += 1;
      this.#blocks.add(key);
    }
    this.#evict();
    this.#hitTokens += found * TOKENS_PER_BLOCK;
    return found * TOKENS_PER_BLOCK;
  }

  clear(): void {
    this.#blocks.clear();
    this.#queriedTokens = 0;
    this.#hitTokens = 0;
  }

  #evict(): void {
    for (const oldest of this.#blocks) {
      if (this.#blocks.size <= this.#maxBlocks) return;
      this.#blocks.delete(oldest);
    }
  }
}
