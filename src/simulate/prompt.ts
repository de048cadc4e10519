/** Collects a conversation while a dialect reads it: one text to count and cache, and what the reply needs to know. */
import { messageDirectives, type Directives } from "./directives.ts";
import type { CacheMark } from "./task.ts";

export class PromptBuilder {
  #text = "";
  #marks: CacheMark[] = [];
  #userText = "";
  #userHasSpoken = false;
  #directives: Directives = {};
  #toolResults: string[] = [];
  #images = 0;
  #documents = 0;

  /** Adds text that is neither a user's words nor a tool's result. */
  add(role: string, text: string): void {
    this.#text += `${role}:${text}\n`;
  }

  /** Adds words of the user. Several texts of one turn are one; directives stand before the first. */
  addUser(text: string): void {
    if (this.#userHasSpoken) {
      this.#userText += text;
    } else {
      const { directives, rest } = messageDirectives(text);
      this.#directives = directives;
      this.#userText = rest;
      this.#userHasSpoken = true;
    }
    this.#toolResults = [];
    this.add("user", text);
  }

  /** The conversation goes on: what the user said and tools gave before is history. */
  startTurn(): void {
    this.#userHasSpoken = false;
    this.#toolResults = [];
  }

  addToolResult(text: string): void {
    this.#toolResults.push(text);
    this.add("tool", text);
  }

  addImage(reference: string): void {
    this.#images += 1;
    this.add("image", reference.slice(0, 64));
  }

  addDocument(text: string): void {
    this.#documents += 1;
    this.add("document", text);
  }

  /** Ends a cacheable prefix here. */
  mark(ttl: "5m" | "1h"): void {
    this.#marks.push({ offset: this.#text.length, ttl });
  }

  get text(): string {
    return this.#text;
  }
  get marks(): readonly CacheMark[] {
    return this.#marks;
  }
  /** Directives of the last user message. */
  get directives(): Directives {
    return this.#directives;
  }
  get userText(): string {
    return this.#userText;
  }
  get toolResults(): readonly string[] {
    return this.#toolResults;
  }
  get images(): number {
    return this.#images;
  }
  get documents(): number {
    return this.#documents;
  }
}
