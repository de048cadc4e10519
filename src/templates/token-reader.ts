/** Hands tokens to the parsers of a source, which look a few tokens ahead and give them back. */
import { tokenize } from "./lexer.ts";
import type { Token } from "./lexer.ts";

/** The tokens of a source; its last one, an error or the end, comes again and again. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(source: string) {
    this.#tokens = tokenize(source);
  }

  next(): Token {
    return this.#tokens[Math.min(this.#at++, this.#tokens.length - 1)]!;
  }
}

/** One parser's view of a stream: what it gives back, only it gets again. */
export class TokenReader {
  readonly #stream: TokenStream;
  /** Tokens given back; the last one comes next. */
  readonly #pending: Token[] = [];
  /** The token that came from the stream last: Go reports errors in its line. */
  latest: Token | undefined;

  constructor(stream: TokenStream) {
    this.#stream = stream;
  }

  next(): Token {
    const pending = this.#pending.pop();
    if (pending !== undefined) return pending;
    this.latest = this.#stream.next();
    return this.latest;
  }

  /** The last of the tokens comes next. */
  giveBack(...tokens: readonly Token[]): void {
    this.#pending.push(...tokens);
  }

  peek(): Token {
    const token = this.next();
    this.#pending.push(token);
    return token;
  }

  nextNonSpace(): Token {
    let token = this.next();
    while (token.type === "space") token = this.next();
    return token;
  }

  /** Steps over spaces. */
  peekNonSpace(): Token {
    const token = this.nextNonSpace();
    this.#pending.push(token);
    return token;
  }
}
